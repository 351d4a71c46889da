//! What operators see and change, with the server running and without it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use hookbox_tests::{Server, Site, probe, sample, text};
use serde_json::Value;

/// A body that the plugin `probe` handles as it is asked to, unlike each other
/// by its number.
fn asking(probe: &str, number: usize) -> String {
    let members = format!(r#"{{"probe":"{probe}","number":{number},"#);
    sample("sd_encoded").replacen('{', &members, 1)
}

/// What a command prints, and its exit status.
fn run(site: &Site, arguments: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } =
        site.command(arguments).output().expect("running the program");
    let text = [stdout, stderr].concat();
    (status.code().expect("a status"), String::from_utf8(text).expect("text"))
}

fn done(site: &Site, arguments: &[&str]) -> String {
    let (status, output) = run(site, arguments);
    assert_eq!(status, 0, "{arguments:?}: {output}");
    output
}

/// The lines of a list as JSON.
fn listed(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let output = done(site, &[arguments, &["--json"]].concat());
    output.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn ids(items: &[Value], member: &str) -> Vec<String> {
    items.iter().map(|item| text(item, member).to_owned()).collect()
}

/// Waits until a plugin's calls so far have left what a list should say.
fn wait_listed(site: &Site, arguments: &[&str], count: usize) -> Vec<Value> {
    let deadline = std::time::Instant::now() + hookbox_tests::PATIENCE;
    loop {
        let items = listed(site, arguments);
        if items.len() == count {
            return items;
        }
        assert!(std::time::Instant::now() < deadline, "{arguments:?}: {items:?}");
    }
}

/// A server with the plugin `probe`, and events that it has handled.
fn handled(count: usize) -> (Site, Server, Vec<String>) {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve();
    let events: Vec<String> =
        (0..count).map(|number| server.post(asking("well", number)).event()).collect();
    wait_listed(&site, &["events", "list", "--state", "succeeded"], count);
    (site, server, events)
}

#[test]
fn events_are_seen_alike_with_and_without_a_server() {
    let (site, server, mut events) = handled(3);
    events.reverse();
    let look = || {
        let list = listed(&site, &["events", "list"]);
        let some = listed(&site, &["events", "list", "--plugin", "probe", "--limit", "2"]);
        let none = listed(&site, &["events", "list", "--until", "1h"]);
        let table = done(&site, &["events", "list", "--since", "1h"]);
        let show = done(&site, &["events", "show", &events[0]]);
        let json = done(&site, &["events", "show", &events[0], "--json"]);
        (list, some, none, table, show, json)
    };
    let running = look();
    server.end();
    assert_eq!(running, look());
    let (list, some, none, table, show, json) = running;
    assert_eq!(ids(&list, "id"), events);
    assert_eq!(ids(&some, "id"), events[..2]);
    assert_eq!(none, [Value::Null; 0]);
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert!(table.contains("1 succeeded"), "{table}");
    assert!(show.contains("probe #1: handled") && show.contains("| probe-build-000001"), "{show}");
    assert!(!show.contains("your_secret_key"), "{show}");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["summary"]["deliveries"][0]["state"], "succeeded");
    assert_eq!(json["attempts"][0]["became"], "succeeded");
}

#[test]
fn events_that_nobody_wanted_are_replayed_once_to_a_plugin_that_comes_later() {
    let site = Site::new("");
    let server = site.serve();
    let event = server.post(asking("well", 1)).event();
    assert_eq!(listed(&site, &["events", "list", "--state", "unrouted"]).len(), 1);
    let replay = ["events", "replay", "--state", "unrouted", "--to", "probe"];
    let (status, output) = run(&site, &replay);
    assert_eq!(status, 4, "{output}");
    assert!(output.contains("there is no plugin \"probe\""), "{output}");

    site.install("probe", &probe(1));
    server.wait_live("probe", &probe(1));
    let dry = done(&site, &[&replay[..], &["--dry-run"]].concat());
    assert_eq!(dry, "Would replay 1 event to probe.\n");
    assert_eq!(done(&site, &replay), "Replayed 1 event to probe.\n");
    server.wait_done(&event, "probe");
    assert_eq!(done(&site, &replay), "Replayed 0 events to probe.\n");
    let shown = wait_listed(&site, &["events", "list", "--state", "succeeded"], 1);
    assert_eq!(shown[0]["deliveries"][0]["replay"], true);
}

#[test]
fn what_is_replayed_while_the_server_is_stopped_is_handed_over_when_it_starts() {
    let (site, server, events) = handled(2);
    server.end();
    let mut replay = site
        .command(&["events", "replay", "-", "--to", "probe"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("running the program");
    let input = format!("{}\n{}\n{}\n", events[0], events[1], events[0].to_uppercase());
    replay.stdin.take().expect("input").write_all(input.as_bytes()).expect("writing");
    let output = replay.wait_with_output().expect("an end");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Replayed 2 events to probe.\n");
    assert_eq!(listed(&site, &["events", "list", "--state", "waiting"]).len(), 1);
    assert_eq!(listed(&site, &["events", "list", "--state", "blocked"]).len(), 1);
    let noted = listed(&site, &["changes", "list", "--kind", "replayed"]);
    let [noted] = noted.as_slice() else { panic!("{noted:?}") };
    assert_eq!(
        (&noted["actor"], &noted["plugin"]),
        (&Value::from("local"), &Value::from("probe")),
        "{noted}"
    );

    let server = site.serve();
    for event in &events {
        server.wait_done(event, "probe");
    }
    wait_listed(&site, &["events", "list", "--state", "waiting"], 0);
    wait_listed(&site, &["events", "list", "--state", "blocked"], 0);
}

#[test]
fn dead_letters_are_listed_redriven_and_discarded() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve();
    for number in 0..3 {
        let event = server.post(asking("reject", number)).event();
        server.wait_done(&event, "probe");
    }
    let dead = wait_listed(&site, &["dead", "list"], 3);
    assert!(dead.iter().all(|letter| text(letter, "reason") == "rejected"), "{dead:?}");
    let table = done(&site, &["dead", "list"]);
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert!(table.contains("asked to reject"), "{table}");
    let letters = ids(&dead, "delivery");

    assert_eq!(done(&site, &["dead", "discard", &letters[0]]), "Discarded 1 dead letter.\n");
    assert_eq!(listed(&site, &["dead", "list"]).len(), 2);
    assert_eq!(listed(&site, &["dead", "list", "--state", "discarded"]).len(), 1);
    let all = ["dead", "redrive", "--all"];
    let dry = done(&site, &[&all[..], &["--dry-run"]].concat());
    assert_eq!(dry, "Would redrive 2 dead letters.\n");
    assert_eq!(done(&site, &all), "Redrove 2 dead letters.\n");
    // They are rejected again, and that they were before is still known.
    let again = wait_listed(&site, &["dead", "list"], 2);
    assert!(again.iter().all(|letter| letter["attempts"] == 2), "{again:?}");
    let mut same = ids(&again, "delivery");
    same.sort();
    let mut before = letters[1..].to_vec();
    before.sort();
    assert_eq!(same, before);
    assert_eq!(done(&site, &["dead", "redrive", &letters[0]]), "Redrove 1 dead letter.\n");
    wait_listed(&site, &["dead", "list"], 3);
}

#[test]
fn what_is_owed_to_a_deleted_plugin_can_be_forgotten() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve();
    let forget = ["plugins", "forget", "probe"];
    let (status, output) = run(&site, &forget);
    assert_eq!(status, 1, "{output}");
    assert!(output.contains("has a file"), "{output}");
    fs::remove_file(site.plugin_file("probe")).expect("deleting the file");
    server.wait(|line| text(line, "message").starts_with("plugin is gone"));
    let event = server.post(asking("well", 1)).event();
    done(&site, &["events", "replay", &event, "--to", "probe"]);
    assert_eq!(listed(&site, &["events", "list", "--state", "parked"]).len(), 1);
    assert_eq!(done(&site, &forget), "Forgot probe and 1 delivery.\n");
    assert_eq!(listed(&site, &["events", "list", "--state", "parked"]).len(), 0);
    let discarded = listed(&site, &["dead", "list", "--state", "discarded"]);
    assert_eq!(text(&discarded[0], "reason"), "forgotten");
    assert_eq!(run(&site, &forget).0, 4);
}

#[test]
fn mistakes_have_a_message_and_a_status() {
    let (site, server, _) = handled(1);
    let nobody = "01a2092f-e26f-7040-a6c6-cdaa73944086";
    let look = || {
        let cases: [(&[&str], i32, &str); 7] = [
            (&["events", "show", nobody], 4, "there is no event"),
            (&["events", "replay", nobody, "--to", "probe"], 4, "there is no event"),
            (&["events", "replay", "--all", "--to", "nobody"], 4, "known are probe"),
            (&["dead", "redrive", nobody], 4, "there is no dead letter"),
            (&["dead", "discard"], 2, "name ids, or give a filter, or --all"),
            (&["events", "list", "--since", "yesterday"], 2, "how long ago it was"),
            (&["plugins", "forget", "nobody"], 4, "there is no plugin"),
        ];
        for (arguments, status, expected) in cases {
            let (found, output) = run(&site, arguments);
            assert_eq!(found, status, "{arguments:?}: {output}");
            assert!(output.contains(expected), "{arguments:?}: {output}");
        }
    };
    look();
    let socket = fs::metadata(site.path("data/control.sock")).expect("the socket");
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    server.end();
    assert!(!site.path("data/control.sock").exists());
    look();
    fs::remove_file(site.path("data/journal.sqlite")).expect("the journal");
    let (status, output) = run(&site, &["events", "list"]);
    assert_eq!(status, 1);
    assert!(output.contains("there is no journal"), "{output}");
}

#[test]
fn a_server_that_does_not_answer_keeps_its_journal_to_itself() {
    let (site, server, _) = handled(1);
    fs::remove_file(site.path("data/control.sock")).expect("the socket");
    let (status, output) = run(&site, &["events", "list"]);
    assert_eq!(status, 1);
    let process = format!("in use by process {}", server.pid());
    assert!(output.contains(&process) && output.contains("nobody answers"), "{output}");
}

#[test]
fn looking_needs_no_secrets_and_its_output_need_not_be_read() {
    let (site, server, events) = handled(2);
    server.end();
    site.configure(
        "[[source]]\nname = \"main\"\nsecrets = [{ name = \"test\", env = \"NOT_SET\" }]\n",
        "",
    );
    assert_eq!(
        ids(&listed(&site, &["events", "list"]), "id"),
        [events[1].clone(), events[0].clone()]
    );
    for arguments in [&["events", "list"][..], &["events", "list", "--json"], &["dead", "list"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = site.command(arguments).stdout(writer).output().expect("running the program");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        assert_eq!(output.stderr, [0; 0], "{arguments:?}");
    }
}
