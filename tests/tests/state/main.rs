//! Key-value state of plugins: what a call sees, what is kept, what is refused,
//! and what operators do with it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod counts;
mod operators;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use hookbox_tests::{Server, Site, body, plugin, text};
use rustix::process::Signal;
use serde_json::Value;

/// A site in which the plugin `caller` may keep state.
fn site(more: &str) -> Site {
    let site = Site::new(&format!("[plugin.caller]\nkeyvalue = true\n{more}"));
    site.install("caller", &plugin("caller"));
    site
}

/// An event that asks for these steps.
fn steps(steps: &str) -> String {
    body("ask", &format!(r#","do":[{steps}]"#))
}

/// Operations on state as one step.
fn kv(operations: &str) -> String {
    format!(r#"{{"kv":[{operations}]}}"#)
}

/// What a plugin said while it took these steps, and how its call ended.
fn ask(server: &Server, name: &str, asked: &str) -> (String, Vec<String>) {
    let event = server.post(steps(asked)).event();
    let done = server.wait_done(&event, name);
    (text(&done, "message").to_owned(), server.said(&event, name))
}

/// The same where the call must end well.
fn said(server: &Server, asked: &str) -> Vec<String> {
    let (how, said) = ask(server, "caller", asked);
    assert_eq!(how, "handled", "{said:?}");
    said
}

fn says(lines: &[String], start: &str) -> bool {
    lines.iter().any(|line| line.starts_with(start))
}

#[test]
fn a_call_reads_what_it_wrote_and_the_next_what_was_kept() {
    let site = site("");
    let server = site.serve();
    let lines = said(
        &server,
        &kv(r#"{"op":"get","key":"a"}, {"op":"set","key":"a","value":"1"}, {"op":"get","key":"a"},
            {"op":"exists","key":"a"}, {"op":"increment","key":"n","delta":2},
            {"op":"increment","key":"n"}, {"op":"set_many","pairs":[["b","2"],["c","3"]]},
            {"op":"get_many","keys":["b","none","c"]}, {"op":"delete_many","keys":["b","none"]},
            {"op":"keys"}, {"op":"increment","key":"a"}, {"op":"set","key":"w","value":"word"},
            {"op":"increment","key":"w"}"#),
    );
    assert_eq!(
        lines,
        [
            "kv get none",
            "kv set ok",
            "kv get value=1",
            "kv exists true",
            "kv increment 2",
            "kv increment 3",
            "kv set_many ok",
            "kv get_many b=2,none,c=3",
            "kv delete_many ok",
            "kv keys pages=1 count=3 a,c,n",
            "kv increment 2",
            "kv set ok",
            r#"kv increment error=Error::Other("the value of \"w\" is no number that can be counted up")"#,
        ]
    );
    let look =
        kv(r#"{"op":"get_many","keys":["a","b","c","n","w"]}, {"op":"open","name":"default"},
        {"op":"keys"}, {"op":"open","name":"another"}"#);
    let kept = [
        "kv get_many a=2,none,c=3,n=3,w=word",
        "kv open ok",
        "kv keys pages=1 count=4 a,c,n,w",
        "kv open error=Error::NoSuchStore",
    ];
    assert_eq!(said(&server, &look), kept);
    // It is there after an orderly end, and after none. Those who read state do
    // not keep the end from tidying up.
    server.end();
    assert!(!site.path("data/journal.sqlite-wal").exists());
    let server = site.serve();
    assert_eq!(said(&server, &look), kept);
    said(&server, &kv(r#"{"op":"set","key":"a","value":"3"}"#));
    // The next call comes after the commit of the one before.
    assert_eq!(said(&server, &kv(r#"{"op":"get","key":"a"}"#)), ["kv get value=3"]);
    server.signal(Signal::KILL);
    server.wait_ended();
    let server = site.serve();
    assert_eq!(said(&server, &kv(r#"{"op":"get","key":"a"}"#)), ["kv get value=3"]);
}

#[test]
fn plugins_have_each_their_own_and_without_the_grant_none() {
    let site = site("[plugin.other]\nkeyvalue = true\n[plugin.poor]\n");
    for name in ["other", "poor"] {
        site.install(name, &plugin("caller"));
    }
    let server = site.serve();
    // All three get each event; each says what it sees.
    let event = server.post(steps(&kv(r#"{"op":"increment","key":"n"}"#))).event();
    for (name, expected) in [
        ("caller", "kv increment 1"),
        ("other", "kv increment 1"),
        ("poor", "kv increment error=Error::AccessDenied"),
    ] {
        assert_eq!(text(&server.wait_done(&event, name), "message"), "handled");
        assert_eq!(server.said(&event, name), [expected], "{name}");
    }
    server.end();
}

#[test]
fn a_call_that_does_not_end_well_leaves_no_trace() {
    let site = site("cpu_ms = 50\nattempts_max = 1\nbreaker_failures = 0");
    let server = site.serve();
    said(&server, &kv(r#"{"op":"set","key":"kept","value":"1"}"#));
    for end in ["trap", "panic:now", "spin", "retry", "retry_after:1", "reject"] {
        let trouble = kv(
            r#"{"op":"set","key":"lost","value":"x"}, {"op":"set","key":"kept","value":"x"},
               {"op":"increment","key":"n"}, {"op":"delete","key":"kept"}, {"op":"get","key":"n"}"#,
        );
        let (how, lines) = ask(&server, "caller", &format!(r#"{trouble}, {{"end":"{end}"}}"#));
        assert_eq!(how, "failed", "{end}");
        assert!(says(&lines, "kv get value=1"), "{end}: {lines:?}");
        let kept = said(&server, &kv(r#"{"op":"get_many","keys":["kept","lost","n"]}"#));
        assert_eq!(kept, ["kv get_many kept=1,none,none"], "{end}");
    }
    server.end();
}

#[test]
fn each_limit_says_what_it_is_and_how_to_change_it() {
    let site = site("keyvalue_bytes_max = 1000\nkeyvalue_value_bytes_max = 500");
    let server = site.serve();
    let value = "the value of \"a\" has 501 bytes: plugin.caller.keyvalue_value_bytes_max is 500";
    let key = format!("a key has 1 to 1024 bytes; \"{}\"… has 1025", "x".repeat(80));
    // The first ten take 2 + 10 + 64 bytes each, the others one more.
    let full =
        "with \"k13\" the plugin would keep 1068 bytes: plugin.caller.keyvalue_bytes_max is 1000";
    for (asked, message) in [
        (kv(r#"{"op":"set","key":"a","value_bytes":501}"#), value.to_owned()),
        (kv(r#"{"op":"set","key_bytes":1025,"value":"1"}"#), key),
        (
            kv(r#"{"op":"set","key":"","value":"1"}"#),
            "a key has 1 to 1024 bytes; \"\" has 0".to_owned(),
        ),
        (r#"{"fill":{"keys":20,"value_bytes":10,"prefix":"k"}}"#.to_owned(), full.to_owned()),
    ] {
        let event = server.post(steps(&asked)).event();
        assert_eq!(text(&server.wait_done(&event, "caller"), "message"), "handled");
        let warned =
            server.wait(|line| text(line, "event") == event && text(line, "context") == "keyvalue");
        assert_eq!((text(&warned, "level"), text(&warned, "message")), ("WARN", &*message));
        let said = server.said(&event, "caller").join("\n");
        assert!(said.contains(&format!("{message:?}")), "{said}");
        // It is in the record of the attempt too.
        site.wait_listed(&["events", "list", "--state", "running"], 0);
        let shown = site.done(&["events", "show", &event, "--json", "--reveal"]);
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        let log = text(&shown["attempts"][0], "log");
        assert!(log.contains(&format!("WARN keyvalue: {message}")), "{log}");
    }
    server.end();
}

#[test]
fn many_keys_are_listed_in_pages_whole_and_once() {
    let site = site("deadline_ms = 20000\ncpu_ms = 10000");
    let server = site.serve();
    let lines = said(&server, r#"{"fill":{"keys":2500,"value_bytes":1,"prefix":"k"}}"#);
    assert_eq!(lines, ["fill done keys=2500"]);
    let lines = said(&server, &kv(r#"{"op":"delete","key":"k1"}, {"op":"keys"}"#));
    assert!(lines[1].starts_with("kv keys pages=3 count=2499 k0,k10,k100,k1000,"), "{lines:?}");
    server.end();
}

#[test]
fn calls_of_a_plugin_with_state_see_each_others_changes_one_after_another() {
    const EVENTS: usize = 40;
    let site = site(
        "concurrency = 16\n[plugin.parallel]\nkeyvalue = true\nkeyvalue_parallel = true\nconcurrency = 16",
    );
    site.install("parallel", &plugin("caller"));
    let server = site.serve();
    // Each reads what the one before it left. Were there two at once, both would
    // read the same.
    let number = AtomicUsize::new(1);
    let events: Vec<String> = std::thread::scope(|scope| {
        let post = || {
            let mut events = Vec::new();
            loop {
                let n = number.fetch_add(1, Ordering::Relaxed);
                if n > EVENTS {
                    return events;
                }
                let read = kv(r#"{"op":"get","key":"last"}, {"op":"increment","key":"all"}"#);
                let write = kv(&format!(r#"{{"op":"set","key":"last","value":"{n}"}}"#));
                let between = r#"{"fill":{"keys":30,"value_bytes":1}}"#;
                events.push(server.post(steps(&format!("{read},{between},{write}"))).event());
            }
        };
        let posting: Vec<_> = (0..8).map(|_| scope.spawn(post)).collect();
        posting.into_iter().flat_map(|thread| thread.join().expect("a sender")).collect()
    });
    let mut seen = BTreeSet::new();
    for event in &events {
        for name in ["caller", "parallel"] {
            assert_eq!(text(&server.wait_done(event, name), "message"), "handled");
        }
        let read = server.said(event, "caller").remove(0);
        assert!(seen.insert(read.clone()), "two calls read {read:?}");
    }
    assert_eq!(seen.len(), EVENTS);
    server.end();
    // Those at once do not see each other; what they count up is all counted.
    for name in ["caller", "parallel"] {
        assert_eq!(site.done(&["kv", "get", name, "all"]), format!("{EVENTS}\n"), "{name}");
    }
}
