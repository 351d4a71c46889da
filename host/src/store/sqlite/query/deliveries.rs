//! Deliveries over all events: those of the events that a filter is about.
//!
//! An event's deliveries are never split: a page ends after the event with which
//! it is full, so it can have some more than were asked for.

use std::collections::BTreeSet;

use hookbox_core::ids::EventId;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{DETAILED_MAX, QueryError, READ_MAX, ROWS_MAX, listed, rows, unsigned};
use crate::store::records::{DeliveryRecord, DeliverySummary, Filter, Page, RequestError, State};
use crate::store::sqlite::matching::{EventRow, Matching, canonical, event_row_at};
use crate::store::sqlite::walk::{Bounds, Order, Position, Walk};

/// Events of one millisecond among which a delivery is looked for. More are not
/// accepted in one.
const AT_ONCE_MAX: usize = 1_000;

/// A page of them, newest event first.
pub(super) fn page(
    conn: &Connection,
    filter: &Filter,
    limit: usize,
    after: Option<&str>,
) -> Result<Page<DeliveryRecord>, QueryError> {
    if filter.state == Some(State::Unrouted) {
        let message = "an unrouted event has no delivery: list events instead";
        return Err(RequestError::invalid(message).into());
    }
    if !filter.ids.is_empty() {
        return Ok(Page { items: named(conn, filter)?, next: None });
    }
    let walk = Walk::new(conn, filter, Order::NewestFirst)?;
    let from = after.map(Position::parse).transpose()?;
    let bounds = Bounds { items: limit, rows: ROWS_MAX, bytes: u64::MAX, read: READ_MAX };
    let (events, next) = walk.page(from.as_ref(), None, bounds)?;
    let mut items = Vec::new();
    let last = events.last().map(|event| event.seq);
    for event in &events {
        items.extend(of(conn, walk.matching(), event)?);
        if items.len() >= limit && last != Some(event.seq) {
            return Ok(Page { items, next: Some(walk.position(event).to_string()) });
        }
    }
    Ok(Page { items, next: next.map(|next| next.to_string()) })
}

/// The deliveries of an event that a filter means, by plugin and replay; of each
/// kind (owed, dead, succeeded) the first [`DETAILED_MAX`].
fn of(
    conn: &Connection,
    matching: &Matching<'_>,
    event: &EventRow,
) -> Result<Vec<DeliveryRecord>, QueryError> {
    let Filter { plugin, state, .. } = matching.filter;
    let all = listed(conn, &matching.owed, event.seq, plugin.as_deref(), DETAILED_MAX)?;
    let meant = |delivery: &DeliverySummary| state.is_none_or(|state| state == delivery.state);
    let mut found = Vec::new();
    for (replay, delivery) in all.into_iter().filter(|(_, delivery)| meant(delivery)) {
        let error = error(conn, event.seq, replay, &delivery)?;
        found.push(DeliveryRecord {
            id: delivery.id,
            event: event.id.clone(),
            name: event.name.clone(),
            source: event.source.clone(),
            received_at_ms: unsigned(event.received_at_ms),
            plugin: delivery.plugin,
            state: delivery.state,
            attempts: delivery.attempts,
            replay: delivery.replay,
            due_at_ms: delivery.due_at_ms,
            waits_for: delivery.waits_for,
            reason: delivery.reason,
            error,
        });
    }
    Ok(found)
}

/// Why it died, or what its last attempt that ended failed with.
fn error(
    conn: &Connection,
    event: i64,
    replay: i64,
    delivery: &DeliverySummary,
) -> rusqlite::Result<Option<String>> {
    let error = match delivery.state {
        State::Succeeded => None,
        State::Dead | State::Discarded => conn
            .prepare_cached("SELECT error FROM dead_letters WHERE id = ?1")?
            .query_row([&delivery.id], |row| row.get(0))
            .optional()?,
        _ => conn
            .prepare_cached(
                "SELECT error FROM attempts WHERE event = ?1 AND plugin = ?2 AND replay = ?3
                 ORDER BY number DESC LIMIT 1",
            )?
            .query_row(params![event, delivery.plugin, replay], |row| row.get(0))
            .optional()?,
    };
    Ok(error.flatten())
}

/// Those that are named and are as the filter says. What does not exist is left
/// out.
fn named(conn: &Connection, filter: &Filter) -> Result<Vec<DeliveryRecord>, QueryError> {
    let matching = Matching::new(conn, filter)?;
    let ids: BTreeSet<String> = filter.ids.iter().map(|id| canonical(id)).collect();
    let mut events = BTreeSet::new();
    for id in &ids {
        events.extend(event_of(&matching, id)?);
    }
    let mut items = Vec::new();
    for event in events.into_iter().rev() {
        if let Some(event) = event_row_at(conn, event)?
            && matching.matches(&event)?
        {
            let all = of(conn, &matching, &event)?;
            items.extend(all.into_iter().filter(|delivery| ids.contains(&delivery.id)));
        }
    }
    Ok(items)
}

/// By the indexes of dead letters and of replays; an event's own deliveries,
/// which are in neither, have the event's time in their ids.
fn event_of(matching: &Matching<'_>, id: &str) -> Result<Option<i64>, QueryError> {
    let conn = matching.conn;
    for sql in [DEAD, REPLAY_OWED, REPLAY_DONE] {
        let event = conn.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?;
        if event.is_some() {
            return Ok(event);
        }
    }
    // Both kinds of ids have the time at the same place.
    let Ok(at_ms) = id.parse::<EventId>().map(|id| id.unix_ms()) else { return Ok(None) };
    let (from, to) = (EventId::first_at(at_ms), EventId::first_at(at_ms.saturating_add(1)));
    let mut events = conn
        .prepare_cached("SELECT seq FROM events WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3")?;
    let most = rows(AT_ONCE_MAX);
    let events = events.query_map(params![from.to_string(), to.to_string(), most], |r| r.get(0))?;
    let mut ran = conn.prepare_cached(
        "SELECT 1 FROM attempts WHERE event = ?1 AND replay = 0 AND delivery = ?2 LIMIT 1",
    )?;
    let mut owed = conn.prepare_cached(
        "SELECT 1 FROM queue WHERE plugin = ?1 AND event = ?2 AND replay = 0 AND id = ?3",
    )?;
    for event in events {
        let event: i64 = event?;
        if ran.exists(params![event, id])? {
            return Ok(Some(event));
        }
        for plugin in matching.owed.iter().map(|owed| &owed.plugin) {
            if owed.exists(params![plugin, event, id])? {
                return Ok(Some(event));
            }
        }
    }
    Ok(None)
}

pub(super) const DEAD: &str = "SELECT event FROM dead_letters WHERE id = ?1";
pub(super) const REPLAY_OWED: &str =
    "SELECT event FROM queue INDEXED BY queue_replays WHERE id = ?1 AND replay > 0 LIMIT 1";
pub(super) const REPLAY_DONE: &str = "SELECT event FROM attempts INDEXED BY attempts_replays
    WHERE delivery = ?1 AND replay > 0 LIMIT 1";

#[cfg(test)]
mod tests;
