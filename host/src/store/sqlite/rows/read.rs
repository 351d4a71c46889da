//! Reading what is owed, a bounded part at a time.

use std::sync::Arc;

use hookbox_core::event::{Event, Stored};
use hookbox_core::ids::PluginName;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{integer, natural, small};
use crate::store::Key;
use crate::store::sqlite::lanes::{Ready, WINDOW, WINDOW_BYTES};

/// Deliveries that were read.
pub(in crate::store::sqlite) struct Read {
    pub(in crate::store::sqlite) ready: Vec<Ready>,
    pub(in crate::store::sqlite) unreadable: Vec<Unreadable>,
    /// The event of the last row that was looked at.
    pub(in crate::store::sqlite) last_event: i64,
    /// Whether there are no more.
    pub(in crate::store::sqlite) complete: bool,
}

/// A delivery whose event cannot be understood.
pub(in crate::store::sqlite) struct Unreadable {
    pub(in crate::store::sqlite) key: Key,
    pub(in crate::store::sqlite) id: String,
    pub(in crate::store::sqlite) attempts: u32,
    pub(in crate::store::sqlite) error: String,
}

/// The event's id, as it stands there; empty where that is none.
pub(in crate::store::sqlite) fn event_id(
    connection: &Connection,
    key: Key,
) -> rusqlite::Result<String> {
    let mut id = connection.prepare_cached("SELECT id FROM events WHERE seq = ?1")?;
    let id = id.query_row([key.event], |row| Ok(row.get(0).unwrap_or_default())).optional()?;
    Ok(id.unwrap_or_default())
}

/// Both readers' columns, so that one function can take them.
macro_rules! read {
    ($where:literal) => {
        concat!(
            "SELECT q.event, q.replay, q.id, q.attempts, q.forgiven,
                 e.id, e.source, e.name, e.secret, e.received_at_ms, e.document, e.trace
             FROM queue q CROSS JOIN events e ON e.seq = q.event ",
            $where
        )
    };
}

/// Deliveries of a plugin that were never tried, past that event, in order.
pub(in crate::store::sqlite) fn read_fresh(
    connection: &Connection,
    plugin: &PluginName,
    cursor: i64,
) -> rusqlite::Result<Read> {
    let mut statement = connection.prepare_cached(read!(
        "WHERE q.plugin = ?1 AND q.event > ?2 AND q.state = 'pending'
         ORDER BY q.event, q.replay LIMIT ?3"
    ))?;
    read(statement.query(params![plugin.as_str(), cursor, WINDOW as i64])?)
}

/// Deliveries of a plugin whose wait is over, longest first.
pub(in crate::store::sqlite) fn read_due(
    connection: &Connection,
    plugin: &PluginName,
    now_ms: u64,
) -> rusqlite::Result<Read> {
    let mut statement = connection.prepare_cached(read!(
        "WHERE q.plugin = ?1 AND q.due_at_ms <= ?2 AND q.state = 'waiting'
         ORDER BY q.due_at_ms LIMIT ?3"
    ))?;
    read(statement.query(params![plugin.as_str(), integer(now_ms), WINDOW as i64])?)
}

fn read(mut rows: rusqlite::Rows<'_>) -> rusqlite::Result<Read> {
    let mut read =
        Read { ready: Vec::new(), unreadable: Vec::new(), last_event: 0, complete: false };
    let (mut count, mut bytes) = (0, 0);
    while count < WINDOW && bytes < WINDOW_BYTES {
        let Some(row) = rows.next()? else {
            read.complete = true;
            break;
        };
        count += 1;
        let key = Key { event: row.get(0)?, replay: row.get(1)? };
        read.last_event = key.event;
        match ready(row, key)? {
            Ok(ready) => {
                bytes += ready.event.bytes();
                read.ready.push(ready);
            }
            Err(error) => read.unreadable.push(Unreadable {
                key,
                // Dead letters are known by it.
                id: text(row, 2)?
                    .unwrap_or_else(|_| format!("unreadable-{}-{}", key.event, key.replay)),
                attempts: small(row.get(3)?),
                error,
            }),
        }
    }
    Ok(read)
}

/// Text of a row, or why it cannot be read: it may not be UTF-8 any more.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Result<String, String>> {
    let text = row.get_ref(column)?.as_str().map(str::to_owned);
    Ok(text.map_err(|error| format!("column {column}: {error}")))
}

fn ready(row: &Row<'_>, key: Key) -> rusqlite::Result<Result<Ready, String>> {
    let (attempts, forgiven) = (small(row.get(3)?), small(row.get(4)?));
    let received_at_ms = natural(row.get(9)?);
    // Of no weight for the delivery: one that cannot be read is as none.
    let trace = row.get_ref(11)?.as_str().ok().map(str::to_owned);
    let texts =
        [text(row, 2)?, text(row, 5)?, text(row, 6)?, text(row, 7)?, text(row, 8)?, text(row, 10)?];
    let understood = || -> Result<Ready, String> {
        let [id, event_id, source, name, secret, document] = texts;
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let source = source?.parse().map_err(|error| said(&error))?;
        let stored = Stored { source, name: name?, secret: secret?, document: document? };
        Ok(Ready {
            key,
            delivery: id?.parse().map_err(|error| said(&error))?,
            event_id: event_id?.parse().map_err(|error| said(&error))?,
            event: Arc::new(Event::restore(stored).map_err(|error| said(&error))?),
            received_at_ms,
            attempts,
            forgiven,
            trace,
        })
    };
    Ok(understood())
}

/// When the next of a plugin's deliveries that wait is due, after now.
pub(in crate::store::sqlite) fn next_due(
    connection: &Connection,
    plugin: &PluginName,
    now_ms: u64,
) -> rusqlite::Result<Option<u64>> {
    let mut statement = connection.prepare_cached(
        "SELECT min(due_at_ms) FROM queue
         WHERE plugin = ?1 AND state = 'waiting' AND due_at_ms > ?2",
    )?;
    let due: Option<i64> =
        statement.query_row(params![plugin.as_str(), integer(now_ms)], |row| row.get(0))?;
    Ok(due.map(natural))
}
