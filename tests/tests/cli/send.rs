//! `hookbox send`

use std::fs;

use hookbox_tests::{Site, body, sample, text};
use serde_json::{Value, json};

use super::probed;

#[test]
fn each_sample_is_listed_and_accepted() {
    let (site, server) = probed();
    let names = site.done(&["send", "--list"]);
    assert_eq!(names.lines().count(), 17);
    for name in names.lines() {
        let id = site.done(&["send", name, "--url", server.url()]);
        let shown = site.shown(id.trim());
        assert_eq!(text(&shown["summary"], "name"), name);
    }
    assert_eq!(site.listed(&["send", "--list"]).len(), 17);
}

#[test]
fn what_became_of_it_is_printed_and_is_the_exit_status() {
    let (site, server) = probed();
    let send = |probe: &str| {
        let set = format!("/probe={probe}");
        site.run(&["send", "add_video", "--url", server.url(), "--wait", "--set", &set])
    };
    let (status, output) = send("well");
    assert_eq!(status, 0, "{output}");
    assert!(output.contains("  probe: succeeded after 1 attempt\n"), "{output}");
    let (status, output) = send("reject");
    assert_eq!(status, 1, "{output}");
    assert!(output.contains("  probe: dead after 1 attempt (rejected)\n"), "{output}");
}

#[test]
fn nothing_is_sent_that_could_not_be_waited_for() {
    let (site, server) = probed();
    let elsewhere = Site::new("");
    let url = server.url();
    let (status, output) = elsewhere.run(&["send", "add_video", "--url", url, "--wait"]);
    assert_eq!(status, 3, "{output}");
    assert!(output.contains("no server answers"), "{output}");
    assert!(site.listed(&["events", "list"]).is_empty());
    assert!(!elsewhere.path("data/journal.sqlite").exists());
}

#[test]
fn json_that_is_printed_moves_no_cursor() {
    let (site, server) = probed();
    let id = server.post(body("sd_encoded", ",\"title\":\"a\u{9b}2J\u{202e}b\"")).event();
    let shown = site.done(&["events", "show", &id, "--json"]);
    assert!(shown.contains("a\\u009b2J\\u202eb"), "{shown}");
    assert!(!shown.contains(['\u{9b}', '\u{202e}']), "{shown}");
    assert!(site.shown(&id)["document"].as_str().expect("text").contains("a\u{9b}2J\u{202e}b"));
}

#[test]
fn nobody_need_get_it() {
    let site = Site::new("");
    let server = site.serve();
    let (status, output) = site.run(&["send", "add_video", "--url", server.url(), "--wait"]);
    assert_eq!(status, 0, "{output}");
    assert!(output.contains("no plugin gets it"), "{output}");
}

#[test]
fn a_file_goes_as_it_is_and_its_repetition_is_a_duplicate() {
    let site = Site::new("");
    let server = site.serve();
    let file = site.path("captured.json");
    let body = r#"{ "event":"new_event", "n": 1e400, "secret":"another", "timestamp": 7 }"#;
    fs::write(&file, body).expect("a file");
    let file = file.to_str().expect("a path");
    let send = |more: &[&str]| {
        let arguments = ["send", file, "--url", server.url(), "--json"];
        let output = site.done(&[&arguments[..], more].concat());
        serde_json::from_str::<Value>(&output).expect("JSON")
    };
    let first = send(&["--as-is"]);
    assert_eq!(first["duplicate"], false);
    let shown = site.shown(text(&first, "id"));
    assert_eq!(shown["document"], r#"{ "event":"new_event", "n": 1e400, "timestamp": 7 }"#);
    assert_eq!(send(&["--as-is"]), json!({"id": first["id"], "duplicate": true}));
    assert_eq!(send(&[])["duplicate"], false);
}

#[test]
fn what_is_refused_says_why() {
    let (site, server) = probed();
    let wrong = Site::with_sources(
        "[[source]]\nname = \"main\"\nsecrets = [{ name = \"a\", value = \"not_the_secret\" }]\n",
        "",
    );
    let (status, output) = wrong.run(&["send", "add_video", "--url", server.url()]);
    assert_eq!(status, 5, "{output}");
    assert!(output.contains("refused (secret-refused)"), "{output}");
    let cases: [(&[&str], i32, &str); 4] = [
        (&["send", "no_sample"], 1, "neither a sample"),
        (&["send", "add_video", "--source", "other"], 1, "there are main"),
        (&["send", "add_video", "--secret", "other"], 1, "there are test"),
        (&["send", "add_video", "--set", "name=x"], 2, "write it as"),
    ];
    for (arguments, status, expected) in cases {
        let (found, output) = site.run(&[arguments, &["--url", server.url()]].concat());
        assert_eq!(found, status, "{arguments:?}: {output}");
        assert!(output.contains(expected), "{arguments:?}: {output}");
    }
    let url = server.url().to_owned();
    server.end();
    let (status, output) = site.run(&["send", "add_video", "--url", &url]);
    assert_eq!(status, 3, "{output}");
}

#[test]
fn keys_and_addresses_are_hidden_in_what_is_shown() {
    let (site, server) = probed();
    let id = server.post(sample("livestream_add_v2")).event();
    server.wait_done(&id, "probe");
    for arguments in [&["events", "show", &id][..], &["events", "show", &id, "--json"]] {
        let shown = site.done(arguments);
        assert!(shown.contains("[hidden]") && shown.contains("Harbour camera"), "{shown}");
        assert!(!shown.contains("sk-example-only") && !shown.contains("rtmp:"), "{shown}");
    }
    let shown = site.shown(&id);
    assert_eq!(shown["masked"], 2);
    assert_eq!(shown["typed"]["payload"]["kind"], "livestream-add-v2");
}
