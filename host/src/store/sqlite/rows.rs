//! The journal's statements: each function is one, or the few that belong
//! together. `schema.sql` says what the columns mean.

mod calls;
mod counts;
mod notes;
mod plugins;
mod read;

use hookbox_core::event::Event;
use hookbox_core::ids::{EventId, PluginName};
use hookbox_core::outcome::Outcome;
use hookbox_core::retry::{DeadReason, Next};
use rusqlite::{Connection, OptionalExtension as _, params};

pub(super) use self::calls::insert_calls;
pub(super) use self::counts::{dead, last_event, owed};
pub(super) use self::notes::{breaker_change, insert_change, insert_refused};
pub(super) use self::plugins::{
    breakers, forget_breakers, known, mark_absent, mark_live, note_breaker,
};
pub(super) use self::read::{Unreadable, event_id, next_due, read_due, read_fresh};
use crate::store::{Accept, Attempt, Claim, Key};

/// Where a delivery stands in `queue`.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) plugin: &'a PluginName,
    pub(super) key: Key,
}

/// SQLite's integers have a sign.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The event that the same body made, where its window is not over.
pub(super) fn seen(
    connection: &Connection,
    event: &Event,
    now_ms: u64,
) -> rusqlite::Result<Option<EventId>> {
    let mut statement = connection.prepare_cached(
        "SELECT event_id FROM seen
         WHERE body_time = ?1 AND sha256 = ?2 AND source = ?3 AND until_ms > ?4",
    )?;
    let time = event.timestamp().unwrap_or(0);
    let content = event.content();
    let of: Option<String> = statement
        .query_row(
            params![time, content.as_bytes(), event.source().as_str(), integer(now_ms)],
            |row| row.get(0),
        )
        .optional()?;
    Ok(of.and_then(|id| id.parse().ok()))
}

/// Counts a duplicate.
pub(super) fn repeat(connection: &Connection, of: EventId) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("UPDATE events SET repeats = repeats + 1 WHERE id = ?1")?;
    // The event may have been removed before its window is over.
    statement.execute([of.to_string()])?;
    Ok(())
}

pub(super) fn insert_seen(
    connection: &Connection,
    accept: &Accept,
    until_ms: u64,
) -> rusqlite::Result<()> {
    let event = &accept.event;
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO seen (body_time, sha256, source, event_id, until_ms)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    statement.execute(params![
        event.timestamp().unwrap_or(0),
        event.content().as_bytes(),
        event.source().as_str(),
        accept.id.to_string(),
        integer(until_ms),
    ])?;
    Ok(())
}

pub(super) fn insert_event(
    connection: &Connection,
    seq: i64,
    accept: &Accept,
) -> rusqlite::Result<()> {
    let event = &accept.event;
    let mut statement = connection.prepare_cached(
        "INSERT INTO events (seq, id, source, name, secret, received_at_ms, deliveries,
             document, trace)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    statement.execute(params![
        seq,
        accept.id.to_string(),
        event.source().as_str(),
        event.name(),
        event.secret(),
        integer(accept.received_at_ms),
        accept.deliveries.len() as i64,
        event.typed().document,
        accept.trace,
    ])?;
    Ok(())
}

pub(super) fn insert_delivery(
    connection: &Connection,
    place: Place<'_>,
    id: &str,
    state: &str,
    entity: Option<&str>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO queue (plugin, event, replay, id, state, attempts, forgiven, entity)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5 = 'running', 0, ?6)",
    )?;
    let Place { plugin, key } = place;
    statement.execute(params![plugin.as_str(), key.event, key.replay, id, state, entity])?;
    Ok(())
}

/// A delivery that is given up.
pub(super) struct Dead<'a> {
    pub(super) place: Place<'a>,
    pub(super) id: &'a str,
    pub(super) attempts: u32,
    pub(super) reason: DeadReason,
    pub(super) error: Option<&'a str>,
}

pub(super) fn insert_dead(
    connection: &Connection,
    dead: &Dead<'_>,
    now_ms: u64,
) -> rusqlite::Result<()> {
    // Replaced where a failed commit was in the file after all.
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO dead_letters
             (id, plugin, event, replay, attempts, died_at_ms, reason, error)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let Place { plugin, key } = dead.place;
    statement.execute(params![
        dead.id,
        plugin.as_str(),
        key.event,
        key.replay,
        dead.attempts,
        integer(now_ms),
        dead.reason.code(),
        dead.error,
    ])?;
    Ok(())
}

/// The record of a call. None where the event was removed while it ran, which
/// can be once its plugin was forgotten.
pub(super) fn insert_attempt(
    connection: &Connection,
    claim: &Claim,
    attempt: &Attempt,
    next: Next,
    log_bytes_max: usize,
) -> rusqlite::Result<()> {
    let (outcome, blame, error) = match &attempt.outcome {
        Outcome::Handled => ("handled", None, None),
        Outcome::Failed(failure) => {
            let kind = failure.kind;
            (kind.code(), Some(kind.blame().code()), Some(failure.message.as_str()))
        }
    };
    let became = match next {
        Next::Succeeded => "succeeded",
        Next::Retry { .. } => "waiting",
        Next::Dead(_) => "dead",
    };
    let log = attempt.log.get(..attempt.log.floor_char_boundary(log_bytes_max)).unwrap_or_default();
    // Replaced where a failed commit was in the file after all.
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO attempts (event, plugin, replay, number, delivery, digest,
             generation, started_at_ms, duration_us, outcome, blame, error, log, became)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14
         WHERE EXISTS (SELECT 1 FROM events WHERE seq = ?1)",
    )?;
    statement.execute(params![
        claim.key.event,
        claim.plugin.as_str(),
        claim.key.replay,
        claim.attempt,
        claim.delivery.to_string(),
        attempt.digest.to_string(),
        integer(attempt.generation),
        integer(attempt.started_at_ms),
        i64::try_from(attempt.duration.as_micros()).unwrap_or(i64::MAX),
        outcome,
        blame,
        error,
        (!log.is_empty()).then_some(log),
        became,
    ])?;
    Ok(())
}

/// Takes a delivery out of the queue. Its entity, if it was there and has one.
pub(super) fn take_out(
    connection: &Connection,
    place: Place<'_>,
) -> rusqlite::Result<Option<Option<String>>> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM queue WHERE plugin = ?1 AND event = ?2 AND replay = ?3 RETURNING entity",
    )?;
    let Place { plugin, key } = place;
    statement
        .query_row(params![plugin.as_str(), key.event, key.replay], |row| row.get(0))
        .optional()
}

/// Marks a delivery as running and counts the attempt. False where it is not
/// there to be run any more.
pub(super) fn run(connection: &Connection, place: Place<'_>) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "UPDATE queue SET state = 'running', attempts = attempts + 1, due_at_ms = NULL
         WHERE plugin = ?1 AND event = ?2 AND replay = ?3 AND state IN ('pending', 'waiting')",
    )?;
    let Place { plugin, key } = place;
    Ok(statement.execute(params![plugin.as_str(), key.event, key.replay])? == 1)
}

/// A delivery is tried again.
pub(super) fn wait(
    connection: &Connection,
    place: Place<'_>,
    due_at_ms: u64,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE queue SET state = 'waiting', due_at_ms = ?4
         WHERE plugin = ?1 AND event = ?2 AND replay = ?3",
    )?;
    let Place { plugin, key } = place;
    statement.execute(params![plugin.as_str(), key.event, key.replay, integer(due_at_ms)])?;
    Ok(())
}

/// Nothing of a plugin waits past `most_ms`.
pub(super) fn wait_no_longer(
    connection: &Connection,
    plugin: &PluginName,
    now_ms: u64,
    most_ms: u64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE queue SET due_at_ms = ?2
             WHERE plugin = ?1 AND state = 'waiting' AND due_at_ms > ?3",
        )?
        .execute(params![plugin.as_str(), integer(now_ms), integer(most_ms)])?;
    Ok(())
}

/// A delivery that was not begun after all.
pub(super) fn put_back(
    connection: &Connection,
    place: Place<'_>,
    now_ms: u64,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE queue SET state = 'waiting', due_at_ms = ?4, attempts = max(attempts - 1, 0)
         WHERE plugin = ?1 AND event = ?2 AND replay = ?3 AND state = 'running'",
    )?;
    let Place { plugin, key } = place;
    statement.execute(params![plugin.as_str(), key.event, key.replay, integer(now_ms)])?;
    Ok(())
}

/// Whether anything about the entity is owed to the plugin.
pub(super) fn entity_is_open(
    connection: &Connection,
    plugin: &str,
    entity: &str,
) -> rusqlite::Result<bool> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM queue WHERE plugin = ?1 AND entity = ?2 LIMIT 1")?;
    statement.exists(params![plugin, entity])
}

/// Lets the first delivery about an entity go, where nothing holds it up any
/// more. Whether there was one to let go.
pub(super) fn unblock(
    connection: &Connection,
    plugin: &str,
    entity: &str,
    now_ms: u64,
) -> rusqlite::Result<bool> {
    // Both name their index: without, SQLite reads all that is owed to the plugin.
    let mut open = connection.prepare_cached(
        "SELECT 1 FROM queue INDEXED BY queue_open
         WHERE plugin = ?1 AND entity = ?2 AND entity IS NOT NULL AND state <> 'blocked' LIMIT 1",
    )?;
    if open.exists(params![plugin, entity])? {
        return Ok(false);
    }
    let mut first = connection.prepare_cached(
        "SELECT event, replay FROM queue INDEXED BY queue_entity
         WHERE plugin = ?1 AND entity = ?2 ORDER BY event, replay LIMIT 1",
    )?;
    let first: Option<(i64, i64)> = first
        .query_row(params![plugin, entity], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((event, replay)) = first else { return Ok(false) };
    let mut statement = connection.prepare_cached(
        "UPDATE queue SET state = 'waiting', due_at_ms = ?4
         WHERE plugin = ?1 AND event = ?2 AND replay = ?3",
    )?;
    statement.execute(params![plugin, event, replay, integer(now_ms)])?;
    Ok(true)
}

/// A delivery that the file says is running.
pub(super) struct RunningRow {
    pub(super) key: Key,
    id: String,
    attempts: u32,
}

pub(super) fn running(
    connection: &Connection,
    plugin: &PluginName,
) -> rusqlite::Result<Vec<RunningRow>> {
    let mut statement = connection.prepare(
        "SELECT event, replay, id, attempts FROM queue WHERE plugin = ?1 AND state = 'running'",
    )?;
    let rows = statement.query_map([plugin.as_str()], |row| {
        Ok(RunningRow {
            key: Key { event: row.get(0)?, replay: row.get(1)? },
            id: row.get(2)?,
            attempts: small(row.get(3)?),
        })
    })?;
    rows.collect()
}

/// A delivery that ran when the last process ended: the attempt counts, and it
/// is owed again.
pub(super) fn interrupt(
    connection: &Connection,
    place: Place<'_>,
    row: &RunningRow,
    now_ms: u64,
) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT OR REPLACE INTO attempts (event, plugin, replay, number, delivery, digest,
             generation, started_at_ms, duration_us, outcome, blame, error, log, became)
         VALUES (?1, ?2, ?3, ?4, ?5, '', 0, ?6, 0, 'interrupted', 'host',
             'hookbox ended during this attempt, or could not write its end; the time is that of the next start', NULL,
             'waiting')",
        params![
            row.key.event,
            place.plugin.as_str(),
            row.key.replay,
            row.attempts,
            row.id,
            integer(now_ms)
        ],
    )?;
    wait(connection, place, now_ms)
}
