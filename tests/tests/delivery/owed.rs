//! To whom an event is owed: plugins that are gone, that cannot be loaded, that
//! have too much to do, and nobody.

use std::fs;

use hookbox_core::ids::Digest;
use hookbox_tests::{Server, Site, body, probe, text};
use serde_json::Value;

use super::{asking, ids, mended, owed_to, says, wait_handled};

const PARKED: [&str; 6] = ["events", "list", "--plugin", "probe", "--state", "parked"];

const UNROUTED: [&str; 4] = ["events", "list", "--state", "unrouted"];

#[test]
fn what_is_owed_to_a_deleted_plugin_is_parked_until_its_file_is_back() {
    let site = Site::new(
        "[plugin.probe]\nattempts_max = 1000000\nbackoff_first_ms = 20\nbackoff_max_ms = 50\n\
         breaker_failures = 0\n",
    );
    site.install("probe", &probe(1));
    let server = site.serve();
    let owed: Vec<String> =
        (0..3).map(|number| server.post(asking("e", "retry", number)).event()).collect();
    for event in &owed {
        server.wait_done(event, "probe");
    }
    fs::remove_file(site.plugin_file("probe")).expect("deleting the file");
    let told = server.wait(|line| says(line, "parked:"));
    assert_eq!(told["owed"], 3);
    let mut parked = ids(&site.wait_listed(&PARKED, 3), "id");
    parked.reverse();
    assert_eq!(parked, owed);
    // It is not called any more, though their waits are over.
    let calls = |server: &Server| server.lines(|line| text(line, "stream") == "stdout").len();
    let before = calls(&server);
    let after = server.post(body("after", "")).event();
    assert_eq!(owed_to(&server, &after), 0);
    assert_eq!(ids(&site.listed(&UNROUTED), "id"), std::slice::from_ref(&after));
    assert_eq!(calls(&server), before);

    site.install("probe", &mended());
    for event in &owed {
        let handled = wait_handled(&server, event, "probe");
        assert_eq!(text(&handled, "digest"), Digest::of(&mended()).short());
    }
    site.wait_listed(&PARKED, 0);
    assert_eq!(ids(&site.listed(&UNROUTED), "id"), [after]);
}

#[test]
fn what_is_parked_stays_so_over_a_restart_without_the_file() {
    let site = Site::new("[plugin.probe]\nconcurrency = 1\n");
    site.install("probe", &probe(1));
    let server = site.serve();
    let slow = server.post(asking("slow", "sleep", 0)).event();
    let waiting = server.post(body("e", "")).event();
    fs::remove_file(site.plugin_file("probe")).expect("deleting the file");
    server.wait(|line| says(line, "parked:"));
    site.wait_listed(&PARKED, 1);
    server.killed();
    // The call that was cut off is owed again.
    let server = site.serve();
    assert_eq!(ids(&site.listed(&PARKED), "id"), [waiting.clone(), slow.clone()]);
    site.install("probe", &mended());
    wait_handled(&server, &waiting, "probe");
    assert_eq!(wait_handled(&server, &slow, "probe")["attempt"], 2);
    site.wait_listed(&["events", "list", "--state", "succeeded"], 2);
    let outcomes: Vec<Value> = site.shown(&slow)["attempts"].as_array().expect("attempts").clone();
    let outcomes: Vec<&str> = outcomes.iter().map(|a| text(a, "outcome")).collect();
    assert_eq!(outcomes, ["interrupted", "handled"]);
}

#[test]
fn a_plugin_that_cannot_be_loaded_at_the_start_still_gets_events() {
    let site = Site::new("[plugin.probe]\nevents = [\"wanted\"]\n");
    site.install("probe", &probe(1));
    site.serve().end();
    site.install("probe", b"garbage");
    let server = site.serve();
    let events: Vec<String> =
        (0..3).map(|number| server.post(asking("wanted", "", number)).event()).collect();
    for event in &events {
        assert_eq!(owed_to(&server, event), 1);
    }
    // What it did not ask for is not kept for it either.
    let other = server.post(body("unwanted", "")).event();
    assert_eq!(owed_to(&server, &other), 0);
    assert_eq!(site.listed(&PARKED).len(), 3);
    assert_eq!(ids(&site.listed(&UNROUTED), "id"), [other]);

    site.install("probe", &probe(2));
    for event in &events {
        let handled = wait_handled(&server, event, "probe");
        assert_eq!(text(&handled, "digest"), Digest::of(&probe(2)).short());
    }
}

#[test]
fn a_plugin_whose_file_was_deleted_while_nothing_ran_gets_nothing_more() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    site.serve().end();
    fs::remove_file(site.plugin_file("probe")).expect("deleting the file");
    let server = site.serve();
    server.wait(|line| says(line, "plugin is gone"));
    let event = server.post(body("e", "")).event();
    assert_eq!(owed_to(&server, &event), 0);
    assert_eq!(ids(&site.listed(&UNROUTED), "id"), [event]);
    assert_eq!(site.listed(&PARKED).len(), 0);
}

#[test]
fn events_that_nobody_wanted_are_listed() {
    let site = Site::new("[plugin.probe]\nevents = [\"wanted\"]\n");
    site.install("probe", &probe(1));
    let server = site.serve();
    let wanted = server.post(body("wanted", "")).event();
    let unwanted: Vec<String> =
        (0..2).map(|number| server.post(asking("unwanted", "", number)).event()).collect();
    wait_handled(&server, &wanted, "probe");
    let listed = site.listed(&UNROUTED);
    assert_eq!(ids(&listed, "id"), [unwanted[1].clone(), unwanted[0].clone()]);
    assert!(listed.iter().all(|event| event["deliveries"] == serde_json::json!([])));
    assert!(site.done(&UNROUTED).contains("unrouted"));
}

#[test]
fn past_its_backlog_a_plugins_own_deliveries_are_dead_and_others_get_theirs() {
    let site = Site::new(
        "[plugin.probe]\nbacklog_max = 2\nconcurrency = 1\n[plugin.other]\nevents = [\"e\"]\n",
    );
    site.install("probe", &probe(1));
    site.install("other", &probe(2));
    let server = site.serve();
    server.post(asking("slow", "sleep", 0)).event();
    let events: Vec<String> =
        (1..5).map(|number| server.post(asking("e", "", number)).event()).collect();
    for event in &events {
        wait_handled(&server, event, "other");
    }
    assert_eq!(owed_to(&server, &events[0]), 2);
    for event in &events[1..] {
        assert_eq!(owed_to(&server, event), 1);
        let dead = server.wait(|line| says(line, "dead:") && text(line, "event") == event);
        assert!(text(&dead, "message").ends_with("plugin.probe.backlog_max"), "{dead}");
    }
    let letters = site.listed(&["dead", "list"]);
    let mut dead = ids(&letters, "event");
    dead.sort();
    assert_eq!(dead, events[1..]);
    for letter in &letters {
        assert_eq!(text(letter, "reason"), "backlog-full");
        assert_eq!(letter["attempts"], 0);
        assert_eq!(text(letter, "plugin"), "probe");
    }
}
