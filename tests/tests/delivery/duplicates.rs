//! The same event twice.

use std::thread;

use hookbox_tests::{Reply, SOURCE, Server, Site, body, probe, text};

use super::{ids, says};

fn timed(number: usize) -> String {
    body("edit_video", &format!(r#","timestamp":1614908944,"number":{number}"#))
}

fn is_duplicate(reply: &Reply) -> bool {
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["duplicate"].as_bool().expect("a truth value")
}

fn source(name: &str, more: &str) -> String {
    format!(
        "[[source]]\nname = \"{name}\"\nsecrets = [{{ name = \"test\", value = \"your_secret_key\" }}]\n{more}\n"
    )
}

fn with_probe(sources: &str) -> Site {
    let site = Site::with_sources(sources, "");
    site.install("probe", &probe(1));
    site
}

/// Ends the server, and says how often its plugin handled an event.
fn times_handled(server: Server, event: &str) -> usize {
    let log = server.end();
    log.lines().filter(|line| line.contains("\"handled\"") && line.contains(event)).count()
}

#[test]
fn the_same_body_is_answered_with_the_first_id_and_handled_once() {
    let site = with_probe(SOURCE);
    let server = site.serve();
    let first = server.post(timed(1));
    let second = server.post(timed(1));
    assert!(!is_duplicate(&first) && is_duplicate(&second));
    assert_eq!(first.event(), second.event());
    let told = server.wait(|line| says(line, "duplicate"));
    assert_eq!(text(&told, "event"), first.event());
    server.wait_done(&first.event(), "probe");
    assert!(is_duplicate(&server.post(timed(1))), "also when it is done");
    assert!(!is_duplicate(&server.post(timed(2))));
    assert_eq!(site.listed(&["events", "list"]).len(), 2);
    assert_eq!(site.shown(&first.event())["summary"]["repeats"], 2, "each leaves a trace");
    assert_eq!(times_handled(server, &first.event()), 1);
}

#[test]
fn of_the_same_bodies_at_the_same_moment_one_is_new() {
    let site = with_probe(SOURCE);
    let server = site.serve();
    for round in 0..5 {
        let replies: Vec<Reply> = thread::scope(|scope| {
            let server = &server;
            let senders: Vec<_> =
                (0..8).map(|_| scope.spawn(move || server.post(timed(round)))).collect();
            senders.into_iter().map(|sender| sender.join().expect("a sender")).collect()
        });
        assert_eq!(replies.iter().filter(|reply| !is_duplicate(reply)).count(), 1, "{replies:?}");
        let first = replies[0].event();
        assert!(replies.iter().all(|reply| reply.event() == first), "{replies:?}");
    }
    let events = ids(&site.listed(&["events", "list"]), "id");
    assert_eq!(events.len(), 5);
    for event in &events {
        server.wait_done(event, "probe");
    }
    let log = server.end();
    assert_eq!(log.lines().filter(|line| line.contains("\"handled\"")).count(), 5, "{log}");
}

#[test]
fn a_duplicate_is_known_after_a_restart_and_after_a_kill() {
    let site = with_probe(SOURCE);
    let server = site.serve();
    let first = server.post(timed(1)).event();
    server.killed();
    let server = site.serve();
    let again = server.post(timed(1));
    assert!(is_duplicate(&again));
    assert_eq!(again.event(), first);
    server.end();
    let server = site.serve();
    assert_eq!(server.post(timed(1)).event(), first);
    server.end();
    assert_eq!(site.listed(&["events", "list"]).len(), 1);
}

#[test]
fn the_same_body_from_another_source_is_another_event() {
    let site = with_probe(&(source("main", "") + &source("other", "")));
    let server = site.serve();
    let first = server.post(timed(1));
    let other = server.post_to("/hooks/other", timed(1));
    assert!(!is_duplicate(&other));
    assert_ne!(first.event(), other.event());
    assert_eq!(server.post_to("/hooks/other", timed(1)).event(), other.event());
    server.wait_done(&first.event(), "probe");
    server.wait_done(&other.event(), "probe");
}

#[test]
fn a_body_without_a_timestamp_is_an_event_each_time_unless_a_window_is_set() {
    let site = with_probe(
        &(source("main", "") + &source("strict", "duplicate_window_untimed_ms = 600000")),
    );
    let server = site.serve();
    let untimed = body("edit_video", "");
    let replies = [server.post(&untimed), server.post(&untimed)];
    assert!(!is_duplicate(&replies[0]) && !is_duplicate(&replies[1]));
    assert_ne!(replies[0].event(), replies[1].event());
    for reply in &replies {
        server.wait_done(&reply.event(), "probe");
    }
    let strict = server.post_to("/hooks/strict", &untimed);
    let again = server.post_to("/hooks/strict", &untimed);
    assert!(!is_duplicate(&strict) && is_duplicate(&again));
    assert_eq!(again.event(), strict.event());
}

#[test]
fn after_the_window_the_same_body_is_a_new_event() {
    let site = with_probe(&source("main", "duplicate_window_ms = 1"));
    let server = site.serve();
    let first = server.post(timed(1)).event();
    // A commit can take less than the window.
    let again = (0..100).map(|_| server.post(timed(1))).find(|reply| !is_duplicate(reply));
    let again = again.expect("the window to be over").event();
    assert_ne!(again, first);
    server.wait_done(&first, "probe");
    server.wait_done(&again, "probe");
    assert_eq!(times_handled(server, &first), 1);
}

#[test]
fn a_window_of_nothing_lets_every_body_in() {
    let site = with_probe(&source("main", "duplicate_window_ms = 0"));
    let server = site.serve();
    let replies: Vec<Reply> = (0..3).map(|_| server.post(timed(1))).collect();
    assert!(!replies.iter().any(is_duplicate), "{replies:?}");
    assert_eq!(site.listed(&["events", "list"]).len(), 3);
}

#[test]
fn the_same_body_with_another_of_the_sources_secrets_is_a_duplicate() {
    let site = with_probe(
        "[[source]]\nname = \"main\"\nsecrets = [\n  { name = \"old\", value = \"the_old_key\" },\n  { name = \"new\", value = \"a_new_and_longer_key\" },\n]\n",
    );
    let server = site.serve();
    let with = |secret: &str| {
        format!(r#"{{"event":"edit_video","secret":"{secret}","timestamp":1614908944}}"#)
    };
    let first = server.post(with("the_old_key"));
    let second = server.post(with("a_new_and_longer_key"));
    assert!(is_duplicate(&second));
    assert_eq!(first.event(), second.event());
    let told = server.wait(|line| says(line, "duplicate"));
    assert_eq!(text(&told, "secret"), "new", "the secret that came is named");
}

#[test]
fn a_body_with_a_wrong_secret_does_not_count_as_seen() {
    let site = with_probe(SOURCE);
    let server = site.serve();
    let wrong = timed(1).replace("your_secret_key", "not_your_secret");
    assert_eq!(server.post(&wrong).status, 401);
    let first = server.post(timed(1));
    assert!(!is_duplicate(&first));
    // Nor does it learn that the event was seen.
    let refused = server.post(&wrong);
    assert_eq!(refused.status, 401);
    assert!(!refused.body.contains(&first.event()), "{}", refused.body);
    server.wait_done(&first.event(), "probe");
    assert_eq!(site.listed(&["events", "list"]).len(), 1);
}
