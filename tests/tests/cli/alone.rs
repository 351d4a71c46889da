//! What needs no server.

use std::collections::BTreeSet;
use std::fs;

use hookbox_tests::{Site, text};
use serde_json::{Value, json};

use super::{bare, probed};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn shells_get_their_completions() {
    for (shell, part) in
        [("bash", "_hookbox()"), ("zsh", "#compdef hookbox"), ("fish", "-c hookbox")]
    {
        let (status, script) = bare(&["completions", shell]);
        assert_eq!(status, 0, "{script}");
        assert!(script.contains(part) && script.contains("redrive"), "{shell}: {script}");
    }
    assert_eq!(bare(&["completions", "sh"]).0, 2);
}

#[test]
fn each_command_has_a_manual_page() {
    let folder = Site::new("");
    let pages = folder.path("man");
    let (status, output) = bare(&["man", pages.to_str().expect("a path")]);
    assert_eq!((status, output.as_str()), (0, ""));
    let entries = fs::read_dir(&pages).expect("the pages");
    let found: BTreeSet<String> = entries
        .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
        .collect();
    for page in ["hookbox.1", "hookbox-events-list.1", "hookbox-send.1", "hookbox-plugins-pause.1"]
    {
        assert!(found.contains(page), "{page} is not in {found:?}");
    }
    assert!(found.iter().all(|page| !page.contains("compile")), "{found:?}");
    let (status, page) = bare(&["man"]);
    assert_eq!(status, 0);
    assert!(page.contains(".TH hookbox 1") && page.contains("Exit status"), "{page}");
}

#[test]
fn a_good_configuration_is_shown_as_json() {
    let site = Site::new("");
    let good = json(&site.done(&["config", "check", "--json"]));
    let expected = json!([{"name": "main", "path": "/hooks/main", "secrets": ["test"]}]);
    assert_eq!(good["sources"], expected);
    assert_eq!(good["listen"], "127.0.0.1:0");
    assert!(!good.to_string().contains(hookbox_tests::SECRET));
}

#[test]
fn what_needs_a_server_says_that_there_is_none() {
    let site = Site::new("");
    for arguments in [&["status"][..], &["tail"], &["log-level"], &["send", "add_video"]] {
        let (status, output) = site.run(arguments);
        assert_eq!(status, 3, "{arguments:?}: {output}");
        assert!(output.contains("no server answers"), "{arguments:?}: {output}");
    }
    let (status, output) = site.run(&["status", "--json"]);
    assert_eq!((status, json(&output)), (3, json!({"running": false, "journal_bytes": null})));
}

#[test]
fn what_changes_something_says_how_much_as_json() {
    let (site, server) = probed();
    let send = |probe: &str| {
        let set = format!("/probe={probe}");
        let url = server.url().to_owned();
        let (_, output) =
            site.run(&["send", "sd_encoded", "--url", &url, "--set", &set, "--wait", "--json"]);
        text(&json(&output), "id").to_owned()
    };
    let (first, second) = (send("reject"), send("reject"));
    assert_ne!(first, second, "each is an event of its own");
    let dead = site.wait_listed(&["dead", "list"], 2);
    let letter = text(&dead[0], "delivery");
    let count = |arguments: &[&str]| {
        let output = site.done(&[arguments, &["--json"]].concat());
        json(&output)
    };
    assert_eq!(count(&["dead", "discard", letter]), json!({"count": 1}));
    assert_eq!(count(&["dead", "redrive", "--all", "--dry-run"]), json!({"count": 1}));
    assert_eq!(count(&["dead", "redrive", "--all"]), json!({"count": 1}));
    assert_eq!(count(&["events", "replay", &first, "--to", "probe"]), json!({"count": 1}));
    assert_eq!(count(&["kv", "set", "probe", "a", "b"]), json!({"count": 1}));
    assert_eq!(count(&["kv", "get", "probe", "a"]), json!({"key": "a", "value": "b"}));
    assert_eq!(count(&["kv", "delete", "probe", "a"]), json!({"count": 1}));
    let export = site.path("export");
    fs::write(&export, "{\"key\":\"x\",\"value\":\"1\"}\n").expect("an export");
    let import = ["kv", "import", "probe", export.to_str().expect("a path")];
    assert_eq!(count(&import), json!({"count": 1}));
    fs::remove_file(site.plugin_file("probe")).expect("deleting the file");
    server.wait(|line| text(line, "message").starts_with("plugin is gone"));
    let forgotten = count(&["plugins", "forget", "probe", "--dry-run"]);
    assert!(forgotten["count"].is_u64(), "{forgotten}");
}

#[test]
fn without_a_server_plugins_are_shown_as_the_journal_knows_them() {
    let (site, server) = probed();
    server.end();
    let known = site.listed(&["plugins", "list"]);
    assert_eq!(known.len(), 1);
    assert_eq!((text(&known[0], "name"), &known[0]["owed"]), ("probe", &json!(0)));
    let shown = site.done(&["plugins", "show", "probe"]);
    assert!(shown.contains("probe") && shown.contains("stopped"), "{shown}");
    assert_eq!(site.run(&["plugins", "show", "nobody"]).0, 4);
    assert_eq!(known[0]["paused_at_ms"], Value::Null);
    site.done(&["plugins", "pause", "probe"]);
    assert!(site.listed(&["plugins", "list"])[0]["paused_at_ms"].is_u64());
    let shown = site.done(&["plugins", "list"]);
    assert!(shown.contains("paused") && !shown.contains("stopped"), "{shown}");
}

#[test]
fn colours_are_for_terminals_unless_they_are_asked_for() {
    let (site, server) = probed();
    server.post(hookbox_tests::sample("add_video"));
    server.end();
    let run = |name: &str, value: &str| {
        let mut command = site.command(&["events", "list"]);
        let output = command.env(name, value).output().expect("running the program");
        String::from_utf8(output.stdout).expect("text")
    };
    assert!(!run("NO_COLOR", "1").contains('\u{1b}'));
    assert!(run("CLICOLOR_FORCE", "1").contains('\u{1b}'));
}
