//! Whether an event is what a filter asks for, and what is owed to whom.

use hookbox_core::ids::EventId;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::query::QueryError;
use super::search::Search;
use crate::store::records::{Filter, RequestError, State};

/// Below and above each id of an event.
const LOWEST: &str = "";
const HIGHEST: &str = "~";

/// An event without its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventRow {
    pub(super) seq: i64,
    pub(super) id: String,
    pub(super) source: String,
    pub(super) name: String,
    pub(super) received_at_ms: i64,
    pub(super) bytes: u64,
    pub(super) repeats: u64,
    /// Those that it had when it was accepted.
    deliveries: i64,
}

/// The length in bytes is known without reading the document.
pub(super) const COLUMNS: &str = "e.seq, e.id, e.source, e.name, e.received_at_ms, \
                       octet_length(e.document), e.deliveries, e.repeats";

impl EventRow {
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            id: row.get(1)?,
            source: row.get(2)?,
            name: row.get(3)?,
            received_at_ms: row.get(4)?,
            bytes: row.get::<_, i64>(5)?.unsigned_abs(),
            deliveries: row.get(6)?,
            repeats: row.get::<_, i64>(7)?.unsigned_abs(),
        })
    }
}

/// One event, without its document.
pub(super) fn event_row(conn: &Connection, id: &str) -> rusqlite::Result<Option<EventRow>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM events e WHERE id = ?1"))?
        .query_row([id], EventRow::of)
        .optional()
}

/// The same by its order of acceptance.
pub(super) fn event_row_at(conn: &Connection, seq: i64) -> rusqlite::Result<Option<EventRow>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM events e WHERE e.seq = ?1"))?
        .query_row([seq], EventRow::of)
        .optional()
}

/// A plugin to which something is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owed {
    pub(super) plugin: String,
    pub(super) parked: bool,
}

/// Those plugins: one look at the index for each, however much is owed. What is
/// parked is as in the view `deliveries`.
pub(super) fn owed(conn: &Connection) -> rusqlite::Result<Vec<Owed>> {
    conn.prepare_cached(
        "WITH RECURSIVE q(plugin) AS (
             SELECT min(plugin) FROM queue
             UNION ALL
             SELECT (SELECT min(plugin) FROM queue WHERE plugin > q.plugin)
             FROM q WHERE q.plugin IS NOT NULL)
         SELECT q.plugin, COALESCE(p.present = 0 OR p.breaker_until_ms IS NOT NULL
             OR p.paused_at_ms IS NOT NULL, FALSE)
         FROM q LEFT JOIN plugins p ON p.name = q.plugin WHERE q.plugin IS NOT NULL",
    )?
    .query_map([], |row| Ok(Owed { plugin: row.get(0)?, parked: row.get(1)? }))?
    .collect()
}

/// The state of what is owed, as the view `deliveries` has it.
pub(super) fn state_of(queued: &str, parked: bool) -> State {
    match queued {
        "running" => State::Running,
        "blocked" => State::Blocked,
        _ if parked => State::Parked,
        "waiting" => State::Waiting,
        _ => State::Pending,
    }
}

/// A filter, and what it takes to apply it.
pub(super) struct Matching<'a> {
    pub(super) conn: &'a Connection,
    pub(super) filter: &'a Filter,
    /// To which plugins something is owed.
    pub(super) owed: Vec<Owed>,
    /// What the filter says of time, as ids: from the first, up to and without
    /// the second.
    pub(super) since: String,
    pub(super) until: String,
    pub(super) search: Search<'a>,
}

impl<'a> Matching<'a> {
    pub(super) fn new(conn: &'a Connection, filter: &'a Filter) -> Result<Self, QueryError> {
        check(filter)?;
        let first_at = |ms| EventId::first_at(ms).to_string();
        Ok(Self {
            conn,
            filter,
            owed: owed(conn)?,
            search: Search::new(conn, filter)?,
            since: filter.since_ms.map_or(LOWEST.to_owned(), first_at),
            until: filter.until_ms.map_or(HIGHEST.to_owned(), first_at),
        })
    }

    /// Whether the filter can mean something that is owed to this plugin.
    pub(super) fn asks_for(&self, owed: &Owed) -> bool {
        let by_state = match self.filter.state {
            Some(State::Parked) => owed.parked,
            Some(State::Pending | State::Waiting) => !owed.parked,
            _ => true,
        };
        by_state && self.filter.plugin.as_ref().is_none_or(|plugin| *plugin == owed.plugin)
    }

    pub(super) fn matches(&self, row: &EventRow) -> Result<bool, QueryError> {
        let Filter { source, event, .. } = self.filter;
        let of_event = source.as_ref().is_none_or(|source| *source == row.source)
            && event.as_ref().is_none_or(|name| *name == row.name)
            && row.id >= self.since
            && row.id < self.until;
        // The body is read last.
        Ok(of_event && self.has_delivery(row)? && self.search.finds(row.seq, &row.id, &row.name)?)
    }

    /// Whether one delivery of the event is as the filter says.
    fn has_delivery(&self, row: &EventRow) -> Result<bool, QueryError> {
        match self.filter.state {
            None if self.filter.plugin.is_none() => Ok(true),
            None => Ok(self.is_owed(row)? || self.is_dead(row, None)? || self.ran(row, None)?),
            Some(State::Unrouted) => Ok(row.deliveries == 0
                && !self.is_owed(row)?
                && !self.is_dead(row, None)?
                && !self.ran(row, None)?),
            Some(State::Succeeded) => self.ran(row, Some("succeeded")),
            Some(State::Dead) => self.is_dead(row, Some(false)),
            Some(State::Discarded) => self.is_dead(row, Some(true)),
            Some(_) => self.is_owed(row),
        }
    }

    fn is_owed(&self, row: &EventRow) -> Result<bool, QueryError> {
        let mut states =
            self.conn.prepare_cached("SELECT state FROM queue WHERE plugin = ?1 AND event = ?2")?;
        for owed in self.owed.iter().filter(|owed| self.asks_for(owed)) {
            let mut rows = states.query(params![owed.plugin, row.seq])?;
            while let Some(row) = rows.next()? {
                let state = state_of(row.get_ref(0)?.as_str().unwrap_or_default(), owed.parked);
                let wanted = self.filter.state.filter(|state| *state != State::Unrouted);
                if wanted.is_none_or(|wanted| wanted == state) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn is_dead(&self, row: &EventRow, discarded: Option<bool>) -> Result<bool, QueryError> {
        let mut found = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM dead_letters WHERE event = :event
                 AND (:plugin IS NULL OR plugin = :plugin)
                 AND (:discarded IS NULL OR (discarded_at_ms IS NOT NULL) = :discarded))",
        )?;
        let Filter { plugin, .. } = self.filter;
        let values =
            named_params! { ":event": row.seq, ":plugin": plugin, ":discarded": discarded };
        Ok(found.query_row(values, |row| row.get(0))?)
    }

    fn ran(&self, row: &EventRow, became: Option<&str>) -> Result<bool, QueryError> {
        let mut found = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM attempts WHERE event = :event
                 AND (:plugin IS NULL OR plugin = :plugin)
                 AND (:became IS NULL OR became = :became))",
        )?;
        let Filter { plugin, .. } = self.filter;
        let values = named_params! { ":event": row.seq, ":plugin": plugin, ":became": became };
        Ok(found.query_row(values, |row| row.get(0))?)
    }
}

/// An id in the form in which ids are stored, where it is one.
pub(super) fn canonical(id: &str) -> String {
    id.parse::<EventId>().map_or_else(|_| id.to_owned(), |id| id.to_string())
}

fn check(filter: &Filter) -> Result<(), RequestError> {
    if filter.ids.len() > Filter::IDS_MAX {
        let message = format!("name up to {} ids at once", Filter::IDS_MAX);
        return Err(RequestError::invalid(message));
    }
    if filter.state == Some(State::Unrouted) && filter.plugin.is_some() {
        let message = "an unrouted event has no delivery, so no plugin: leave one of them out";
        return Err(RequestError::invalid(message));
    }
    Ok(())
}
