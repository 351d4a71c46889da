//! Failed deliveries are tried again, at their time, until they succeed or are
//! given up.

use hookbox_core::ids::Digest;
use hookbox_tests::{Server, Site, probe, text};
use serde_json::Value;

use super::{asking, logged_at_ms, mended, says, wait_dead, wait_handled};

/// Says when deliveries are tried again.
const TALKATIVE: &str = "[log]\nlevel = \"info,hookbox::pipeline=debug\"\n";

fn site(settings: &str) -> Site {
    let site = Site::new(&format!(
        "{TALKATIVE}[plugin.probe]\nbackoff_first_ms = 20\nbackoff_max_ms = 50\n{settings}\n"
    ));
    site.install("probe", &probe(1));
    site
}

fn u64_of(value: &Value, member: &str) -> u64 {
    value[member].as_u64().unwrap_or_else(|| panic!("{member} in {value}"))
}

/// The attempts at an event, by the journal.
fn attempts(site: &Site, event: &str) -> Vec<Value> {
    site.shown(event)["attempts"].as_array().expect("attempts").clone()
}

fn failed(server: &Server, count: usize, event: &str) -> Vec<Value> {
    server.wait_for(count, |line| says(line, "failed") && text(line, "event") == event)
}

#[test]
fn what_fails_is_tried_again_up_to_the_limit_and_then_dead() {
    let site = site("attempts_max = 5\n");
    let server = site.serve();
    let event = server.post(asking("e", "retry", 1)).event();
    let dead = wait_dead(&server, &event, "probe");
    assert_eq!(text(&dead, "reason"), "attempts-exhausted");

    let failed = failed(&server, 5, &event);
    let numbers: Vec<u64> = failed.iter().map(|line| u64_of(line, "attempt")).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    // The plugin is told the attempt, and that it is one and the same delivery.
    for (said, number) in server.said(&event, "probe").iter().zip(1..) {
        let told = format!("delivery={} attempt={number}", text(&dead, "delivery"));
        assert!(said.ends_with(&told), "{said}");
    }

    let letters = site.listed(&["dead", "list"]);
    assert_eq!(letters.len(), 1, "{letters:?}");
    let letter = &letters[0];
    assert_eq!(text(letter, "event"), event);
    assert_eq!(text(letter, "delivery"), text(&dead, "delivery"));
    assert_eq!(text(letter, "reason"), "attempts-exhausted");
    assert_eq!(text(letter, "error"), "asked to retry", "the plugin's own words");
    assert_eq!(letter["attempts"], 5);
    let became: Vec<String> =
        attempts(&site, &event).iter().map(|a| text(a, "became").to_owned()).collect();
    assert_eq!(became, ["waiting", "waiting", "waiting", "waiting", "dead"]);
}

#[test]
fn no_wait_exceeds_its_cap_and_no_attempt_comes_before_its_time() {
    let site = site("attempts_max = 8\n");
    let server = site.serve();
    let event = server.post(asking("e", "retry", 1)).event();
    wait_dead(&server, &event, "probe");
    let mut waits = server.wait_for(7, |line| says(line, "the delivery is tried again"));
    assert_eq!(waits.len(), 7);
    waits.sort_by_key(|wait| u64_of(wait, "until_ms"));
    let attempts = attempts(&site, &event);
    for (number, wait) in waits.iter().enumerate() {
        let until = u64_of(wait, "until_ms");
        // It was decided before it was logged.
        let most = logged_at_ms(wait) + [20, 40, 50][number.min(2)];
        assert!(until <= most, "{wait}");
        let next = u64_of(&attempts[number + 1], "started_at_ms");
        assert!(next >= until, "{next} before {until}");
    }
}

#[test]
fn a_wait_of_nothing_is_over_at_once() {
    let site = Site::new(
        "[plugin.probe]\nattempts_max = 30\nbackoff_first_ms = 0\nbackoff_max_ms = 0\n\
         breaker_failures = 0\n",
    );
    site.install("probe", &probe(1));
    let server = site.serve();
    let event = server.post(asking("e", "retry", 1)).event();
    assert_eq!(text(&wait_dead(&server, &event, "probe"), "reason"), "attempts-exhausted");
    assert_eq!(server.said(&event, "probe").len(), 30);
}

#[test]
fn a_plugin_that_names_a_time_is_not_called_before_it() {
    let site = site("attempts_max = 2\n");
    let server = site.serve();
    let event = server.post(asking("e", "retry-after", 1)).event();
    let failed = failed(&server, 2, &event);
    assert_eq!(u64_of(&failed[0], "retry_after_ms"), 1_500);
    let calls = server.lines(|line| text(line, "stream") == "stdout");
    assert_eq!(calls.len(), 2);
    let waited = logged_at_ms(&calls[1]) - logged_at_ms(&failed[0]);
    println!("waited {waited} ms");
    // Log lines tell whole milliseconds.
    assert!(waited >= 1_499, "{waited}");
}

#[test]
fn what_the_plugin_rejects_is_dead_after_one_attempt() {
    let site = site("attempts_max = 10\n");
    let server = site.serve();
    let event = server.post(asking("e", "reject", 1)).event();
    assert_eq!(text(&wait_dead(&server, &event, "probe"), "reason"), "rejected");
    let letters = site.listed(&["dead", "list"]);
    assert_eq!(letters[0]["attempts"], 1);
    assert_eq!(text(&letters[0], "error"), "asked to reject");
    assert_eq!(server.said(&event, "probe").len(), 1);
}

#[test]
fn a_delivery_that_waits_is_tried_at_its_time_after_a_restart() {
    let site = site("");
    let server = site.serve();
    let event = server.post(asking("e", "retry-after", 1)).event();
    server.wait(|line| says(line, "the delivery is tried again"));
    let log = server.end();
    assert!(log.contains("what is still owed is in the journal"), "{log}");
    let waiting = site.listed(&["events", "list", "--state", "waiting"]);
    let due = u64_of(&waiting[0]["deliveries"][0], "due_at_ms");

    let server = site.serve();
    let second = server.wait_done(&event, "probe");
    assert_eq!(second["attempt"], 2);
    let first = &server.lines(|line| text(line, "event") == event)[0];
    assert!(logged_at_ms(first) >= due, "{first} before {due}");
    server.wait(|line| says(line, "the delivery is tried again"));
    let started = u64_of(&attempts(&site, &event)[1], "started_at_ms");
    println!("tried {} ms after its time", started - due);
}

#[test]
fn a_plugin_that_is_mended_gets_again_what_it_failed_with() {
    let site = site("attempts_max = 1000000\n");
    let server = site.serve();
    let events: Vec<String> = ["retry", "panic"]
        .iter()
        .enumerate()
        .map(|(number, probe)| server.post(asking("e", probe, number)).event())
        .collect();
    for event in &events {
        failed(&server, 2, event);
    }
    site.install("probe", &mended());
    for event in &events {
        let handled = wait_handled(&server, event, "probe");
        assert_eq!(text(&handled, "digest"), Digest::of(&mended()).short());
        assert!(u64_of(&handled, "attempt") > 2);
    }
    site.wait_listed(&["events", "list", "--state", "succeeded"], 2);
    let all = attempts(&site, &events[0]);
    let (last, before) = all.split_last().expect("attempts");
    assert_eq!(text(last, "digest"), Digest::of(&mended()).to_string());
    assert_eq!(text(&before[0], "digest"), Digest::of(&probe(1)).to_string());
    assert!(u64_of(last, "generation") > u64_of(&before[0], "generation"));
}
