#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;
use crate::store::sqlite::{Limits, Waiting};

const LIMITS: Limits = Limits {
    deliveries_max: 10,
    keep_ms: 1_000_000,
    keep_bytes_max: u64::MAX,
    refused_max: 10,
    attempt_log_bytes_max: 100,
};

#[test]
fn workers_of_a_plugin_that_went_are_forgotten_when_plugins_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("journal.sqlite");
    let journal = Journal::open(&file, None, LIMITS, unix_ms()).expect("a journal");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let inbox = Arc::new(Inbox::new(Waiting { count_max: 1, bytes_max: 1 }));
    let mut writer = Writer::new(
        journal,
        Arc::clone(&inbox),
        runtime.handle().clone(),
        Metrics::new(),
        Live::default(),
    );
    let plugin = || "probe".parse().expect("a name");
    for _ in 0..16 {
        let (gone, _) = oneshot::channel();
        inbox.push_want(plugin(), gone);
    }
    let (stays, _waits) = oneshot::channel();
    inbox.push_want(plugin(), stays);
    writer.absorb(inbox.take(Duration::ZERO), unix_ms());
    assert_eq!(writer.wants[&plugin()].len(), 17);
    inbox.push(Command::Plugins { live: Vec::new(), unloadable: Vec::new() }, Reply::Nobody);
    writer.absorb(inbox.take(Duration::ZERO), unix_ms());
    assert_eq!(writer.wants[&plugin()].len(), 1);
}

#[test]
fn what_the_journal_decides_by_itself_is_told_once_it_is_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("journal.sqlite");
    let journal = Journal::open(&file, None, LIMITS, unix_ms()).expect("a journal");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let inbox = Arc::new(Inbox::new(Waiting { count_max: 1, bytes_max: 1 }));
    let (metrics, live) = (Metrics::new(), Live::default());
    let mut looking = live.subscribe();
    let mut writer = Writer::new(
        journal,
        Arc::clone(&inbox),
        runtime.handle().clone(),
        Arc::clone(&metrics),
        live,
    );
    // Its event cannot be read any more.
    rusqlite::Connection::open(&file)
        .expect("the file")
        .execute_batch(
            "INSERT INTO events VALUES (1, 'event', 'main', 'sd_encoded', 'x', 0, 1, 0, '{', NULL);
             INSERT INTO queue VALUES ('probe', 1, 0, 'delivery', 'waiting', 0, 0, 0, NULL)",
        )
        .expect("an event");
    writer.journal.reopen(true, 0).expect("the journal");
    let plugin: hookbox_core::ids::PluginName = "probe".parse().expect("a name");
    let policy = crate::store::Policy {
        retry: hookbox_core::retry::RetryPolicy {
            attempts_max: 9,
            backoff_first_ms: 0,
            backoff_max_ms: 0,
        },
        breaker: hookbox_core::breaker::BreakerPolicy {
            failures: 1,
            open_first_ms: 100,
            open_max_ms: 100,
        },
        ordered: false,
        serial: false,
    };
    let digest = hookbox_core::ids::Digest::of(b"code");
    let asks_for = Vec::new();
    let live = crate::store::LivePlugin { name: plugin.clone(), digest, asks_for, policy };
    writer.journal.set_wants(&plugin, 1);
    let plugins = Command::Plugins { live: vec![live], unloadable: Vec::new() };
    writer.batch(vec![plugins], vec![Reply::Nobody], 1);
    let Ok(Notice::Dead { event, delivery, plugin, reason, .. }) = looking.try_recv() else {
        unreachable!("it is the first notice")
    };
    assert_eq!(
        (event.as_str(), delivery.as_str(), plugin.as_str()),
        ("event", "delivery", "probe")
    );
    assert_eq!(reason, hookbox_core::retry::DeadReason::Unreadable.to_string());
    let encoded = || {
        let journal =
            crate::telemetry::metrics::ServerGauges { good: true, bytes: 0, files_refused: 0 };
        metrics.encode(&[], journal)
    };
    let text = encoded();
    assert_eq!(metrics.stats().totals.dead, 1);
    // A batch that wrote nothing is no commit.
    assert!(text.contains("hookbox_commit_duration_seconds_count 1"), "{text}");
    writer.batch(Vec::new(), Vec::new(), 2);
    let text = encoded();
    assert!(text.contains("hookbox_commit_duration_seconds_count 1"), "{text}");
    assert!(looking.try_recv().is_err());
}
