//! How each plugin's lane stands: what the writer counts in memory, beside what
//! the file says of the plugin.
//!
//! Cost: whoever asks wakes the writer, which copies some numbers for each
//! plugin between two batches; the file is read by a connection of its own, two
//! rows by their keys for each plugin that is owed anything. So it can be asked
//! every second, however much is owed or dead.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::inbox::Inbox;
use super::lanes::LaneCounts;
use super::query::unsigned;
use crate::store::LaneStatus;

/// The writer is in a commit or opens the file again when it takes longer. Then
/// the counts that were told last are near enough.
const COUNTS_WAIT_MAX: Duration = Duration::from_millis(500);

/// The writer's counts, as of its last commit, and those that were told last.
pub(super) struct Counts {
    // By a lock, since any task may ask. It is held for a copy.
    last: Mutex<Vec<LaneCounts>>,
}

impl Counts {
    pub(super) fn new(first: Vec<LaneCounts>) -> Self {
        Self { last: Mutex::new(first) }
    }

    pub(super) async fn ask(&self, inbox: &Inbox) -> Vec<LaneCounts> {
        let (reply, told) = oneshot::channel();
        inbox.push_ask(reply);
        let told = timeout(COUNTS_WAIT_MAX, told).await;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Ok(counts)) = told {
            *last = counts;
        }
        last.clone()
    }
}

/// A plugin's row, without what is counted.
const PLUGINS: &str = "SELECT name, digest, present, deleted_at_ms, paused_at_ms, breaker_until_ms
    FROM plugins ORDER BY name";

/// When the oldest of what is owed to a plugin arrived.
const OLDEST: &str = "SELECT received_at_ms FROM events WHERE seq =
    (SELECT event FROM queue WHERE plugin = ?1 ORDER BY event LIMIT 1)";

/// Those that have a file, are paused, are owed something or have dead letters
/// that are not discarded, by name. The latter also where they were forgotten, of
/// which nothing else is known.
pub(super) fn lanes(conn: &Connection, counts: &[LaneCounts]) -> rusqlite::Result<Vec<LaneStatus>> {
    let mut counts: HashMap<&str, &LaneCounts> =
        counts.iter().map(|counts| (counts.plugin.as_str(), counts)).collect();
    let mut oldest = conn.prepare_cached(OLDEST)?;
    let mut lanes = Vec::new();
    let mut statement = conn.prepare_cached(PLUGINS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // A name that is none has no lane.
        let Some(mut lane) = plugin(row)? else { continue };
        if let Some(counts) = counts.remove(lane.plugin.as_str()) {
            (lane.owed, lane.running, lane.dead) = (counts.owed, counts.running, counts.dead);
        }
        if lane.owed > 0 {
            let received: Option<i64> =
                oldest.query_row([lane.plugin.as_str()], |row| row.get(0)).optional()?;
            lane.oldest_at_ms = received.map(unsigned);
        }
        let has_file = lane.live || lane.deleted_at_ms.is_none();
        if has_file || lane.paused_at_ms.is_some() || lane.owed > 0 || lane.dead > 0 {
            lanes.push(lane);
        }
    }
    let forgotten = counts.into_values().filter(|counts| counts.dead > 0);
    lanes.extend(forgotten.map(|counts| LaneStatus {
        plugin: counts.plugin.clone(),
        digest: String::new(),
        live: false,
        deleted_at_ms: None,
        owed: counts.owed,
        oldest_at_ms: None,
        running: counts.running,
        dead: counts.dead,
        paused_at_ms: None,
        breaker_until_ms: None,
    }));
    lanes.sort_by(|a, b| a.plugin.cmp(&b.plugin));
    Ok(lanes)
}

fn plugin(row: &Row<'_>) -> rusqlite::Result<Option<LaneStatus>> {
    let name: String = row.get(0)?;
    let Ok(plugin) = name.parse() else { return Ok(None) };
    let time = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(unsigned));
    Ok(Some(LaneStatus {
        plugin,
        digest: row.get(1)?,
        live: row.get(2)?,
        deleted_at_ms: time(3)?,
        owed: 0,
        oldest_at_ms: None,
        running: 0,
        dead: 0,
        paused_at_ms: time(4)?,
        breaker_until_ms: time(5)?,
    }))
}

#[cfg(test)]
mod tests;
