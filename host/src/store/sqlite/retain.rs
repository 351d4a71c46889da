//! What is kept for how long. Events that are finished go by age and by the
//! file's size; what is owed or dead stays, however old or large.
//!
//! It runs between batches, in steps of bounded length.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::journal::Journal;
use super::matching::{self, Owed};

/// Rows that one step looks at.
const STEP: i64 = 500;

/// Changes that are kept, the newest: so many of operators', and so many others,
/// so that what operators did does not go for a plugin that comes and goes. By
/// number alone: they are few and short,
/// some megabytes in all, and where little happens what an operator did long ago
/// is worth having.
const CHANGES_KEPT: i64 = 10_000;

/// Where the walk over events is.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Events up to this one were looked at in this round.
    after: i64,
}

impl Journal {
    /// One step. Whether there may be more to remove at once.
    ///
    /// # Errors
    /// SQLite's; then the journal has to be opened again.
    pub fn retain(&mut self, now_ms: u64) -> rusqlite::Result<bool> {
        let result = self.retain_step(now_ms);
        if result.is_err() {
            self.undo();
        }
        result
    }

    fn retain_step(&mut self, now_ms: u64) -> rusqlite::Result<bool> {
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let limits = self.limits();
        let keep_ms = i64::try_from(limits.keep_ms).unwrap_or(i64::MAX);
        let keep_bytes = limits.keep_bytes_max;
        let refused_max = i64::try_from(limits.refused_max).unwrap_or(i64::MAX);
        let before = now.saturating_sub(keep_ms);

        let mut more = false;
        let ends_of_windows: i64 = self.connection().query_row(
            "SELECT count(*) FROM (SELECT 1 FROM seen WHERE until_ms <= ?1 LIMIT ?2)",
            params![now, STEP],
            |row| row.get(0),
        )?;
        if ends_of_windows > 0 {
            self.begin()?;
            self.connection().execute(
                "DELETE FROM seen WHERE (body_time, sha256, source) IN
                     (SELECT body_time, sha256, source FROM seen WHERE until_ms <= ?1 LIMIT ?2)",
                params![now, STEP],
            )?;
            more |= ends_of_windows == STEP;
        }

        more |= self.forget_refused(before, refused_max)?;
        more |= self.forget_changes()?;
        let too_large = used_bytes(self.connection())? > keep_bytes;
        more |= self.forget_events(before, too_large)?;
        self.commit()?;
        Ok(more)
    }

    fn forget_refused(&mut self, before: i64, refused_max: i64) -> rusqlite::Result<bool> {
        let (first, last): (Option<i64>, Option<i64>) = self.connection().query_row(
            "SELECT (SELECT min(seq) FROM refused), (SELECT max(seq) FROM refused)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (Some(first), Some(last)) = (first, last) else { return Ok(false) };
        // Numbers have no gaps at the young end, so they count.
        let most = last.saturating_sub(refused_max);
        let end = first.saturating_add(STEP);
        let oldest: i64 = self.connection().query_row(
            "SELECT at_ms FROM refused WHERE seq = ?1",
            [first],
            |row| row.get(0),
        )?;
        if first > most && oldest >= before {
            return Ok(false);
        }
        self.begin()?;
        let removed = self.connection().execute(
            "DELETE FROM refused WHERE seq < ?1 AND (seq <= ?2 OR at_ms < ?3)",
            params![end, most, before],
        )?;
        Ok(removed as i64 == STEP)
    }

    fn forget_changes(&mut self) -> rusqlite::Result<bool> {
        let (first, last): (Option<i64>, Option<i64>) = self.connection().query_row(
            "SELECT (SELECT min(seq) FROM changes), (SELECT max(seq) FROM changes)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (Some(first), Some(last)) = (first, last) else { return Ok(false) };
        // There are no more than their numbers reach.
        if last.saturating_sub(first) < CHANGES_KEPT {
            return Ok(false);
        }
        let mut more = false;
        for operators in [false, true] {
            let most: Option<i64> = self
                .connection()
                .prepare_cached(
                    "SELECT seq FROM changes WHERE (actor IS NOT NULL) = ?1
                     ORDER BY seq DESC LIMIT 1 OFFSET ?2",
                )?
                .query_row(params![operators, CHANGES_KEPT], |row| row.get(0))
                .optional()?;
            let Some(most) = most else { continue };
            self.begin()?;
            let removed = self.connection().execute(
                "DELETE FROM changes WHERE seq IN
                     (SELECT seq FROM changes WHERE (actor IS NOT NULL) = ?1 AND seq <= ?2
                      ORDER BY seq LIMIT ?3)",
                params![operators, most, STEP],
            )?;
            more |= removed as i64 == STEP;
        }
        Ok(more)
    }

    /// Looks at the next events, oldest first, and removes those that are
    /// finished and too old, or finished while the file is too large.
    fn forget_events(&mut self, before: i64, too_large: bool) -> rusqlite::Result<bool> {
        let after = self.walk().after;
        let plugins = matching::owed(self.connection())?;
        let mut candidates: Vec<(i64, bool)> = Vec::new();
        {
            let mut statement = self.connection().prepare_cached(
                "SELECT seq, received_at_ms < ?2 FROM events WHERE seq > ?1
                 ORDER BY seq LIMIT ?3",
            )?;
            let mut rows = statement.query(params![after, before, STEP])?;
            while let Some(row) = rows.next()? {
                candidates.push((row.get(0)?, row.get(1)?));
            }
        }
        let complete = (candidates.len() as i64) < STEP;
        let mut removed = 0;
        let mut reached_young = false;
        for (event, old) in candidates {
            if !old && !too_large {
                reached_young = true;
                break;
            }
            self.walk().after = event;
            if is_open(self.connection(), event, &plugins)? {
                continue;
            }
            self.begin()?;
            let connection = self.connection();
            for text in [
                "DELETE FROM calls WHERE event = ?1",
                "DELETE FROM attempts WHERE event = ?1",
                "DELETE FROM dead_letters WHERE event = ?1",
                "DELETE FROM events WHERE seq = ?1",
            ] {
                connection.prepare_cached(text)?.execute([event])?;
            }
            removed += 1;
            // Room that was made counts before more is taken.
            if too_large && !old && removed >= STEP / 10 {
                return Ok(true);
            }
        }
        if complete || reached_young {
            self.walk().after = 0;
            return Ok(false);
        }
        Ok(true)
    }
}

/// Whether anything about the event is owed, or dead and not discarded.
fn is_open(connection: &Connection, event: i64, plugins: &[Owed]) -> rusqlite::Result<bool> {
    let mut dead = connection.prepare_cached(
        "SELECT 1 FROM dead_letters WHERE event = ?1 AND discarded_at_ms IS NULL LIMIT 1",
    )?;
    if dead.exists([event])? {
        return Ok(true);
    }
    let mut owed = connection
        .prepare_cached("SELECT 1 FROM queue WHERE plugin = ?1 AND event = ?2 LIMIT 1")?;
    for Owed { plugin, .. } in plugins {
        if owed.exists(params![plugin, event])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the file holds, without the pages that are free.
fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma: &str| -> rusqlite::Result<u64> {
        let number: i64 = connection.prepare_cached(pragma)?.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(number).unwrap_or(0))
    };
    let used = number("PRAGMA page_count")?.saturating_sub(number("PRAGMA freelist_count")?);
    Ok(used * number("PRAGMA page_size")?)
}
