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
    let mut writer =
        Writer::new(journal, Arc::clone(&inbox), runtime.handle().clone(), Metrics::new());
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
