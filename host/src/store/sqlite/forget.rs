//! Giving up all that is owed to a plugin which is gone.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::operate::{CHANGES_MAX, Context, Step, deleted, known};
use super::query::{QueryError, signed};
use super::rows::unblock;
use super::walk::limit;
use crate::store::records::RequestError;

/// A step of it. The last one forgets the plugin itself.
pub(super) fn forget(
    conn: &Connection,
    plugin: &str,
    dry_run: bool,
    after: Option<&str>,
    context: &Context<'_>,
) -> Result<Step, QueryError> {
    let deleted = deleted(conn, plugin)?;
    if (context.live)(plugin) || deleted == Some(false) {
        let message = format!(
            "the plugin {plugin:?} has a file: delete it while the server runs, then forget the plugin"
        );
        return Err(RequestError::invalid(message).into());
    }
    let from = match after {
        Some(after) => after
            .split_once(',')
            .and_then(|(event, replay)| Some((event.parse().ok()?, replay.parse().ok()?)))
            .ok_or_else(|| RequestError::invalid("`after` is not the `next` of a step"))?,
        None => (i64::MIN, 0),
    };
    let rows = queued(conn, plugin, from)?;
    if rows.is_empty() && deleted.is_none() && after.is_none() {
        known(conn, plugin)?;
    }
    let mut step = Step::default();
    step.report.count = rows.len() as u64;
    if rows.len() >= CHANGES_MAX {
        step.report.next = rows.last().map(|row| format!("{},{}", row.event, row.replay));
    }
    if dry_run {
        return Ok(step);
    }
    for row in &rows {
        row.give_up(conn, plugin, context.now_ms)?;
    }
    // In case the operator stops half-way and the plugin comes back.
    let entities: BTreeSet<&String> = rows.iter().filter_map(|row| row.entity.as_ref()).collect();
    for entity in entities {
        unblock(conn, plugin, entity, context.now_ms)?;
    }
    if step.report.next.is_none() {
        let forgotten = conn
            .prepare_cached(
                "DELETE FROM plugins WHERE name = ?1
                 AND NOT EXISTS (SELECT 1 FROM queue WHERE plugin = ?1)",
            )?
            .execute([plugin])?;
        if forgotten > 0 {
            // Its pause went with it.
            step.set_paused(plugin, false);
        }
    }
    step.touch(plugin, -i64::try_from(rows.len()).unwrap_or(i64::MAX));
    Ok(step)
}

/// A delivery that is owed.
struct Queued {
    event: i64,
    replay: i64,
    id: String,
    attempts: u32,
    entity: Option<String>,
}

fn queued(
    conn: &Connection,
    plugin: &str,
    (event, replay): (i64, i64),
) -> rusqlite::Result<Vec<Queued>> {
    conn.prepare_cached(
        "SELECT event, replay, id, attempts, entity FROM queue
         WHERE plugin = ?1 AND (event, replay) > (?2, ?3) ORDER BY event, replay LIMIT ?4",
    )?
    .query_map(params![plugin, event, replay, limit(CHANGES_MAX)], |row| {
        Ok(Queued {
            event: row.get(0)?,
            replay: row.get(1)?,
            id: row.get(2)?,
            attempts: row.get(3)?,
            entity: row.get(4)?,
        })
    })?
    .collect()
}

impl Queued {
    fn give_up(&self, conn: &Connection, plugin: &str, now_ms: u64) -> rusqlite::Result<()> {
        conn.prepare_cached("DELETE FROM queue WHERE plugin = ?1 AND event = ?2 AND replay = ?3")?
            .execute(params![plugin, self.event, self.replay])?;
        conn.prepare_cached(
            "INSERT OR REPLACE INTO dead_letters
             (id, plugin, event, replay, attempts, died_at_ms, reason, error, discarded_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'forgotten', NULL, ?6)",
        )?
        .execute(params![
            self.id,
            plugin,
            self.event,
            self.replay,
            self.attempts,
            signed(now_ms)
        ])?;
        Ok(())
    }
}
