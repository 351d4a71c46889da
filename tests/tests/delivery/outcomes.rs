//! What the journal says of each attempt.

use hookbox_core::ids::Digest;
use hookbox_tests::{Site, probe, text};
use serde_json::Value;

use super::{asking, wait_dead, wait_handled};

/// Has an event fail twice, and returns its attempts.
fn two_attempts(settings: &str, action: &str) -> Vec<Value> {
    let site = Site::new(&format!(
        "[plugin.probe]\nattempts_max = 2\nbackoff_first_ms = 0\nbackoff_max_ms = 0\n{settings}\n"
    ));
    site.install("probe", &probe(1));
    let server = site.serve();
    let event = server.post(asking("e", action, 1)).event();
    wait_dead(&server, &event, "probe");
    let attempts = site.shown(&event)["attempts"].as_array().expect("attempts").clone();
    let received = site.shown(&event)["summary"]["received_at_ms"].as_u64().expect("a time");
    for (attempt, number) in attempts.iter().zip(1..) {
        assert_eq!(attempt["number"], number);
        assert_eq!(text(attempt, "digest"), Digest::of(&probe(1)).to_string());
        assert_eq!(text(attempt, "digest").len(), 64);
        assert_eq!(attempt["generation"], 1);
        assert!(attempt["started_at_ms"].as_u64() >= Some(received), "{attempt}");
        assert!(attempt["duration_us"].as_u64() > Some(0), "{attempt}");
        assert!(text(attempt, "log").contains("probe-build-000001 event=e"), "{attempt}");
        assert!(text(attempt, "log").contains(&format!("attempt={number}")), "{attempt}");
    }
    attempts
}

/// Both failed like that, and what is said of it.
fn failed_twice(attempts: &[Value], outcome: &str, blame: &str) -> String {
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    for (attempt, became) in attempts.iter().zip(["waiting", "dead"]) {
        assert_eq!(text(attempt, "outcome"), outcome, "{attempt}");
        assert_eq!(text(attempt, "blame"), blame, "{attempt}");
        assert_eq!(text(attempt, "became"), became, "{attempt}");
    }
    text(&attempts[0], "error").to_owned()
}

#[test]
fn a_panic_is_the_guests_and_names_its_function() {
    let attempts = two_attempts("", "panic");
    let error = failed_twice(&attempts, "trap", "guest");
    assert!(error.contains("probe::panic_in_a_function_of_its_own"), "{error}");
    assert!(text(&attempts[0], "log").contains("asked to panic"), "{attempts:?}");
}

#[test]
fn a_loop_is_the_guests_and_took_as_long_as_it_may() {
    let attempts = two_attempts("cpu_ms = 100", "spin");
    let error = failed_twice(&attempts, "cpu", "guest");
    assert!(error.contains("plugin.probe.cpu_ms"), "{error}");
    assert!(attempts[0]["duration_us"].as_u64() >= Some(100_000), "{attempts:?}");
}

#[test]
fn a_call_that_waits_too_long_is_the_guests() {
    let attempts = two_attempts("deadline_ms = 150", "sleep");
    let error = failed_twice(&attempts, "deadline", "guest");
    assert!(error.contains("plugin.probe.deadline_ms"), "{error}");
    assert!(attempts[0]["duration_us"].as_u64() >= Some(150_000), "{attempts:?}");
}

#[test]
fn an_allocation_bomb_is_the_guests() {
    let attempts = two_attempts("memory_bytes_max = 16777216", "allocate");
    let error = failed_twice(&attempts, "memory", "guest");
    assert!(error.contains("plugin.probe.memory_bytes_max"), "{error}");
}

#[test]
fn a_wish_to_be_called_again_is_the_plugins_own_answer() {
    let error = failed_twice(&two_attempts("", "retry"), "retry", "plugin");
    assert_eq!(error, "asked to retry");
}

#[test]
fn a_rejection_is_the_plugins_own_answer() {
    let attempts = two_attempts("", "reject");
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    assert_eq!(text(&attempts[0], "outcome"), "rejected");
    assert_eq!(text(&attempts[0], "blame"), "plugin");
    assert_eq!(text(&attempts[0], "error"), "asked to reject");
    assert_eq!(text(&attempts[0], "became"), "dead");
}

#[test]
fn a_good_attempt_is_nobodys_fault_and_its_log_is_cut_to_its_limit() {
    let site = Site::new("[journal]\nattempt_log_bytes_max = 100\n");
    site.install("probe", &probe(1));
    let server = site.serve();
    let event = server.post(asking("e", "noise", 1)).event();
    wait_handled(&server, &event, "probe");
    site.wait_listed(&["events", "list", "--state", "succeeded"], 1);
    let attempt = &site.shown(&event)["attempts"][0];
    assert_eq!(text(attempt, "outcome"), "handled");
    assert_eq!(text(attempt, "became"), "succeeded");
    assert!(attempt["blame"].is_null() && attempt["error"].is_null(), "{attempt}");
    let log = text(attempt, "log");
    assert!(log.starts_with("probe-build-000001") && log.len() <= 100, "{log}");
}
