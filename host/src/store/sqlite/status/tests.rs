#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use hookbox_core::breaker::BreakerPolicy;
use hookbox_core::event::{Event, Stored};
use hookbox_core::ids::{DeliveryId, Digest, EventId, PluginName};
use hookbox_core::outcome::{Failure, FailureKind, Outcome};
use hookbox_core::retry::RetryPolicy;
use tokio::runtime::Handle;

use super::super::fixture::{Fixture, START_MS, received};
use super::super::{Limits, SqliteStore, Waiting};
use super::*;
use crate::store::records::Operation;
use crate::store::{Accept, Attempt, LivePlugin, NewDelivery, Policy, Store as _};
use crate::telemetry::live::Live;
use crate::telemetry::metrics::Metrics;

fn counted(plugin: &str, owed: u64, dead: u64) -> LaneCounts {
    LaneCounts { plugin: plugin.parse().expect("a name"), owed, running: 1, dead }
}

#[test]
fn a_plugin_is_listed_while_it_has_a_file_or_anything_is_left_of_it() {
    let mut fixture = Fixture::new();
    fixture.events(3);
    fixture.plugin("live", true, Some(START_MS as i64));
    for plugin in ["gone", "owed", "dead", "paused", "unloadable"] {
        fixture.plugin(plugin, false, None);
    }
    fixture
        .conn
        .execute_batch(
            "UPDATE plugins SET paused_at_ms = 7 WHERE name = 'paused';
             UPDATE plugins SET deleted_at_ms = NULL WHERE name = 'unloadable'",
        )
        .expect("an update");
    fixture.owe("owed", 3, 0, "pending");
    fixture.owe("owed", 2, 1, "running");
    let counts = [
        counted("owed", 2, 0),
        counted("dead", 0, 4),
        counted("forgotten", 0, 1),
        counted("empty", 0, 0),
    ];
    let lanes = lanes(&fixture.conn, &counts).expect("the lanes");
    let names: Vec<_> = lanes.iter().map(|lane| lane.plugin.as_str()).collect();
    assert_eq!(names, ["dead", "forgotten", "live", "owed", "paused", "unloadable"]);
    let of = |name: &str| lanes.iter().find(|lane| lane.plugin.as_str() == name).expect(name);
    let owed = of("owed");
    assert_eq!((owed.owed, owed.running, owed.oldest_at_ms), (2, 1, Some(received(2))));
    assert_eq!((owed.live, owed.deleted_at_ms), (false, Some(1)));
    assert_eq!((of("forgotten").dead, of("forgotten").live), (1, false));
    assert_eq!((of("dead").dead, of("dead").oldest_at_ms), (4, None));
    assert_eq!((of("live").live, of("live").breaker_until_ms), (true, Some(START_MS)));
    assert_eq!(of("paused").paused_at_ms, Some(7));
}

#[test]
fn the_oldest_is_found_by_its_key() {
    let fixture = Fixture::new();
    let plan: Vec<String> = {
        let sql = format!("EXPLAIN QUERY PLAN {OLDEST}");
        let mut plan = fixture.conn.prepare(&sql).expect("a plan");
        let lines = plan.query_map([""], |row| row.get(3)).expect("lines");
        lines.collect::<rusqlite::Result<_>>().expect("text")
    };
    let plan = plan.join("; ");
    assert!(plan.contains("SEARCH queue USING PRIMARY KEY (plugin=?)"), "{plan}");
    for wrong in ["SCAN", "TEMP B-TREE"] {
        assert!(!plan.contains(wrong), "{plan}");
    }
}

fn live(name: &PluginName) -> LivePlugin {
    LivePlugin {
        name: name.clone(),
        digest: Digest::of(b"code"),
        asks_for: Vec::new(),
        policy: Policy {
            retry: RetryPolicy { attempts_max: 9, backoff_first_ms: 0, backoff_max_ms: 0 },
            breaker: BreakerPolicy { failures: 0, open_first_ms: 1, open_max_ms: 1 },
            ordered: false,
            serial: false,
        },
    }
}

fn accept(number: u8, plugin: &PluginName) -> Accept {
    let stored = Stored {
        source: "main".parse().expect("a name"),
        secret: "test".to_owned(),
        name: "edit_video".to_owned(),
        document: format!(r#"{{"event":"edit_video","n":{number}}}"#),
    };
    let random = [number; 10];
    let deliveries = vec![NewDelivery {
        id: DeliveryId::new(START_MS, random),
        plugin: plugin.clone(),
        backlog_max: 100,
        ordered: false,
    }];
    Accept {
        id: EventId::new(START_MS, random),
        event: Arc::new(Event::restore(stored).expect("an event")),
        received_at_ms: received(number.into()),
        duplicate_window_ms: 0,
        deliveries,
        trace: None,
    }
}

fn rejected() -> Attempt {
    let kind = FailureKind::Rejected;
    Attempt {
        digest: Digest::of(b"code"),
        generation: 1,
        started_at_ms: START_MS,
        duration: Duration::ZERO,
        outcome: Outcome::Failed(Failure { kind, message: "no".to_owned() }),
        log: String::new(),
        changes: Vec::new(),
        calls: Vec::new(),
    }
}

#[tokio::test]
async fn the_lanes_of_a_running_store_say_what_was_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = Limits {
        deliveries_max: 100,
        keep_ms: u64::MAX,
        keep_bytes_max: u64::MAX,
        refused_max: 10,
        attempt_log_bytes_max: 100,
    };
    let waiting = Waiting { count_max: 10, bytes_max: 100_000 };
    let opened = SqliteStore::open(
        folder.path(),
        waiting,
        limits,
        Handle::current(),
        Metrics::new(),
        Live::default(),
    );
    let store = opened.expect("a store").store;
    let plugin: PluginName = "probe".parse().expect("a name");
    assert_eq!(store.lanes().await.expect("lanes"), []);
    store.plugins(vec![live(&plugin)], Vec::new());
    for number in 1..=3 {
        store.accept(accept(number, &plugin)).await.expect("accepted");
    }
    let first = store.claim(&plugin).await.expect("a claim");
    store.settle(first, rejected()).await.expect("settled");
    let _runs = store.claim(&plugin).await.expect("a claim");
    let pause = Operation::Pause { plugin: plugin.to_string() };
    assert_eq!(store.operate(pause).await.expect("a report").count, 1);
    let lanes = store.lanes().await.expect("lanes");
    let [lane] = lanes.as_slice() else { panic!("{lanes:?}") };
    assert_eq!((lane.owed, lane.running, lane.dead), (2, 1, 1), "{lane:?}");
    assert_eq!(lane.oldest_at_ms, Some(received(2)));
    assert!(lane.live && lane.paused_at_ms.is_some(), "{lane:?}");
    let files = ["journal.sqlite", "journal.sqlite-wal"].map(|name| folder.path().join(name));
    let bytes = files.map(|file| std::fs::metadata(file).expect("a file").len());
    assert!(bytes.iter().all(|bytes| *bytes > 0), "{bytes:?}");
    assert_eq!(store.journal_bytes(), bytes.iter().sum::<u64>());
    tokio::task::spawn_blocking(move || store.end()).await.expect("its end");
}
