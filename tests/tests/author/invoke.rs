//! `hookbox invoke`

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use hookbox_tests::upstream::{Answer, Upstream};
use hookbox_tests::{probe, sample};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{Desk, Said};

const HUSH: &str = "hush-path-4711";

/// The probe with a body that tells it what to do.
fn probed(desk: &Desk, what: &str, more: &[&str]) -> Said {
    let arguments = [&["invoke", "dist/probe.wasm", "--event", "-"], more].concat();
    desk.run_with(&arguments, &format!(r#"{{"event":"made_up","probe":"{what}"}}"#))
}

#[test]
fn each_sample_is_handled_with_its_log_and_its_state() {
    let desk = Desk::new(&["view-counter"]);
    for (name, _) in hookbox_core::targetvideo::samples::ALL {
        let arguments =
            ["invoke", "dist/view-counter.wasm", "--event", name, "--grant", "keyvalue", "--json"];
        let tried = desk.run(&arguments);
        tried.ended(0);
        let tried = tried.json();
        assert_eq!((&tried["outcome"], &tried["event"]), (&json!("handled"), &json!(name)));
        assert_eq!(tried["changes"][0]["key"], "total", "{tried}");
        assert!(tried["memory_bytes"].as_u64() > Some(65_536), "{tried}");
        assert!(tried["cpu_us"].is_u64() && tried["duration_us"].is_u64(), "{tried}");
    }
}

#[test]
fn state_is_what_the_file_says_and_is_not_kept() {
    let desk = Desk::new(&["view-counter"]);
    desk.put("state.json", r#"{"total": 41, "video:734392": "3"}"#);
    desk.put("state.jsonl", "{\"key\":\"total\",\"value\":\"41\"}\n");
    for (file, video) in [("state.json", 4), ("state.json", 4), ("state.jsonl", 1)] {
        let arguments = ["invoke", "dist/view-counter.wasm", "--event", "add_video"];
        let arguments = [&arguments[..], &["--grant", "keyvalue", "--state", file]].concat();
        let said = desk.run(&arguments);
        let out = said.ended(0);
        assert!(out.contains("total = \"42\" (+1)"), "{out}");
        assert!(out.contains(&format!("video:734392 = \"{video}\" (+1)")), "{out}");
        assert!(out.contains(&format!("info   video 734392: {video} of 42 events")), "{out}");
    }
}

#[test]
fn how_it_ended_is_the_exit_status() {
    let desk = Desk::new(&["probe", "view-counter"]);
    for (what, status, expected) in [
        ("well", 0, "probe, made_up: handled after "),
        ("reject", 7, "probe, made_up: rejected after "),
        ("retry-after", 7, "  to be tried again after 1500 ms\n  asked to retry later\n"),
        ("panic", 7, "in probe::panic_in_a_function_of_its_own\n"),
        ("allocate", 7, "probe, made_up: memory after "),
    ] {
        let said = probed(&desk, what, &[]);
        let out = said.ended(status);
        assert!(out.contains(expected), "{what}: {out}");
    }
    let refused = desk.run(&["invoke", "dist/view-counter.wasm", "--event", "add_video"]);
    let out = refused.ended(5);
    assert!(out.contains("want-not-granted") && out.contains("--grant"), "{out}");
    desk.put("dist/none.wasm", "text");
    let none = desk.run(&["invoke", "dist/none.wasm", "--event", "add_video"]);
    assert!(none.ended(5).contains("not-wasm"), "{none:?}");
    let no_event = desk.run(&["invoke", "dist/probe.wasm", "--event", "nothing"]);
    assert!(no_event.err.contains("neither a sample"), "{no_event:?}");
    assert_eq!(no_event.status, 1);
    let grant = ["invoke", "dist/probe.wasm", "--event", "add_video", "--grant", "http=nowhere"];
    let mistaken = desk.run(&grant);
    assert!(mistaken.err.starts_with("hookbox: --grant http: "), "{mistaken:?}");
    assert_eq!(mistaken.status, 2);
}

#[test]
fn limits_are_those_of_the_configuration() {
    let desk = Desk::new(&["probe"]);
    desk.put("hookbox.toml", "[plugin.probe]\ncpu_ms = 20\nmemory_bytes_max = 2000000\n");
    let spun = probed(&desk, "spin", &[]);
    assert!(spun.ended(7).contains("cpu after "), "{spun:?}");
    let tried = probed(&desk, "allocate", &["--json"]);
    tried.ended(7);
    let tried = tried.json();
    assert_eq!(tried["outcome"], "memory", "{tried}");
    let peak = tried["memory_bytes"].as_u64().expect("a number");
    assert!((1_114_112..=2_000_000).contains(&peak), "{peak}");
}

#[test]
fn the_delivery_is_as_it_was_asked_for() {
    let desk = Desk::new(&["probe"]);
    let said = probed(&desk, "well", &["--attempt", "3", "--source", "other", "--replay"]);
    assert!(said.ended(0).contains(" attempt=3"), "{said:?}");
}

#[test]
fn requests_are_sent_and_no_secret_is_shown() {
    let upstream = Upstream::new(|_, _| Answer::status(200, &format!("thanks for /{HUSH}")));
    let desk = Desk::new(&["notify-chat"]);
    let (http, secret) =
        (format!("http={}", upstream.origin()), format!("secret.url={}/{HUSH}", upstream.origin()));
    let arguments = ["invoke", "dist/notify-chat.wasm", "--event", "video_encoded"];
    let granted = [&arguments[..], &["--grant", &secret, "--grant", &http]].concat();
    let said = desk.run(&granted);
    let out = said.ended(0);
    assert!(out.contains("POST [secret url]: 200 after "), "{out}");
    assert!(out.contains("    > {\"text\":\"Video 734392 is ready"), "{out}");
    assert_eq!(upstream.received().len(), 1);
    assert_eq!(upstream.received()[0].line, format!("POST /{HUSH} HTTP/1.1"));
    let json = desk.run(&[&granted[..], &["--json"]].concat());
    for said in [&said, &json] {
        assert!(!format!("{said:?}").contains(HUSH), "{said:?}");
    }
    // What is not granted is refused as a server does it.
    let said = desk.run(&[&arguments[..], &["--grant", &secret]].concat());
    assert!(said.ended(7).contains("not-granted"), "{said:?}");
    assert_eq!(upstream.received().len(), 2);
}

#[test]
fn a_trap_shows_the_lines_of_the_source_where_the_component_has_them() {
    let desk = Desk::new(&["probe-lines"]);
    let body = r#"{"event":"made_up","probe":"panic"}"#;
    let arguments = ["invoke", "dist/probe-lines.wasm", "--event", "-", "--json"];
    let said = desk.run_with(&arguments, body);
    said.ended(7);
    let reason = said.json()["reason"].as_str().expect("a reason").to_owned();
    let source = super::repository("tests/guests/probe/src/lib.rs");
    let line = source.lines().position(|line| line.contains("panic!(\"asked to panic\")"));
    let line = line.expect("the panic's line") + 1;
    let first =
        format!("in probe::panic_in_a_function_of_its_own (src/lib.rs:{line}) < handle (src/");
    assert!(reason.contains(&first), "{reason}");
    for hidden in
        ["/rustc/", "/home/", "/root/", "library/std", "export.rs", "_export_", "panicking"]
    {
        assert!(!reason.contains(hidden), "{hidden}: {reason}");
    }
}

#[test]
fn a_core_module_is_made_a_component() {
    let desk = Desk::new(&[]);
    desk.put("no_plugin.wasm", wat::parse_str("(module)").expect("a module"));
    let said = desk.run(&["invoke", "no_plugin.wasm", "--event", "add_video"]);
    assert_eq!(said.status, 5, "{said:?}");
    assert!(said.err.contains("no plugin can be made of this core module"), "{said:?}");
    desk.put("audit_log.wasm", hookbox_tests::plugin("audit-log-p1.core"));
    let said = desk.run(&["invoke", "audit_log.wasm", "--event", "add_video"]);
    assert!(said.ended(0).starts_with("audit-log, add_video: handled after "), "{said:?}");
}

#[test]
fn a_name_comes_from_the_file_as_compilers_write_it() {
    let desk = Desk::new(&[]);
    desk.put("view_counter.wasm", hookbox_tests::plugin("view-counter"));
    let said =
        desk.run(&["invoke", "view_counter.wasm", "--event", "add_video", "--grant", "keyvalue"]);
    assert!(said.ended(0).starts_with("view-counter, add_video: handled"), "{said:?}");
}

#[test]
fn a_file_that_is_replaced_is_tried_again_until_it_is_enough() {
    let desk = Desk::new(&[]);
    desk.put("probe.wasm", probe(1));
    desk.put("event.json", sample("add_video"));
    let mut command = desk.command(&["invoke", "probe.wasm", "--event", "event.json", "--watch"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("running the program");
    let mut lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
    let mut until = |text: &str| {
        let found = lines.by_ref().map_while(Result::ok).find(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("it ended without {text:?}"))
    };
    until("probe-build-000001 ");
    desk.put("probe.wasm", probe(2));
    until("───");
    until("probe-build-000002 ");
    desk.put("probe.wasm", "no plugin");
    until("not-wasm");
    desk.put("probe.wasm", probe(3));
    until("probe-build-000003 ");
    std::fs::remove_file(desk.path("probe.wasm")).expect("removed");
    let mut errors = BufReader::new(child.stderr.take().expect("standard error")).lines();
    let gone = errors.next().expect("a line").expect("text");
    assert_eq!(gone, "hookbox: probe.wasm is gone; waiting for another");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id")).expect("one");
    kill_process(pid, Signal::INT).expect("a signal");
    assert!(child.wait().expect("its end").success());
}

#[test]
fn a_body_that_a_server_would_refuse_is_refused_and_told_once() {
    let desk = Desk::new(&["view-counter"]);
    let long = format!("{{\"event\":\"made_up\",\"text\":\"{}\"}}", "a".repeat(1 << 20));
    desk.put("long.json", &long);
    desk.put("empty.json", "");
    desk.put("bytes.json", b"a\xff");
    desk.put("nameless.json", "{}");
    for (event, expected) in [
        ("long.json", format!("a server would refuse the body: it has {} bytes", long.len())),
        ("empty.json", "empty.json: empty\n".to_owned()),
        ("bytes.json", "bytes.json: not UTF-8: byte 1".to_owned()),
        ("nameless.json", "must be a string\n".to_owned()),
        ("add_vid", "did you mean the sample add_video?".to_owned()),
    ] {
        let said = desk.run(&["invoke", "dist/view-counter.wasm", "--event", event]);
        said.ended(1);
        assert!(said.err.contains(&expected), "{expected}: {said:?}");
        assert!(said.err.matches("names no event").count() <= 1, "{said:?}");
    }
}

#[test]
fn a_call_that_is_watched_is_cut_off_by_a_signal() {
    let desk = Desk::new(&["probe"]);
    desk.put("spin.json", r#"{"event":"made_up","probe":"spin"}"#);
    desk.put("hookbox.toml", "[plugin.probe]\ncpu_ms = 60_000\ndeadline_ms = 60_000\n");
    let mut command =
        desk.command(&["invoke", "dist/probe.wasm", "--event", "spin.json", "--watch"]);
    let mut child = command.stdin(Stdio::null()).spawn().expect("running the program");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id")).expect("one");
    // Before it takes signals one ends it by itself: so once it does.
    let status = format!("/proc/{}/status", child.id());
    let takes_it = |text: String| {
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"))?.trim().to_owned();
        Some(u64::from_str_radix(&caught, 16).ok()? & 2 != 0)
    };
    while std::fs::read_to_string(&status).ok().and_then(takes_it) != Some(true) {
        assert!(child.try_wait().expect("a process").is_none(), "it ended");
        std::thread::yield_now();
    }
    kill_process(pid, Signal::INT).expect("a signal");
    assert_eq!(child.wait().expect("its end").code(), Some(130));
}
