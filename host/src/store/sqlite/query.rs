//! What an operator can read. Each answer looks at a bounded number of rows in
//! one short transaction; see [`Page`].
//!
//! Not here: which events a filter is about (`walk`, `matching`), and how dead
//! letters are walked (`dead`).

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use serde_json::Value;

use self::notes::Refused;
use super::dead;
use super::keyvalue;
use super::matching::{self, EventRow, Owed, canonical, state_of};
use super::search::READ_MAX;
use super::walk::{Bounds, Order, Position, Walk, limit as rows};
use crate::store::records::{
    AttemptRecord, DeadLetter, DeliverySummary, EventDetail, EventSummary, Filter, Page, Query,
    RequestError, State,
};

/// Rows that one answer looks at: some tens of milliseconds. The write-ahead log
/// cannot be shortened while a reader is in it.
pub(super) const ROWS_MAX: usize = 20_000;

/// Items on a page.
const PAGE_MAX: u32 = 1_000;

/// Deliveries of one event, of each kind: in a list, and alone.
const LISTED_MAX: usize = 100;
const DETAILED_MAX: usize = 1_000;

/// Why a question is not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueryError {
    /// The file cannot be read.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// It makes no sense.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl From<QueryError> for RequestError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Sqlite(error) => {
                Self::unavailable(format!("the journal cannot be read: {error}"))
            }
            QueryError::Request(error) => error,
        }
    }
}

/// Answers a question as JSON: a [`Page`], or an [`EventDetail`].
///
/// # Errors
/// Where there is no such event, the question makes no sense, or the file
/// cannot be read.
pub(super) fn answer(conn: &Connection, query: &Query) -> Result<Value, RequestError> {
    // One snapshot for all that is read. It ends when it is dropped.
    let _snapshot = match conn.is_autocommit() {
        true => Some(conn.unchecked_transaction().map_err(QueryError::from)?),
        false => None,
    };
    match query {
        Query::Events { filter, limit, after } => {
            json(&events(conn, filter, *limit, after.as_deref())?)
        }
        Query::Dead { filter, limit, after } => {
            json(&dead(conn, filter, *limit, after.as_deref())?)
        }
        Query::Event { id } => match event(conn, id)? {
            Some(event) => json(&event),
            None => Err(RequestError::not_found(format!("there is no event {id:?}"))),
        },
        Query::Deliveries { filter, limit, after } => {
            json(&deliveries::page(conn, filter, page_size(*limit)?, after.as_deref())?)
        }
        Query::Refusals { source, code, since_ms, until_ms, limit, after } => {
            let (source, code) = (source.as_deref(), code.as_deref());
            let which = Refused { source, code, since_ms: *since_ms, until_ms: *until_ms };
            json(&notes::refusals(conn, &which, page_size(*limit)?, after.as_deref())?)
        }
        Query::Changes { plugin, kind, limit, after } => {
            let limit = page_size(*limit)?;
            json(&notes::changes(conn, plugin.as_deref(), *kind, limit, after.as_deref())?)
        }
        Query::StatePlugins { limit, after } => {
            json(&keyvalue::plugins(conn, page_size(*limit)?, after.as_deref())?)
        }
        Query::StateKeys { plugin, prefix, limit, after } => {
            json(&keyvalue::keys(conn, plugin, prefix, page_size(*limit)?, after.as_deref())?)
        }
        Query::StateEntries { plugin, limit, after } => {
            json(&keyvalue::entries(conn, plugin, page_size(*limit)?, after.as_deref())?)
        }
        Query::StateEntry { plugin, key } => json(&keyvalue::entry(conn, plugin, key)?),
    }
}

fn json(value: &impl Serialize) -> Result<Value, RequestError> {
    serde_json::to_value(value).map_err(|error| RequestError::unavailable(error.to_string()))
}

/// Events, newest first.
///
/// # Errors
/// Where the filter makes no sense, or the file cannot be read.
pub(super) fn events(
    conn: &Connection,
    filter: &Filter,
    limit: u32,
    after: Option<&str>,
) -> Result<Page<EventSummary>, QueryError> {
    let walk = Walk::new(conn, filter, Order::NewestFirst)?;
    let from = after.map(Position::parse).transpose()?;
    let bounds =
        Bounds { items: page_size(limit)?, rows: ROWS_MAX, bytes: u64::MAX, read: READ_MAX };
    let (found, next) = walk.page(from.as_ref(), None, bounds)?;
    let items = found
        .into_iter()
        .map(|row| summary(conn, &walk.matching().owed, row, LISTED_MAX))
        .collect::<rusqlite::Result<_>>()?;
    Ok(Page { items, next: next.map(|next| next.to_string()) })
}

/// One event. None: there is none of that id.
///
/// # Errors
/// Where the file cannot be read.
pub(super) fn event(conn: &Connection, id: &str) -> Result<Option<EventDetail>, QueryError> {
    let Some(row) = matching::event_row(conn, &canonical(id))? else { return Ok(None) };
    let (secret, document) = conn
        .prepare_cached("SELECT secret, document FROM events WHERE seq = ?1")?
        .query_row([row.seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut attempts: Vec<(i64, AttemptRecord)> = conn
        .prepare_cached(
            "SELECT delivery, plugin, number, digest, generation, started_at_ms, duration_us,
                    outcome, blame, error, log, became, replay
             FROM attempts WHERE event = ?1 ORDER BY started_at_ms, plugin, replay, number LIMIT ?2",
        )?
        .query_map(params![row.seq, rows(DETAILED_MAX)], |row| Ok((row.get(12)?, attempt(row)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (place, call) in calls::of(conn, row.seq, DETAILED_MAX)? {
        let of = |(replay, attempt): &&mut (i64, AttemptRecord)| place.is(*replay, attempt);
        if let Some((_, attempt)) = attempts.iter_mut().find(of) {
            attempt.calls.push(call);
        }
    }
    let attempts = attempts.into_iter().map(|(_, attempt)| attempt).collect();
    let summary = summary(conn, &matching::owed(conn)?, row, DETAILED_MAX)?;
    Ok(Some(EventDetail { summary, secret, document, attempts }))
}

/// Dead letters, newest first: those that are not discarded, unless the filter
/// asks for these or names ids.
///
/// # Errors
/// Where the filter makes no sense, or the file cannot be read.
pub(super) fn dead(
    conn: &Connection,
    filter: &Filter,
    limit: u32,
    after: Option<&str>,
) -> Result<Page<DeadLetter>, QueryError> {
    dead::newest(conn, filter, page_size(limit)?, after)
}

fn page_size(limit: u32) -> Result<usize, RequestError> {
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    Err(RequestError::invalid(format!("`limit` is {limit}, must be 1 to {PAGE_MAX}")))
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<AttemptRecord> {
    Ok(AttemptRecord {
        delivery: row.get(0)?,
        plugin: row.get(1)?,
        number: row.get(2)?,
        digest: row.get(3)?,
        generation: unsigned(row.get(4)?),
        started_at_ms: unsigned(row.get(5)?),
        duration_us: unsigned(row.get(6)?),
        outcome: row.get(7)?,
        blame: row.get(8)?,
        error: row.get(9)?,
        log: row.get(10)?,
        became: row.get(11)?,
        calls: Vec::new(),
    })
}

/// SQLite's integers have a sign. None of these is negative.
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// The way back.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn summary(
    conn: &Connection,
    owed: &[Owed],
    row: EventRow,
    most: usize,
) -> rusqlite::Result<EventSummary> {
    let all = listed(conn, owed, row.seq, None, most)?;
    Ok(EventSummary {
        deliveries: all.into_iter().map(|(_, delivery)| delivery).collect(),
        id: row.id,
        source: row.source,
        name: row.name,
        received_at_ms: unsigned(row.received_at_ms),
        bytes: row.bytes,
        repeats: row.repeats,
    })
}

/// The deliveries of an event by plugin and replay, whose number comes first;
/// all of them or those for one plugin, at most so many of each kind.
fn listed(
    conn: &Connection,
    owed: &[Owed],
    event: i64,
    plugin: Option<&str>,
    most: usize,
) -> rusqlite::Result<Vec<(i64, DeliverySummary)>> {
    let mut found: Vec<(i64, DeliverySummary)> = Vec::new();
    for owed in owed.iter().filter(|owed| plugin.is_none_or(|plugin| owed.plugin == plugin)) {
        found.extend(queued(conn, owed, event, most)?);
    }
    let mut statement = conn.prepare_cached(
        "SELECT plugin, replay, id, attempts, reason, discarded_at_ms IS NOT NULL
         FROM dead_letters WHERE event = ?1 AND (?3 IS NULL OR plugin = ?3)
         ORDER BY plugin, replay LIMIT ?2",
    )?;
    let mut read = statement.query(params![event, rows(most), plugin])?;
    while let Some(row) = read.next()? {
        let state = if row.get(5)? { State::Discarded } else { State::Dead };
        let mut delivery = delivery(row, state)?;
        delivery.1.reason = row.get(4)?;
        found.push(delivery);
    }
    let mut statement = conn.prepare_cached(
        "SELECT plugin, replay, delivery, number FROM attempts
         WHERE event = ?1 AND became = 'succeeded' AND (?3 IS NULL OR plugin = ?3)
         ORDER BY plugin, replay LIMIT ?2",
    )?;
    let mut read = statement.query(params![event, rows(most), plugin])?;
    while let Some(row) = read.next()? {
        found.push(delivery(row, State::Succeeded)?);
    }
    found.sort_by(|(replay, a), (other, b)| (&a.plugin, replay).cmp(&(&b.plugin, other)));
    Ok(found)
}

/// From plugin, replay, id, attempts. The replay's number comes first, to sort by.
fn delivery(row: &Row<'_>, state: State) -> rusqlite::Result<(i64, DeliverySummary)> {
    let replay: i64 = row.get(1)?;
    let delivery = DeliverySummary {
        id: row.get(2)?,
        plugin: row.get(0)?,
        state,
        attempts: row.get(3)?,
        replay: replay > 0,
        due_at_ms: None,
        waits_for: None,
        reason: None,
    };
    Ok((replay, delivery))
}

fn queued(
    conn: &Connection,
    owed: &Owed,
    event: i64,
    most: usize,
) -> rusqlite::Result<Vec<(i64, DeliverySummary)>> {
    let mut statement = conn.prepare_cached(
        "SELECT plugin, replay, id, attempts, state, due_at_ms, entity
         FROM queue WHERE plugin = ?1 AND event = ?2 ORDER BY replay LIMIT ?3",
    )?;
    let mut read = statement.query(params![owed.plugin, event, rows(most)])?;
    let mut found = Vec::new();
    while let Some(row) = read.next()? {
        let state = state_of(row.get_ref(4)?.as_str().unwrap_or_default(), owed.parked);
        let (replay, mut delivery) = delivery(row, state)?;
        delivery.due_at_ms = row.get::<_, Option<i64>>(5)?.map(unsigned);
        let entity: Option<String> = row.get(6)?;
        if let (State::Blocked, Some(entity)) = (state, entity) {
            delivery.waits_for = waits_for(conn, &owed.plugin, &entity, (event, replay))?;
        }
        found.push((replay, delivery));
    }
    Ok(found)
}

/// Without the index's name SQLite reads all that is owed to the plugin.
const BEFORE: &str = "SELECT id FROM queue INDEXED BY queue_entity
    WHERE plugin = ?1 AND entity = ?2 AND (event, replay) < (?3, ?4)
    ORDER BY event DESC, replay DESC LIMIT 1";
const NOT_BLOCKED: &str = "SELECT id FROM queue INDEXED BY queue_open
    WHERE plugin = ?1 AND entity = ?2 AND entity IS NOT NULL AND state <> 'blocked' LIMIT 1";

/// The delivery before it, or else the one that was let go before it came: a
/// redriven or replayed delivery can come before one that is under way.
fn waits_for(
    conn: &Connection,
    plugin: &str,
    entity: &str,
    (event, replay): (i64, i64),
) -> rusqlite::Result<Option<String>> {
    let before = conn
        .prepare_cached(BEFORE)?
        .query_row(params![plugin, entity, event, replay], |row| row.get(0))
        .optional()?;
    if before.is_some() {
        return Ok(before);
    }
    conn.prepare_cached(NOT_BLOCKED)?.query_row([plugin, entity], |row| row.get(0)).optional()
}

mod calls;
mod deliveries;
mod notes;
#[cfg(test)]
mod tests;
