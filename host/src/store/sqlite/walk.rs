//! Which events a filter is about, page by page, by the index that leads to the
//! fewest rows: events by id (and so by time), the queue where a state of what
//! is owed is asked for, dead letters where these are.
//!
//! Invariant: a page looks at a bounded number of rows, whatever the filter, so
//! that no transaction is long. It says where the next one begins.

use std::fmt;

use hookbox_core::ids::EventId;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::matching::{COLUMNS, EventRow, Matching, canonical, event_row};
use super::query::QueryError;
use crate::store::records::{Filter, RequestError, State};

/// Rows that are read at once.
const BATCH: usize = 256;

/// In which order events are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    NewestFirst,
    OldestFirst,
}

/// What ends a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Events that it has.
    pub(super) items: usize,
    /// Events that are looked at.
    pub(super) rows: usize,
    /// Of the documents of those that it has; the last may go past it.
    pub(super) bytes: u64,
    /// Of the documents that are read for a text; the last may go past it.
    pub(super) read: u64,
}

/// Where a walk stands: at this event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Position {
    /// By id.
    Id(String),
    /// By order of acceptance.
    Seq(i64),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Seq(seq) => write!(f, "#{seq}"),
        }
    }
}

impl Position {
    pub(super) fn parse(text: &str) -> Result<Self, RequestError> {
        let wrong = || RequestError::invalid("`after` is not the `next` of a page");
        match text.strip_prefix('#') {
            Some(seq) => seq.parse().map(Self::Seq).map_err(|_| wrong()),
            None => text.parse::<EventId>().map(|id| Self::Id(id.to_string())).map_err(|_| wrong()),
        }
    }
}

/// What is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Named,
    Events,
    Queue,
    Dead,
}

/// The part that is still to be walked: from the first up to and without the second.
#[derive(Debug, Clone)]
enum Span {
    Ids(String, String),
    Seqs(i64, i64),
}

/// See the module's text.
pub(super) struct Walk<'a> {
    conn: &'a Connection,
    matching: Matching<'a>,
    order: Order,
    by: By,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        conn: &'a Connection,
        filter: &'a Filter,
        order: Order,
    ) -> Result<Self, QueryError> {
        let by = match filter.state {
            _ if !filter.ids.is_empty() => By::Named,
            None | Some(State::Succeeded | State::Unrouted) => By::Events,
            Some(State::Dead | State::Discarded) => By::Dead,
            Some(_) => By::Queue,
        };
        Ok(Self { conn, matching: Matching::new(conn, filter)?, order, by })
    }

    /// The filter, applied.
    pub(super) fn matching(&self) -> &Matching<'a> {
        &self.matching
    }

    /// The newest event there is now, where such a walk can end. None: there
    /// is no event, or those to walk are named.
    pub(super) fn newest(&self) -> rusqlite::Result<Option<Position>> {
        match self.by {
            By::Named => Ok(None),
            By::Events => self.conn.query_row("SELECT max(id) FROM events", [], |row| {
                Ok(row.get::<_, Option<String>>(0)?.map(Position::Id))
            }),
            By::Queue | By::Dead => self.conn.query_row("SELECT max(seq) FROM events", [], |row| {
                Ok(row.get::<_, Option<i64>>(0)?.map(Position::Seq))
            }),
        }
    }

    /// The first id that is named and that no event has.
    pub(super) fn missing(&self) -> rusqlite::Result<Option<&'a str>> {
        for id in &self.matching.filter.ids {
            if event_row(self.conn, &canonical(id))?.is_none() {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// The next events after `from`, up to and with `to`, and where the page
    /// after these begins. All that are named are on one page.
    pub(super) fn page(
        &self,
        from: Option<&Position>,
        to: Option<&Position>,
        bounds: Bounds,
    ) -> Result<(Vec<EventRow>, Option<Position>), QueryError> {
        if self.by == By::Named {
            return Ok((self.named()?, None));
        }
        let mut span = self.span(from, to)?;
        let (mut items, mut bytes, mut looked) = (Vec::new(), 0, 0);
        loop {
            let wanted = BATCH.min(bounds.rows.saturating_sub(looked)).max(1);
            let batch = self.batch(&span, wanted)?;
            let complete = batch.len() < wanted;
            let mut last = None;
            for row in batch {
                looked += 1;
                let position = self.position(&row);
                if self.matching.matches(&row)? {
                    bytes += row.bytes;
                    items.push(row);
                    if items.len() >= bounds.items || bytes >= bounds.bytes {
                        return Ok((items, Some(position)));
                    }
                }
                if self.matching.search.read() >= bounds.read {
                    return Ok((items, Some(position)));
                }
                last = Some(position);
            }
            match last {
                Some(last) if !complete && looked >= bounds.rows => return Ok((items, Some(last))),
                Some(last) if !complete => span = self.span(Some(&last), to)?,
                _ => return Ok((items, None)),
            }
        }
    }

    fn named(&self) -> Result<Vec<EventRow>, QueryError> {
        let mut items: Vec<EventRow> = Vec::new();
        for id in &self.matching.filter.ids {
            if let Some(row) = event_row(self.conn, &canonical(id))?
                && self.matching.matches(&row)?
            {
                items.push(row);
            }
        }
        items.sort_by_key(|item| item.seq);
        items.dedup();
        if self.order == Order::NewestFirst {
            items.reverse();
        }
        Ok(items)
    }

    /// Where an event of the walk stands in it.
    pub(super) fn position(&self, row: &EventRow) -> Position {
        match self.by {
            By::Named | By::Events => Position::Id(row.id.clone()),
            By::Queue | By::Dead => Position::Seq(row.seq),
        }
    }

    /// One bound on each side, since of several SQLite would seek to any one.
    fn span(&self, from: Option<&Position>, to: Option<&Position>) -> Result<Span, RequestError> {
        // Sorts after the id and before every other that does.
        let past = |id: &String| format!("{id} ");
        let (mut low, mut high) = (self.matching.since.clone(), self.matching.until.clone());
        let (mut low_seq, mut high_seq) = (i64::MIN, i64::MAX);
        match (from, self.order) {
            (Some(Position::Id(id)), Order::NewestFirst) => high = high.min(id.clone()),
            (Some(Position::Id(id)), Order::OldestFirst) => low = low.max(past(id)),
            (Some(Position::Seq(seq)), Order::NewestFirst) => high_seq = *seq,
            (Some(Position::Seq(seq)), Order::OldestFirst) => low_seq = seq.saturating_add(1),
            (None, _) => {}
        }
        match to {
            Some(Position::Id(id)) => high = high.min(past(id)),
            Some(Position::Seq(seq)) => high_seq = high_seq.min(seq.saturating_add(1)),
            None => {}
        }
        let by_id = self.by == By::Events;
        let fits = |at: &Position| matches!(at, Position::Id(_)) == by_id;
        if ![from, to].into_iter().flatten().all(fits) {
            return Err(RequestError::invalid("`after` is of a page with another filter"));
        }
        Ok(if by_id { Span::Ids(low, high) } else { Span::Seqs(low_seq, high_seq) })
    }

    /// The next events of what is walked, whatever else the filter says. Fewer
    /// than `wanted`: there are no more.
    fn batch(&self, span: &Span, wanted: usize) -> Result<Vec<EventRow>, QueryError> {
        let direction = match self.order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        };
        match span {
            Span::Ids(low, high) => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM events e WHERE e.id >= ?1 AND e.id < ?2
                     ORDER BY e.id {direction} LIMIT ?3"
                );
                let mut statement = self.conn.prepare_cached(&sql)?;
                let rows = statement.query_map(params![low, high, limit(wanted)], EventRow::of)?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            }
            Span::Seqs(low, high) if self.by == By::Dead => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM (
                         SELECT DISTINCT event FROM dead_letters WHERE event >= ?1 AND event < ?2
                         ORDER BY event {direction} LIMIT ?3) d
                     JOIN events e ON e.seq = d.event ORDER BY e.seq {direction}"
                );
                let mut statement = self.conn.prepare_cached(&sql)?;
                let rows = statement.query_map(params![low, high, limit(wanted)], EventRow::of)?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            }
            Span::Seqs(low, high) => self.queued(*low, *high, wanted),
        }
    }

    /// The next events of the queue: it is sorted by plugin first, so the next
    /// of each plugin are compared.
    fn queued(&self, low: i64, high: i64, wanted: usize) -> Result<Vec<EventRow>, QueryError> {
        let direction = match self.order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        };
        let mut next = self.conn.prepare_cached(&format!(
            "SELECT event FROM queue WHERE plugin = ?1 AND event >= ?2 AND event < ?3
             ORDER BY event {direction} LIMIT 1"
        ))?;
        let mut event = self
            .conn
            .prepare_cached(&format!("SELECT {COLUMNS} FROM events e WHERE e.seq = ?1"))?;
        let (mut low, mut high) = (low, high);
        let mut heads = Vec::new();
        for owed in self.matching.owed.iter().filter(|owed| self.matching.asks_for(owed)) {
            let head = next.query_row(params![owed.plugin, low, high], |row| row.get(0));
            heads.extend(head.optional()?.map(|head: i64| (head, owed)));
        }
        let mut batch = Vec::new();
        while batch.len() < wanted {
            let seqs = heads.iter().map(|(head, _)| *head);
            let best = match self.order {
                Order::NewestFirst => seqs.max(),
                Order::OldestFirst => seqs.min(),
            };
            let Some(best) = best else { break };
            batch.push(event.query_row([best], EventRow::of)?);
            match self.order {
                Order::NewestFirst => high = best,
                Order::OldestFirst => low = best.saturating_add(1),
            }
            let (same, mut rest): (Vec<_>, Vec<_>) =
                heads.into_iter().partition(|(head, _)| *head == best);
            for (_, owed) in same {
                let head = next.query_row(params![owed.plugin, low, high], |row| row.get(0));
                rest.extend(head.optional()?.map(|head: i64| (head, owed)));
            }
            heads = rest;
        }
        Ok(batch)
    }
}

/// A number of rows as SQLite takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
