//! What an operator grants, and what a plugin gets of it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::time::Instant;

use hookbox_tests::{PATIENCE, SOURCE, Server, Site, body, plugin, text};
use serde_json::{Value, json};

/// A value that no output may hold.
const HUSH: &str = "hush-7f3a\"quoted";

const GRANTED: &str = "[plugin.wanting]\n\
    http = [{ origin = \"https://example.com\" }]\n\
    keyvalue = true\n";

/// An event that tells the guest `caller` what to do.
fn steps(steps: Value) -> String {
    body("steps", &format!(",\"do\":{steps}"))
}

/// What `caller` printed when told so.
fn told(server: &Server, todo: Value) -> Vec<String> {
    let event = server.post(steps(todo)).event();
    let done = server.wait_done(&event, "caller");
    assert_eq!(text(&done, "message"), "handled", "{done}");
    server.said(&event, "caller")
}

#[test]
fn what_is_not_granted_is_refused_with_the_lines_that_grant_it() {
    let site = Site::new("[plugin.wanting]\nhttp = [{ origin = \"http://other.example\" }]\n");
    site.install("wanting", &plugin("wanting"));
    let server = site.serve();
    let refused = server.wait(|line| text(line, "code") == "want-not-granted");
    assert_eq!(
        text(&refused, "error"),
        "it wants outgoing HTTP to https://example.com, key-value state, which plugin.wanting does \
         not grant; `hookbox check` shows the lines to add"
    );
    assert_eq!(
        text(&refused, "fix"),
        "[plugin.wanting]\nhttp = [{ origin = \"http://other.example\" }, { origin = \
         \"https://example.com\" }]\nkeyvalue = true"
    );

    // The lines are what is needed: with them the plugin goes live, without a restart.
    site.configure(SOURCE, text(&refused, "fix"));
    server.wait(|line| text(line, "message") == "plugin is live");
    let event = server.post(body("x", "")).event();
    assert_eq!(text(&server.wait_done(&event, "wanting"), "message"), "handled");
}

#[test]
fn a_file_that_wants_more_is_refused_and_the_old_code_goes_on() {
    let site = Site::new("");
    site.install("wanting", &plugin("probe"));
    let server = site.serve();
    site.install("wanting", &plugin("wanting"));
    let refused = server.wait(|line| text(line, "code") == "want-not-granted");
    assert!(text(&refused, "message").ends_with("the code that was live goes on"), "{refused}");
    let event = server.post(body("x", "")).event();
    server.wait_done(&event, "wanting");
    assert!(server.said(&event, "wanting")[0].starts_with("probe-build"));
}

#[test]
fn a_plugin_whose_grant_is_taken_back_gets_no_calls_until_it_is_back() {
    let site = Site::new(GRANTED);
    site.install("wanting", &plugin("wanting"));
    let server = site.serve();
    let event = server.post(body("first", "")).event();
    server.wait_done(&event, "wanting");

    site.configure(SOURCE, "[plugin.wanting]\nkeyvalue = true\n");
    let lost = server.wait(|line| text(line, "message").starts_with("a grant was taken back"));
    assert!(text(&lost, "error").contains("https://example.com"), "{lost}");
    let waits = server.post(body("second", "")).event();
    let deadline = Instant::now() + PATIENCE;
    while site.shown(&waits)["summary"]["deliveries"][0]["state"] != "parked" {
        assert!(Instant::now() < deadline, "{}", site.shown(&waits));
    }

    site.configure(SOURCE, GRANTED);
    server.wait(|line| text(line, "message").starts_with("its grants are back"));
    assert_eq!(text(&server.wait_done(&waits, "wanting"), "message"), "handled");
}

#[test]
fn nothing_can_be_granted_to_every_file_at_once() {
    for grant in [
        "http = [{ origin = \"https://example.com\" }]",
        "keyvalue = true",
        "config = { a = 1 }",
        "secrets = [{ name = \"a\", value = \"hush-hush\" }]",
    ] {
        let site = Site::new(&format!("[plugin_defaults]\n{grant}\n"));
        let key = grant.split(' ').next().expect("a key");
        let (status, output) = site.run(&["config", "check"]);
        assert_eq!(status, 1, "{output}");
        let says = format!("plugin_defaults.{key}: would be granted to any file");
        assert!(output.contains(&says), "{output}");
    }
}

#[test]
fn a_grant_with_a_mistake_is_refused_with_what_is_wrong() {
    for (grant, says) in [
        ("http = [{ origin = \"ftp://example.com\" }]", "its scheme is not http or https"),
        ("http = [{ origin = \"https://example.com/t0ken\" }]", "it has a path"),
        ("http = [{ origin = \"https://*.example.com\" }]", "name each host"),
        ("http = [{ origin = \"https://me:p4ss@a.example\" }]", "a user name or password"),
        (
            "http = [{ origin = \"https://a.example\" }, { origin = \"https://A.example:443\" }]",
            "is there twice",
        ),
        ("http = [{ origin = \"https://a.example\", methods = [\"post\"] }]", "in capitals"),
        ("http = [{ origin = \"https://a.example\", addresses = [\"10.0\"] }]", "no network"),
        ("http = [{ orgin = \"https://a.example\" }]", "did you mean `origin`?"),
        ("secrets = [{ name = \"a\", env = \"NOT_SET_ANYWHERE\" }]", "is not set"),
        ("secrets = [{ name = \"a\", value = \"hush\" }]", "make it longer"),
        ("secrets = [{ name = \"a\", file = \"nowhere\" }]", "nowhere"),
        (
            "config = { a = 1 }\nsecrets = [{ name = \"a\", value = \"hush-hush\" }]",
            "another setting or secret of this name",
        ),
    ] {
        let site = Site::new(&format!("[plugin.caller]\n{grant}\n"));
        let (status, output) = site.run(&["config", "check"]);
        assert_eq!(status, 1, "{grant}: {output}");
        assert!(!output.contains("t0ken") && !output.contains("p4ss"), "{output}");
        assert!(output.contains(says), "{grant}: {output}");
        assert!(!output.contains("hush"), "{output}");
    }
}

#[test]
fn a_plugin_reads_its_own_settings_and_no_others() {
    let site = Site::new(
        "[plugin.caller]\nconfig = { channel = \"ops\", limit = 5, on = true }\n\
         secrets = [{ name = \"token\", env = \"TOKEN\" }, { name = \"key\", file = \"key.txt\" }]\n\
         [plugin.other]\nconfig = { theirs = \"x\" }\n",
    );
    std::fs::write(site.path("key.txt"), "from-a-file\n").expect("a file");
    site.install("caller", &plugin("caller"));
    site.install("other", &plugin("caller"));
    let server = site.serve_with(&[("TOKEN", "hush-hush-hush")]);
    let keys = json!([{"config": ["channel", "limit", "on", "token", "key", "theirs"]}]);
    assert_eq!(
        told(&server, keys),
        [
            "config channel=ops",
            "config limit=5",
            "config on=true",
            "config token=[secret token]",
            "config key=[secret key]",
            "config theirs missing"
        ]
    );

    // New values reach the next event, without a restart.
    std::fs::write(site.path("key.txt"), "another-one\n").expect("a file");
    server.wait(|line| text(line, "message") == "settings of plugins are in force");
    assert_eq!(told(&server, json!([{"config": ["key"]}])), ["config key=[secret key]"]);
    assert!(!server.raw_log().contains("another-one"));
}

#[test]
fn no_secret_of_a_plugin_is_in_any_output_or_file() {
    let site = Site::new(
        "[plugin_defaults]\nattempts_max = 1\n\
         [plugin.caller]\nsecrets = [{ name = \"token\", env = \"TOKEN\" }]\n",
    );
    site.install("caller", &plugin("caller"));
    let server = site.serve_with(&[("TOKEN", HUSH), ("HOOKBOX_LOG__LEVEL", "trace")]);
    // Across the place where a long line is broken.
    let long = format!("{}${{token}}", "x".repeat(8 * 1024 + 5));
    let printed = told(
        &server,
        json!([
            {"config_all": true}, {"print": "a ${token} b"}, {"print": long},
            {"eprint": "e ${token}"}, {"log": "l ${token}"},
            {"log": {"level": "warn", "context": "c", "text": "${token}${token}"}},
        ]),
    );
    assert_eq!(printed[..2], ["config_all token=[secret token]", "a [secret token] b"]);
    assert!(printed[2].starts_with("xxx"), "{printed:?}");
    assert!(printed[3].ends_with("[secret token]"), "{printed:?}");
    assert_eq!(printed[4], "e [secret token]");
    for (end, shown) in [
        ("panic:p ${token}", "trap"),
        ("reject:r ${token}", "rejected"),
        ("retry:t ${token}", "retry"),
    ] {
        let event = server.post(steps(json!([{ "end": end }]))).event();
        let done = server.wait_done(&event, "caller");
        assert_eq!(text(&done, "failure"), shown);
        if shown != "trap" {
            assert!(text(&done, "error").ends_with("[secret token]"), "{done}");
        }
        site.shown(&event);
    }
    let log = server.end();
    assert!(log.contains("[secret token][secret token]"));
    assert!(!log.contains(HUSH) && !log.contains("hush-7f3a"), "{log}");
    let all = files_below(&site.path("data"));
    assert!(all.len() > 1, "{all:?}");
    for (file, bytes) in all {
        assert!(!contains(&bytes, b"hush-7f3a"), "{file}");
    }
}

#[test]
fn a_flood_of_lines_over_many_calls_is_cut_and_counted() {
    let site = Site::new("[plugin.caller]\nlog_lines_per_s_max = 5\n");
    site.install("caller", &plugin("caller"));
    let server = site.serve();
    let lines: Vec<Value> = (0..20).map(|n| json!({ "print": format!("line {n}") })).collect();
    let event = server.post(steps(json!(lines))).event();
    server.wait_done(&event, "caller");
    let met = server.wait(|line| text(line, "message").starts_with("log rate met"));
    assert!(text(&met, "message").contains("plugin.caller.log_lines_per_s_max is 5"), "{met}");
    assert_eq!(server.said(&event, "caller").len(), 5);
    // All of them are with the attempt.
    site.wait_listed(&["events", "list"], 1);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = site.shown(&event);
        let log = shown["attempts"][0]["log"].as_str().unwrap_or_default().to_owned();
        if log.lines().count() == 20 {
            break;
        }
        assert!(Instant::now() < deadline, "{shown}");
    }
    // The next second tells how many there were.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let event = server.post(steps(json!([{ "print": "again" }]))).event();
        server.wait_done(&event, "caller");
        let told = server.lines(|line| text(line, "message").starts_with("lines that were not"));
        if let [told] = told.as_slice() {
            assert!(told["lines"].as_u64().expect("a number") >= 15, "{told}");
            break;
        }
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn check_says_what_the_server_says() {
    let wat = |text: &str| wat::parse_str(text).expect("WebAssembly text");
    let site = Site::new("[plugin.good]\nconfig = { a = 1 }\n");
    let server = site.serve();
    let cases = [
        ("text", b"#!/bin/sh\n".to_vec()),
        ("core", wat("(module)")),
        ("nothing", wat("(component)")),
        ("outlandish", plugin("outlandish")),
        ("wanting", plugin("wanting")),
        ("cut", plugin("probe")[..1000].to_vec()),
    ];
    for (name, bytes) in &cases {
        site.install(name, bytes);
        let refused = server.wait(|l| text(l, "plugin") == *name && !text(l, "code").is_empty());
        let file = site.plugin_file(name);
        let file = file.to_str().expect("a path");
        let (status, output) = site.run(&["check", file, "--json"]);
        assert_eq!(status, 5, "{output}");
        let verdict: Value = serde_json::from_str(&output).expect(&output);
        assert_eq!(verdict["code"], refused["code"]);
        assert_eq!(verdict["message"], refused["error"]);
        let lines: Vec<&str> =
            verdict["fix"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
        assert_eq!(lines.join("\n"), text(&refused, "fix"));
        let (status, output) = site.run(&["check", file]);
        assert_eq!(status, 5);
        assert!(output.contains(&format!("{}: ", text(&refused, "code"))), "{output}");
    }

    let good = site.path("good.wasm");
    hookbox_tests::put(&good, &plugin("view-counter"));
    let good = good.to_str().expect("a path");
    let (status, output) = site.run(&["check", good]);
    assert_eq!(status, 5, "{output}");
    assert!(output.contains("    [plugin.good]\n    keyvalue = true\n"), "{output}");
    site.configure(SOURCE, "[plugin.good]\nkeyvalue = true\n");
    let output = site.done(&["check", good]);
    for part in ["good\n", "view-counter", "hookbox:targetvideo@0.1.0", "wasi:keyvalue/atomics"] {
        assert!(output.contains(part), "{part}: {output}");
    }
}

#[test]
fn no_line_of_a_secret_of_several_lines_is_printed() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADAN+/g=\nkqhkiG9w0BAQEF\n-----END KEY-----";
    let long = "q".repeat(6_000);
    let site = Site::new(
        "[plugin.caller]\nsecrets = [{ name = \"key\", file = \"key.pem\" }, \
         { name = \"long\", file = \"long.txt\" }]\n",
    );
    std::fs::write(site.path("key.pem"), key).expect("a file");
    std::fs::write(site.path("long.txt"), &long).expect("a file");
    site.install("caller", &plugin("caller"));
    let server = site.serve();
    let across = format!("{}${{long}}", "x".repeat(4_000));
    let printed = told(&server, json!([{ "print": "k ${key}" }, { "print": across }]));
    assert_eq!(printed[0], "k [secret key]");
    assert_eq!(printed[1..4], ["[secret key]", "[secret key]", "[secret key]"]);
    assert!(printed[4..].concat().ends_with("x[secret long]"), "{printed:?}");
    let log = server.end();
    for part in ["MIIEvQ", "kqhkiG", "BEGIN", "qqqqqqqq"] {
        assert!(!log.contains(part), "{part}");
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files_below(&path));
        } else if path.is_file() {
            all.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
        }
    }
    all
}
