//! Plugins are swapped while events flow.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hookbox_core::ids::Digest;
use hookbox_tests::{Site, body, plugin, probe, text};
use serde_json::Value;

/// Swaps of the storm.
const SWAPS: usize = 200;

/// Senders that post all the while.
const SENDERS: usize = 4;

fn is_live(line: &Value) -> bool {
    text(line, "message") == "plugin is live"
}

/// Replaces a plugin's file in one of the ways that files are replaced.
fn replace(site: &Site, round: usize, bytes: &[u8]) {
    let file = site.plugin_file("probe");
    let garbage = |file: &Path| fs::write(file, b"\0asm\x0d\0\x01\0 and no more of a component");
    match round % 6 {
        0 => site.install("probe", bytes),
        1 => {
            // Truncated, then written in pieces by a slow copier.
            let mut open = fs::File::create(&file).expect("a file");
            for piece in bytes.chunks(bytes.len() / 7 + 1) {
                open.write_all(piece).expect("writing");
                open.sync_data().expect("syncing");
            }
        }
        2 => {
            fs::remove_file(&file).expect("deleting");
            fs::write(&file, bytes).expect("writing");
        }
        3 => {
            // As Kubernetes mounts files: the plugin is a link through a link to
            // a folder, and the folder is changed by renaming a new link over it.
            let folder = format!("..{round:06}");
            let plugins = site.path("plugins");
            fs::create_dir(plugins.join(&folder)).expect("a folder");
            fs::write(plugins.join(&folder).join("probe.wasm"), bytes).expect("writing");
            let coming = plugins.join("..data_tmp");
            symlink(&folder, &coming).expect("a link");
            fs::rename(&coming, plugins.join("..data")).expect("renaming");
            let link = plugins.join(".probe.link");
            symlink("..data/probe.wasm", &link).expect("a link");
            fs::rename(&link, &file).expect("renaming");
        }
        4 => {
            // Garbage for a moment, which must displace nothing.
            garbage(&file).expect("writing");
            site.install("probe", bytes);
        }
        _ => {
            let _is_a_link_or_file = fs::remove_file(&file);
            garbage(&file).expect("writing");
            fs::remove_file(&file).expect("deleting");
            site.install("probe", bytes);
        }
    }
}

/// Ends the senders when dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_storm_of_swaps_loses_fails_and_doubles_nothing() {
    let site = Site::new("[log]\nlevel = \"info\"\n[plugin_defaults]\nbacklog_max = 10000\n");
    let builds: Vec<Vec<u8>> = (0..=SWAPS).map(probe).collect();
    site.install("probe", &builds[0]);
    let server = site.serve();
    server.wait_live("probe", &builds[0]);

    let stop = AtomicBool::new(false);
    let posted = AtomicUsize::new(0);
    let mut resident = Vec::new();
    let accepted: BTreeSet<String> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut accepted = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        // In step with the handling, so that the backlog stays small.
                        let event = server.post(body("storm", r#","n":1"#)).event();
                        posted.fetch_add(1, Ordering::Relaxed);
                        server.wait_done(&event, "probe");
                        accepted.push(event);
                    }
                    accepted
                })
            })
            .collect();
        // Also when a swap fails, or the senders would go on for ever.
        let stopping = Stop(&stop);
        for (round, build) in builds.iter().enumerate().skip(1) {
            replace(&site, round, build);
            server.wait_live("probe", build);
            resident.push(server.resident_bytes());
        }
        drop(stopping);
        senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect()
    });

    let done = server.lines(|line| matches!(text(line, "message"), "handled" | "failed"));
    let failed: Vec<&Value> = done.iter().filter(|l| text(l, "message") == "failed").collect();
    assert!(failed.is_empty(), "{} failed, such as {}", failed.len(), failed[0]);
    let mut handled: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &done {
        *handled.entry(text(line, "event")).or_default() += 1;
    }
    assert_eq!(handled.len(), accepted.len(), "events handled and events accepted");
    assert!(handled.values().all(|times| *times == 1), "an event was handled more than once");
    assert!(handled.keys().all(|event| accepted.contains(*event)));

    // Each call ran the code of exactly one generation: the build that the guest
    // says it is has the digest that the host says ran, in its generation.
    let digest_of: BTreeMap<String, String> = builds
        .iter()
        .enumerate()
        .map(|(n, build)| (format!("probe-build-{n:06}"), Digest::of(build).short()))
        .collect();
    let generation_of: BTreeMap<String, u64> = server
        .lines(is_live)
        .iter()
        .map(|l| (text(l, "digest").to_owned(), l["generation"].as_u64().expect("a number")))
        .collect();
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in server.lines(|line| line.get("stream").is_some()) {
        let build = text(&line, "message").split(' ').next().unwrap_or_default().to_owned();
        said.entry(text(&line, "event").to_owned()).or_default().push(build);
    }
    let mut builds_run = BTreeSet::new();
    for line in &done {
        let event = text(line, "event");
        let [build] = said[event].as_slice() else {
            panic!("{event} was seen by {:?}", said[event])
        };
        assert_eq!(digest_of[build], text(line, "digest"), "{event}");
        assert_eq!(Some(generation_of[text(line, "digest")]), line["generation"].as_u64());
        builds_run.insert(build.clone());
    }
    // None of the garbage was ever live.
    assert_eq!(generation_of.len(), SWAPS + 1);

    let (early, late) = (resident[SWAPS / 2 - 1], resident[SWAPS - 1]);
    println!(
        "{} events over {SWAPS} swaps, {} builds ran; resident memory {} KiB after swap {}, {} KiB after swap {SWAPS}",
        accepted.len(),
        builds_run.len(),
        early / 1024,
        SWAPS / 2,
        late / 1024
    );
    assert!(builds_run.len() > SWAPS / 2, "only {} builds ran", builds_run.len());
    // A build that is never let go of keeps its code, about a megabyte.
    let grown = late.saturating_sub(early);
    assert!(grown < 24 * 1024 * 1024, "{grown} bytes more, over {} swaps", SWAPS / 2);
    server.end();
}

#[test]
fn a_call_that_began_on_old_code_ends_on_old_code() {
    let site = Site::new("[plugin_defaults]\ndeadline_ms = 2000\n");
    let (old, new) = (probe(1), probe(2));
    site.install("probe", &old);
    let server = site.serve();
    // It sleeps until its deadline, while the file is replaced.
    let slow = server.post(body("slow", r#","probe":"sleep""#)).event();
    server.wait(|line| text(line, "event") == slow && line.get("stream").is_some());
    site.install("probe", &new);
    server.wait_live("probe", &new);
    let quick = server.post(body("quick", "")).event();
    let quick_done = server.wait_done(&quick, "probe");
    assert_eq!(text(&quick_done, "digest"), Digest::of(&new).short());
    let slow_done = server.wait_done(&slow, "probe");
    assert_eq!(text(&slow_done, "digest"), Digest::of(&old).short());
    assert_eq!(text(&slow_done, "failure"), "deadline", "{slow_done}");
}

#[test]
fn a_deleted_plugin_gets_nothing_more_and_one_that_comes_back_goes_on() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve();
    fs::remove_file(site.plugin_file("probe")).expect("deleting");
    server.wait(|line| text(line, "message").starts_with("plugin is gone"));
    let event = server.post(body("alone", "")).event();
    let line = server.wait(|l| text(l, "message") == "accepted" && text(l, "event") == event);
    assert_eq!(line["plugins"], 0);
    site.install("probe", &probe(1));
    server.wait_for(2, is_live);
    let event = server.post(body("again", "")).event();
    assert_eq!(text(&server.wait_done(&event, "probe"), "message"), "handled");
}

#[test]
fn what_waits_for_a_deleted_plugin_is_handled_when_it_is_back() {
    let site = Site::new("[plugin_defaults]\ndeadline_ms = 1500\nconcurrency = 1\n");
    site.install("probe", &probe(1));
    let server = site.serve();
    let slow = server.post(body("slow", r#","probe":"sleep""#)).event();
    let waiting: Vec<String> = (0..5).map(|_| server.post(body("wait", "")).event()).collect();
    fs::remove_file(site.plugin_file("probe")).expect("deleting");
    server.wait(|line| text(line, "message").starts_with("plugin is gone"));
    assert_eq!(text(&server.wait_done(&slow, "probe"), "failure"), "deadline");
    let parked = server.wait(|line| text(line, "message").starts_with("parked:"));
    assert_eq!(parked["owed"], 6);
    site.install("probe", &probe(2));
    for event in &waiting {
        let done = server.wait_done(event, "probe");
        assert_eq!(text(&done, "digest"), Digest::of(&probe(2)).short());
    }
    server.end();
}

#[test]
fn a_file_that_will_not_load_never_displaces_code_that_works() {
    let site = Site::new("[reload]\nfile_bytes_max = 2000000\n");
    let good = probe(1);
    site.install("probe", &good);
    let server = site.serve();
    let core = wat("(module)");
    let other_world = wat("(component)");
    let outside = site.path("outside.wasm");
    fs::write(&outside, &good).expect("a file");
    let mut bit_flipped = good.clone();
    bit_flipped.iter_mut().skip(8).step_by(997).for_each(|byte| *byte ^= 0x10);
    for (bytes, code) in [
        (b"".to_vec(), "empty"),
        (b"#!/bin/sh\necho no plugin\n".to_vec(), "not-wasm"),
        (core, "core-module"),
        (good[..good.len() / 2].to_vec(), "invalid"),
        (bit_flipped, "invalid"),
        (other_world, "export-missing"),
        (plugin("outlandish"), "import-unknown"),
        (plugin("wanting"), "want-not-granted"),
        (vec![0; 2_000_001], "too-large"),
    ] {
        site.install("probe", &bytes);
        // A file that is too large is not read, so it has no digest.
        let digest = Digest::of(&bytes).short();
        let digest = if code == "too-large" { "" } else { digest.as_str() };
        let refused = server.wait(|l| text(l, "code") == code && text(l, "digest") == digest);
        assert!(text(&refused, "message").ends_with("the code that was live goes on"), "{refused}");
        let error = text(&refused, "error");
        match code {
            "import-unknown" => {
                assert!(error.contains("nowhere:to-be-found/thing@1.0.0"), "{error}")
            }
            "want-not-granted" => assert!(error.contains("key-value state"), "{error}"),
            _ => assert!(!error.is_empty()),
        }
        let event = server.post(body("still", "")).event();
        assert_eq!(text(&server.wait_done(&event, "probe"), "digest"), Digest::of(&good).short());
    }
    fs::remove_file(site.plugin_file("probe")).expect("deleting");
    symlink(&outside, site.plugin_file("probe")).expect("a link");
    server.wait(|line| text(line, "code") == "outside");
    let event = server.post(body("still", "")).event();
    assert_eq!(text(&server.wait_done(&event, "probe"), "message"), "handled");

    // And the next good file is taken.
    let better = probe(2);
    site.install("probe", &better);
    server.wait_live("probe", &better);
    fs::write(site.path("plugins/My_Plugin.wasm"), &better).expect("a file");
    fs::write(site.path("plugins/.hidden.wasm"), &better).expect("a file");
    let ignored = server.wait(|line| text(line, "message").starts_with("ignored"));
    assert_eq!(text(&ignored, "file"), "My_Plugin.wasm");
    assert_eq!(server.lines(is_live).len(), 2);
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("a valid text")
}

#[test]
fn restarting_compiles_nothing_again() {
    let site = Site::new("[log]\nlevel = \"debug\"\n");
    site.install("probe", &probe(1));
    site.serve().end();
    let compiled = || -> BTreeMap<String, std::time::SystemTime> {
        fs::read_dir(site.path("data/compiled"))
            .expect("a folder")
            .map(|entry| entry.expect("an entry"))
            .map(|e| {
                let created = e.metadata().expect("metadata").created().expect("a time");
                (e.file_name().to_string_lossy().into_owned(), created)
            })
            .collect()
    };
    let before = compiled();
    assert_eq!(before.len(), 1, "{before:?}");
    let server = site.serve();
    let event = server.post(body("warm", "")).event();
    assert_eq!(text(&server.wait_done(&event, "probe"), "message"), "handled");
    server.end();
    assert_eq!(compiled(), before, "compiled anew");

    // A file of the cache that was damaged is made again.
    let file = site.path("data/compiled").join(before.keys().next().expect("a file"));
    fs::write(&file, b"\x7fELF and nothing else").expect("a file");
    let server = site.serve();
    let event = server.post(body("cold", "")).event();
    assert_eq!(text(&server.wait_done(&event, "probe"), "message"), "handled");
    assert!(server.end().contains("compiled code is of no use"));
}

#[test]
fn the_plugins_directory_may_be_a_link_that_is_led_elsewhere() {
    let site = Site::new("");
    fs::remove_dir(site.path("plugins")).expect("deleting");
    for (folder, build) in [("one", 1), ("two", 2)] {
        fs::create_dir(site.path(folder)).expect("a folder");
        fs::write(site.path(folder).join("probe.wasm"), probe(build)).expect("a file");
    }
    symlink("one", site.path("plugins")).expect("a link");
    let server = site.serve();
    server.wait_live("probe", &probe(1));
    symlink("two", site.path("coming")).expect("a link");
    fs::rename(site.path("coming"), site.path("plugins")).expect("renaming");
    server.wait_live("probe", &probe(2));
    // Hints come from where the link leads now.
    site.install("probe", &probe(3));
    server.wait_live("probe", &probe(3));
    assert_eq!(server.lines(|l| text(l, "message").starts_with("plugin is gone")).len(), 0);
}

#[test]
fn plugins_of_the_repository_load_and_say_what_they_should() {
    let site = Site::new("");
    for name in ["audit-log", "encoding-watch", "catalog"] {
        site.install(name, &plugin(name));
    }
    let server = site.serve();
    let event = server.post(hookbox_tests::sample("sd_encoded")).event();
    server.wait_done(&event, "audit-log");
    server.wait_done(&event, "encoding-watch");
    let said = server.said(&event, "audit-log").join("\n");
    assert!(said.starts_with("sd_encoded: video 734392 (delivery "), "{said}");
    assert_eq!(
        server.said(&event, "encoding-watch"),
        [
            "video 734392: SD is ready; set: sd hd fhd streaming ogg mp3; not set: ld hsd (by MediaConvert)"
        ]
    );
    let event = server.post(hookbox_tests::sample("delete_video")).event();
    server.wait_done(&event, "catalog");
    assert_eq!(server.said(&event, "catalog"), ["deleted videos: 734392 734393"]);
    assert!(server.said(&event, "encoding-watch").is_empty(), "it did not ask for this event");
}

#[test]
fn a_plugin_that_comes_back_does_not_wait_for_calls_of_its_old_code() {
    let site = Site::new("[plugin_defaults]\ndeadline_ms = 25000\n");
    site.install("probe", &probe(1));
    let server = site.serve();
    let slow = server.post(body("slow", r#","probe":"sleep""#)).event();
    server.wait(|line| text(line, "event") == slow && line.get("stream").is_some());
    fs::remove_file(site.plugin_file("probe")).expect("deleting");
    server.wait(|line| text(line, "message").starts_with("plugin is gone"));
    site.install("probe", &probe(2));
    server.wait_live("probe", &probe(2));
    let event = server.post(body("new", "")).event();
    assert_eq!(text(&server.wait_done(&event, "probe"), "digest"), Digest::of(&probe(2)).short());
    let over = server.lines(|l| text(l, "event") == slow && text(l, "message") == "failed");
    assert!(over.is_empty(), "the old call was over by then: {over:?}");
}

#[test]
fn a_stream_of_file_events_does_not_put_off_a_swap() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stopping = Stop(&stop);
        scope.spawn(|| {
            // As a slow upload beside the plugins would.
            let mut upload = fs::File::create(site.path("plugins/.upload")).expect("a file");
            while !stop.load(Ordering::Relaxed) {
                upload.write_all(b"more").expect("writing");
            }
        });
        site.install("probe", &probe(2));
        server.wait_live("probe", &probe(2));
        drop(stopping);
    });
}

#[test]
fn what_the_host_cannot_compile_now_it_compiles_later() {
    let site = Site::new("");
    let server = site.serve();
    // A file in the place of the folder for compiled code.
    fs::remove_dir(site.path("data/compiled")).expect("deleting");
    fs::write(site.path("data/compiled"), "").expect("a file");
    site.install("probe", &probe(1));
    server.wait(|line| text(line, "code") == "compile-failed");
    let event = server.post(body("meanwhile", "")).event();
    let line = server.wait(|l| text(l, "message") == "accepted" && text(l, "event") == event);
    assert_eq!(line["plugins"], 0);
    fs::remove_file(site.path("data/compiled")).expect("deleting");
    server.wait_live("probe", &probe(1));
    let said = server.lines(|line| text(line, "code") == "compile-failed").len();
    assert_eq!(said, 1, "it is said once");
}

#[test]
fn the_server_starts_though_the_host_cannot_compile() {
    let site = Site::new("[reload]\ncompile_timeout_ms = 1\n");
    site.install("probe", &probe(1));
    let server = site.serve();
    let refused = server.wait(|line| text(line, "code") == "compile-timeout");
    assert!(text(&refused, "error").contains("reload.compile_timeout_ms"), "{refused}");
    server.end();
}

#[test]
fn compiled_code_in_a_folder_that_others_can_write_to_is_not_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new("");
    let data = site.path("data");
    fs::create_dir_all(data.join("compiled")).expect("a folder");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::set_permissions(data.join("compiled"), fs::Permissions::from_mode(0o777)).expect("a mode");
    let output = site.serve_in_vain();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("nobody else may write to it"), "{said}");
    // A folder that was there keeps its mode.
    fs::remove_dir(data.join("compiled")).expect("deleting");
    site.serve().end();
    assert_eq!(fs::metadata(&data).expect("a folder").permissions().mode() & 0o777, 0o755);
    let mode = fs::metadata(data.join("compiled")).expect("a folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
