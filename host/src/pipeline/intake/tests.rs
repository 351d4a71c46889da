//! Through the real journal, without a listener.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;

use tokio::runtime::Handle;
use tokio::sync::broadcast::Receiver;

use http::HeaderMap;

use super::*;
use crate::pipeline::witness::exposition;
use crate::plugin::registry::Registry;
use crate::store::sqlite::{Limits, SqliteStore, Waiting};
use crate::telemetry::changes::Changes;
use crate::telemetry::live;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Traces;

const CONFIG: &str = r#"
[[source]]
name = "main"
secrets = [{ name = "a", value = "hush-hush" }]

[plugin.audit]
backlog_max = 1
"#;

const WAITING: Waiting = Waiting { count_max: 100, bytes_max: 1_000_000 };

const LIMITS: Limits = Limits {
    deliveries_max: 100,
    keep_ms: 1_000_000,
    keep_bytes_max: u64::MAX,
    refused_max: 100,
    attempt_log_bytes_max: 100,
};

struct Setting {
    intake: Intake<SqliteStore>,
    witness: Witness,
    looking: Receiver<Notice>,
    _folder: tempfile::TempDir,
}

impl Setting {
    /// One plugin is known and gets all events.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("hookbox.toml");
        fs::write(&file, CONFIG).expect("a file");
        let config = crate::config::read(Some(&file)).expect("a configuration");
        let witness = Witness {
            live: live::Live::default(),
            metrics: Metrics::new(),
            traces: Traces::default(),
        };
        let looking = witness.live.subscribe();
        let metrics = Arc::clone(&witness.metrics);
        let live = witness.live.clone();
        let opened =
            SqliteStore::open(folder.path(), WAITING, LIMITS, Handle::current(), metrics, live)
                .expect("a journal");
        let (changes, _) = Changes::new(witness.live.clone(), Arc::clone(&witness.metrics));
        let known = BTreeMap::from([("audit".parse().expect("a name"), Vec::new())]);
        let (_, generations) = Registry::new(known, &config.live.plugins, changes);
        let (_, live) = watch::channel(Arc::new(config.live));
        let intake = Intake::new(live, generations, Arc::new(opened.store), 1_000, witness.clone());
        Self { intake, witness, looking, _folder: folder }
    }

    async fn send(&mut self, source: &str, body: &str) -> Answer {
        let peer = ([192, 0, 2, 7], 4_000).into();
        let answer = if self.intake.knows(source) {
            self.intake
                .receive(source, peer, Arrival::now(&HeaderMap::new()), body.as_bytes().to_vec())
                .await
        } else {
            self.intake.refused(
                source,
                peer,
                &Arrival::now(&HeaderMap::new()),
                &Answer::UnknownSource,
            );
            Answer::UnknownSource
        };
        self.intake.answered(source, &answer, Duration::from_millis(2));
        answer
    }
}

fn body(video: u64, secret: &str) -> String {
    format!(
        r#"{{"event":"sd_encoded","timestamp":1790000000,"data":{{"Video":{{"id":{video}}}}},"secret":"{secret}"}}"#
    )
}

#[tokio::test]
async fn every_answer_is_counted_and_told_without_body_and_secret() {
    let mut setting = Setting::new();
    setting.send("main", &body(1, "hush-hush")).await;
    setting.send("main", &body(1, "hush-hush")).await;
    setting.send("main", &body(2, "hush-hush")).await;
    setting.send("main", &body(3, "hush-wrong")).await;
    setting.send("main", "no JSON hush-hush").await;
    setting.send("nobody-knows-it", "hush-hush").await;

    let totals = setting.witness.metrics.stats().totals;
    assert_eq!((totals.received, totals.accepted, totals.duplicate, totals.refused), (6, 2, 1, 3));
    assert_eq!(totals.dead, 1);
    let text = exposition(&setting.witness.metrics, &[], true, 0, 0);
    for (labels, count) in [
        (r#"source="main",answer="accepted""#, 2),
        (r#"source="main",answer="duplicate""#, 1),
        (r#"source="main",answer="secret-wrong""#, 1),
        (r#"source="main",answer="not-json""#, 1),
        (r#"source="unknown",answer="unknown-source""#, 1),
    ] {
        let line = format!("hookbox_requests_total{{{labels}}} {count}\n");
        assert!(text.contains(&line), "{line} in\n{text}");
    }
    assert!(text.contains("hookbox_accept_duration_seconds_count 3\n"), "{text}");
    assert!(!text.contains("nobody-knows-it"), "{text}");

    let mut told = Vec::new();
    while let Ok(notice) = setting.looking.try_recv() {
        told.push(serde_json::to_value(notice).expect("JSON"));
    }
    let kinds: Vec<&str> = told.iter().filter_map(|notice| notice["kind"].as_str()).collect();
    let expected = ["received", "received", "received", "dead", "refused", "refused", "refused"];
    assert_eq!(kinds, expected, "{told:?}");
    let text = serde_json::to_string(&told).expect("JSON");
    assert!(!text.contains("hush") && !text.contains("Video"), "{text}");
}

#[tokio::test]
async fn each_commit_is_counted_with_what_is_owed_after_it() {
    let mut setting = Setting::new();
    let Answer::Accepted { duplicate: false, .. } =
        setting.send("main", &body(1, "hush-hush")).await
    else {
        panic!("it is new")
    };
    let stats = setting.witness.metrics.stats();
    assert!(stats.commit.count >= 1, "{stats:?}");
    assert_eq!(stats.series.pending.last(), Some(&1));
}
