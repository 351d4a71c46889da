#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use hookbox_core::event::Event;
use hookbox_core::ids::Digest;
use hookbox_core::outcome::{Failure, FailureKind};
use hookbox_core::verify::{Secrets, verify};

use super::*;
use crate::store::Key;

const BODY: &str = r#"{"event":"sd_encoded","data":{"private":1},"secret":"hush-hush"}"#;

fn name(name: &str) -> PluginName {
    name.parse().expect("a name")
}

fn claim() -> Claim {
    let source = "main".parse().expect("a name");
    let secrets = Secrets::new([("a", "hush-hush")]).expect("secrets");
    let verified = verify(&source, &secrets, BODY.as_bytes()).expect("genuine");
    Claim {
        key: Key { event: 1, replay: 0 },
        delivery: DeliveryId::new(1, [1; 10]),
        event_id: EventId::new(1, [2; 10]),
        event: Arc::new(Event::decode(verified).expect("an event")),
        plugin: name("audit"),
        received_at_ms: 1,
        attempt: 2,
        forgiven: 0,
        trace: None,
    }
}

fn attempt(outcome: Outcome, log: &str) -> Attempt {
    Attempt {
        digest: Digest::of(b"code"),
        generation: 3,
        started_at_ms: 1,
        duration: Duration::from_micros(250),
        outcome,
        log: log.to_owned(),
        changes: Vec::new(),
        calls: Vec::new(),
    }
}

#[test]
fn a_notice_of_a_call_has_a_bounded_reason_and_log_and_nothing_of_the_body() {
    let long = "\u{e4}".repeat(10_000);
    let failed = Outcome::Failed(Failure { kind: FailureKind::Trap, message: long.clone() });
    let notice = notice_of_attempt(&name("audit"), &claim(), &attempt(failed, &long));
    let Notice::Attempt { outcome, error, log, duration_us, attempt: number, .. } = &notice else {
        panic!("{notice:?}")
    };
    assert_eq!((outcome.as_str(), *duration_us, *number), ("trap", 250, 2));
    assert_eq!(error.as_ref().map(String::len), Some(TEXT_BYTES_MAX));
    assert_eq!(log.as_ref().map(String::len), Some(TEXT_BYTES_MAX));
    let text = serde_json::to_string(&notice).expect("JSON");
    assert!(!text.contains("private") && !text.contains("hush"), "{text}");

    let handled = notice_of_attempt(&name("audit"), &claim(), &attempt(Outcome::Handled, ""));
    let Notice::Attempt { outcome, error: None, log: None, .. } = &handled else {
        panic!("{handled:?}")
    };
    assert_eq!(outcome, "handled");
}

#[test]
fn what_plugins_are_owed_is_shown_as_it_is_now() {
    let lane = LaneStatus {
        plugin: name("audit"),
        digest: String::new(),
        live: false,
        deleted_at_ms: None,
        owed: 3,
        oldest_at_ms: None,
        running: 0,
        dead: 1,
        paused_at_ms: Some(1),
        breaker_until_ms: None,
    };
    let text = exposition(&Metrics::new(), &[lane], false, 9, 2);
    for line in [
        "hookbox_queue_depth{plugin=\"audit\"} 3",
        "hookbox_queue_oldest_age_seconds{plugin=\"audit\"} 0.0",
        "hookbox_dead_letters{plugin=\"audit\"} 1",
        "hookbox_plugin_live{plugin=\"audit\"} 0",
        "hookbox_plugin_paused{plugin=\"audit\"} 1",
        "hookbox_breaker_open{plugin=\"audit\"} 0",
        "hookbox_journal_good 0",
        "hookbox_journal_bytes 9",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} in\n{text}");
    }
}
