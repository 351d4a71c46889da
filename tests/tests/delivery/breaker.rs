//! A plugin that fails in a row is left alone for a while.

use hookbox_core::ids::Digest;
use hookbox_tests::{Server, Site, body, probe, text};
use serde_json::Value;

use super::{asking, ids, mended, says, wait_dead, wait_handled};

const PARKED: [&str; 6] = ["events", "list", "--plugin", "probe", "--state", "parked"];

/// A plugin whose breaker opens after three failures, and one that gets only
/// what is good.
fn two(settings: &str) -> (Site, Server) {
    let site = Site::new(&format!(
        "[plugin.probe]\nbreaker_failures = 3\n{settings}\n\
         [plugin.other]\nevents = [\"good\"]\n"
    ));
    site.install("probe", &probe(1));
    site.install("other", &probe(2));
    let server = site.serve();
    (site, server)
}

fn opens(server: &Server) -> Value {
    for number in 0..3 {
        let event = server.post(asking("bad", "retry", number)).event();
        server.wait_done(&event, "probe");
    }
    let opened = server.wait(|line| says(line, "breaker opened"));
    assert_eq!(text(&opened, "plugin"), "probe");
    assert_eq!(opened["failures"], 3);
    opened
}

#[test]
fn while_it_is_open_events_are_accepted_and_parked_and_others_get_theirs() {
    let (site, server) =
        two("attempts_max = 1\nbreaker_open_first_ms = 600000\nbreaker_open_max_ms = 600000");
    opens(&server);
    let good: Vec<String> =
        (0..5).map(|number| server.post(asking("good", "", number)).event()).collect();
    for event in &good {
        wait_handled(&server, event, "other");
    }
    let mut parked = ids(&site.wait_listed(&PARKED, 5), "id");
    parked.reverse();
    assert_eq!(parked, good);
    assert!(good.iter().all(|event| server.said(event, "probe").is_empty()));
}

#[test]
fn new_code_closes_it_at_once() {
    let (site, server) =
        two("attempts_max = 1\nbreaker_open_first_ms = 600000\nbreaker_open_max_ms = 600000");
    opens(&server);
    let good: Vec<String> =
        (0..5).map(|number| server.post(asking("good", "", number)).event()).collect();
    site.wait_listed(&PARKED, 5);
    site.install("probe", &mended());
    server.wait(|line| says(line, "breaker closed"));
    for event in &good {
        let handled = wait_handled(&server, event, "probe");
        assert_eq!(text(&handled, "digest"), Digest::of(&mended()).short());
    }
    site.wait_listed(&PARKED, 0);
}

#[test]
fn after_its_time_one_trial_decides() {
    let (site, server) =
        two("attempts_max = 1\nbreaker_open_first_ms = 300\nbreaker_open_max_ms = 60000");
    assert_eq!(opens(&server)["for_ms"], 300);
    let trial = server.post(asking("bad", "retry", 4)).event();
    let good: Vec<String> =
        (0..10).map(|number| server.post(asking("good", "", number)).event()).collect();
    for event in &good {
        wait_handled(&server, event, "probe");
    }
    let lines = server.lines(|line| {
        text(line, "plugin") == "probe"
            && ["failed", "handled", "breaker"].iter().any(|start| says(line, start))
    });
    let lines: Vec<&Value> = lines.iter().skip_while(|line| !says(line, "breaker")).collect();
    let is = |line: &Value, event: &str| text(line, "event") == event;
    // One trial fails, so that it is open for twice as long; the next succeeds,
    // and only then come all the others.
    assert!(says(lines[0], "breaker opened"), "{lines:?}");
    assert!(says(lines[1], "failed") && is(lines[1], &trial), "{lines:?}");
    assert!(says(lines[2], "breaker opened") && lines[2]["for_ms"] == 600, "{lines:?}");
    assert!(says(lines[3], "handled") && is(lines[3], &good[0]), "{lines:?}");
    assert!(says(lines[4], "breaker closed"), "{lines:?}");
    assert!(lines[5..].iter().all(|line| says(line, "handled")), "{lines:?}");
    assert_eq!(lines.len(), 5 + 9);
    site.wait_listed(&PARKED, 0);
}

#[test]
fn refusals_do_not_open_it() {
    let (_site, server) =
        two("attempts_max = 1\nbreaker_open_first_ms = 600000\nbreaker_open_max_ms = 600000");
    for number in 0..6 {
        let event = server.post(asking("bad", "reject", number)).event();
        assert_eq!(text(&server.wait_done(&event, "probe"), "failure"), "rejected");
    }
    let event = server.post(body("good", "")).event();
    wait_handled(&server, &event, "probe");
    assert!(server.lines(|line| says(line, "breaker")).is_empty());
}

#[test]
fn failures_with_no_time_between_them_count_too_and_a_trial_may_be_one_of_them() {
    let (site, server) =
        two("attempts_max = 12\nbackoff_first_ms = 0\nbackoff_max_ms = 0\nconcurrency = 1\n\
         breaker_open_first_ms = 1\nbreaker_open_max_ms = 1");
    let event = server.post(asking("bad", "retry", 0)).event();
    wait_dead(&server, &event, "probe");
    assert_eq!(server.said(&event, "probe").len(), 12);
    // The third opens it, and so does each trial after that.
    let opened = server.lines(|line| says(line, "breaker opened"));
    let failures: Vec<u64> =
        opened.iter().map(|line| line["failures"].as_u64().expect("a number")).collect();
    assert_eq!(failures, (3..=12).collect::<Vec<u64>>());
    let good = server.post(body("good", "")).event();
    wait_handled(&server, &good, "probe");
    site.wait_listed(&PARKED, 0);
}
