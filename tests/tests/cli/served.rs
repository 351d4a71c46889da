//! What a running server says of itself, and what is asked of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use hookbox_tests::{Site, sample, text};
use serde_json::{Value, json};

use super::probed;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_status_of_a_good_server_is_shown() {
    let (site, server) = probed();
    let shown = site.done(&["status"]);
    assert!(shown.contains(server.url()) && shown.contains("journal"), "{shown}");
    let status = json(&site.done(&["status", "--json"]));
    assert_eq!(status["sources"], json!(["main"]));
    assert_eq!(status["owed"], 0);
}

#[test]
fn a_sample_is_sent_to_where_the_server_listens() {
    let (site, _server) = probed();
    let output = site.done(&["send", "add_video", "--wait"]);
    assert!(output.contains("probe: succeeded"), "{output}");
}

#[test]
fn plugins_are_listed_and_shown() {
    let (site, _server) = probed();
    let all = site.listed(&["plugins", "list"]);
    assert_eq!((text(&all[0], "name"), text(&all[0], "state")), ("probe", "live"));
    let table = site.done(&["plugins", "list"]);
    assert!(table.contains("probe") && table.contains("live"), "{table}");
    let shown = site.done(&["plugins", "show", "probe"]);
    assert!(shown.contains("state     live") && shown.contains("sha-256"), "{shown}");
    assert_eq!(site.run(&["plugins", "show", "nobody"]).0, 4);
}

#[test]
fn a_paused_plugin_gets_its_events_once_it_is_resumed() {
    let (site, server) = probed();
    assert_eq!(site.done(&["plugins", "pause", "probe"]), "Paused probe.\n");
    assert_eq!(text(&site.listed(&["plugins", "list"])[0], "state"), "paused");
    let event = server.post(sample("add_video")).event();
    assert_eq!(site.listed(&["events", "list", "--state", "parked"]).len(), 1);
    assert_eq!(site.done(&["plugins", "resume", "probe"]), "Resumed probe.\n");
    server.wait_done(&event, "probe");
    assert_eq!(site.run(&["plugins", "pause", "nobody"]).0, 4);
}

#[test]
fn the_log_level_is_changed_while_the_server_runs() {
    let (site, _server) = probed();
    assert_eq!(site.done(&["log-level"]), "info\n");
    assert_eq!(json(&site.done(&["log-level", "debug", "--json"])), json!({"level": "debug"}));
    assert_eq!(site.done(&["log-level"]), "debug\n");
    assert_eq!(site.run(&["log-level", "loud"]).0, 2);
}

/// `hookbox tail`, and the lines that it prints. Killed when dropped.
struct Tail {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Tail {
    /// Begins before it is known that the server has seen it: what is awaited is
    /// sent until it comes.
    fn of(site: &Site, arguments: &[&str]) -> Self {
        let mut command = site.command(&[&["tail"], arguments].concat());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("running tail");
        let lines = BufReader::new(child.stdout.take().expect("output")).lines();
        Self { child, lines }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

#[test]
fn what_happens_is_shown_and_after_a_restart_too() {
    let (site, mut server) = probed();
    let mut tail = Tail::of(&site, &["--kind", "received", "--json"]);
    // Another name each time, so that a line of before is not taken for one of after.
    for name in ["edit_video", "add_video"] {
        let seen_one = AtomicBool::new(false);
        let url = server.url().to_owned();
        let seen = std::thread::scope(|scope| {
            scope.spawn(|| {
                // Until it was seen: nobody says when tail looks on.
                while !seen_one.load(Ordering::Relaxed) {
                    site.done(&["send", name, "--url", &url]);
                }
            });
            let seen =
                tail.lines.any(|line| line.is_ok_and(|line| text(&json(&line), "name") == name));
            seen_one.store(true, Ordering::Relaxed);
            seen
        });
        assert!(seen, "tail ended before it showed {name}");
        server.end();
        server = site.serve();
    }
}

#[test]
fn tail_ends_after_as_many_as_were_asked_for_or_with_the_server() {
    let (site, server) = probed();
    let mut once = Tail::of(&site, &["--once", "--kind", "plugin"]);
    let mut first = Tail::of(&site, &["--limit", "1", "--kind", "attempt"]);
    while first.child.try_wait().expect("a status").is_none() {
        site.done(&["send", "edit_video", "--url", server.url()]);
    }
    let line = first.lines.next().expect("a line").expect("text");
    assert!(line.contains("attempt   handled by probe #1"), "{line}");
    server.end();
    // It is ended by the server, or finds none any more.
    assert!(matches!(once.child.wait().expect("a status").code(), Some(0 | 3)));
}
