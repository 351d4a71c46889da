//! Walking dead letters: newest first for those who read them, and in the order
//! of their events for those who redrive them, so that what is about one entity
//! comes back in the order in which it came.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};

use super::matching::canonical;
use super::query::{QueryError, ROWS_MAX, signed, unsigned};
use super::search::{READ_MAX, Search};
use super::walk::{Bounds, limit};
use crate::store::records::{DeadLetter, Filter, Page, RequestError, State};

const COLUMNS: &str = "d.id, d.plugin, d.event, d.replay, d.attempts, d.died_at_ms, d.reason,
                       d.error, d.discarded_at_ms, e.id, e.name, e.source, octet_length(e.document)";

/// A dead letter and its place.
#[derive(Debug)]
pub(super) struct Dead {
    pub(super) letter: DeadLetter,
    pub(super) event: i64,
    pub(super) replay: i64,
    /// Of its event's document.
    bytes: u64,
}

impl Dead {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let letter = DeadLetter {
            delivery: row.get(0)?,
            plugin: row.get(1)?,
            attempts: row.get(4)?,
            died_at_ms: unsigned(row.get(5)?),
            reason: row.get(6)?,
            error: row.get(7)?,
            discarded_at_ms: row.get::<_, Option<i64>>(8)?.map(unsigned),
            event: row.get(9)?,
            name: row.get(10)?,
            source: row.get(11)?,
        };
        Ok(Self { letter, event: row.get(2)?, replay: row.get(3)?, bytes: unsigned(row.get(12)?) })
    }
}

/// Those that are named may be discarded already, others only where that is
/// asked for.
fn matches(filter: &Filter, dead: &Dead, search: &Search<'_>) -> Result<bool, QueryError> {
    let letter = &dead.letter;
    let discarded = letter.discarded_at_ms.is_some();
    let state = match filter.state {
        None => !filter.ids.is_empty() || !discarded,
        Some(State::Discarded) => discarded,
        Some(_) => !discarded,
    };
    let same = |wanted: &Option<String>, have: &String| wanted.as_ref().is_none_or(|w| w == have);
    let rest = state
        && same(&filter.plugin, &letter.plugin)
        && same(&filter.event, &letter.name)
        && same(&filter.source, &letter.source)
        && filter.since_ms.is_none_or(|since| letter.died_at_ms >= since)
        && filter.until_ms.is_none_or(|until| letter.died_at_ms < until);
    Ok(rest && search.finds(dead.event, &letter.event, &letter.name)?)
}

fn check(filter: &Filter) -> Result<(), RequestError> {
    if filter.ids.len() > Filter::IDS_MAX {
        let message = format!("name up to {} ids at once", Filter::IDS_MAX);
        return Err(RequestError::invalid(message));
    }
    if !matches!(filter.state, None | Some(State::Dead | State::Discarded)) {
        return Err(RequestError::invalid("a dead letter's state is dead or discarded"));
    }
    Ok(())
}

/// All that are named.
///
/// # Errors
/// Also where one is named that is not dead: it may be owed, or done.
pub(super) fn named(conn: &Connection, filter: &Filter) -> Result<Vec<Dead>, QueryError> {
    check(filter)?;
    let search = Search::new(conn, filter)?;
    let mut one = by_id(conn)?;
    let mut found: Vec<Dead> = Vec::new();
    for id in &filter.ids {
        let dead = one.query_row([canonical(id)], Dead::of).optional()?;
        let dead = dead.ok_or_else(|| {
            RequestError::not_found(format!("there is no dead letter of a delivery {id:?}"))
        })?;
        if matches(filter, &dead, &search)? {
            found.push(dead);
        }
    }
    found.sort_by(|a, b| (a.event, &a.letter.delivery).cmp(&(b.event, &b.letter.delivery)));
    found.dedup_by(|a, b| a.letter.delivery == b.letter.delivery);
    Ok(found)
}

fn by_id(conn: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM dead_letters d JOIN events e ON e.seq = d.event WHERE d.id = ?1"
    ))
}

/// A page of them, newest first.
pub(super) fn newest(
    conn: &Connection,
    filter: &Filter,
    items_max: usize,
    after: Option<&str>,
) -> Result<Page<DeadLetter>, QueryError> {
    if !filter.ids.is_empty() {
        let mut items: Vec<_> = named(conn, filter)?.into_iter().map(|dead| dead.letter).collect();
        items.sort_by_key(|letter| std::cmp::Reverse(letter.died_at_ms));
        return Ok(Page { items, next: None });
    }
    check(filter)?;
    let search = Search::new(conn, filter)?;
    let plugins = match &filter.plugin {
        Some(plugin) => vec![plugin.clone()],
        None => plugins(conn)?,
    };
    // They are sorted by plugin first, so the next of each plugin are compared.
    let mut next = conn.prepare_cached(
        "SELECT died_at_ms, id FROM dead_letters
         WHERE plugin = ?1 AND (died_at_ms, id) < (?2, ?3) AND died_at_ms >= ?4
         ORDER BY died_at_ms DESC, id DESC LIMIT 1",
    )?;
    let since = filter.since_ms.map_or(0, signed);
    let mut before = |plugin: &String, (died, id): &(i64, String)| {
        next.query_row(params![plugin, died, id, since], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    };
    let from = match after {
        Some(after) => newest_place(after)?,
        None => (filter.until_ms.map_or(i64::MAX, signed), String::new()),
    };
    let mut heads: Vec<((i64, String), &String)> = Vec::new();
    for plugin in &plugins {
        heads.extend(before(plugin, &from)?.map(|head| (head, plugin)));
    }
    let mut one = by_id(conn)?;
    let mut items = Vec::new();
    for looked in 1.. {
        let best = heads.iter().enumerate().max_by(|(_, (a, _)), (_, (b, _))| a.cmp(b));
        let Some(best) = best.map(|(index, _)| index) else { break };
        let (place, plugin) = heads.swap_remove(best);
        let dead = one.query_row([&place.1], Dead::of)?;
        if matches(filter, &dead, &search)? {
            items.push(dead.letter);
        }
        if items.len() >= items_max || looked >= ROWS_MAX || search.read() >= READ_MAX {
            return Ok(Page { items, next: Some(format!("{},{}", place.0, place.1)) });
        }
        heads.extend(before(plugin, &place)?.map(|head| (head, plugin)));
    }
    Ok(Page { items, next: None })
}

fn newest_place(after: &str) -> Result<(i64, String), RequestError> {
    let place = after.split_once(',').and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())));
    place.ok_or_else(|| RequestError::invalid("`after` is not the `next` of a page"))
}

/// Plugins that have dead letters: one look at the index for each.
fn plugins(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare_cached(
        "WITH RECURSIVE d(plugin) AS (
             SELECT min(plugin) FROM dead_letters
             UNION ALL
             SELECT (SELECT min(plugin) FROM dead_letters WHERE plugin > d.plugin)
             FROM d WHERE d.plugin IS NOT NULL)
         SELECT plugin FROM d WHERE plugin IS NOT NULL",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

/// Where a walk by events stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What died later is left out, so that the walk ends.
    pub(super) died_until_ms: u64,
    /// The last delivery that was walked, by event and id.
    event: i64,
    delivery: String,
}

impl Place {
    pub(super) fn start(now_ms: u64) -> Self {
        Self { died_until_ms: now_ms, event: i64::MIN, delivery: String::new() }
    }

    pub(super) fn parse(text: &str) -> Result<Self, RequestError> {
        let parsed = || {
            let (until, rest) = text.split_once(',')?;
            let (event, delivery) = rest.split_once(',')?;
            Some(Self {
                died_until_ms: until.parse().ok()?,
                event: event.parse().ok()?,
                delivery: delivery.to_owned(),
            })
        };
        parsed().ok_or_else(|| RequestError::invalid("`after` is not the `next` of a step"))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{},{}", self.died_until_ms, self.event, self.delivery)
    }
}

/// The next by event, and where the walk goes on.
pub(super) fn by_event(
    conn: &Connection,
    filter: &Filter,
    mut place: Place,
    bounds: Bounds,
) -> Result<(Vec<Dead>, Option<Place>), QueryError> {
    check(filter)?;
    let search = Search::new(conn, filter)?;
    // The order of the join is said, since it is the order of the result too.
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM dead_letters d CROSS JOIN events e ON e.seq = d.event
         WHERE (d.event, d.id) > (?1, ?2) ORDER BY d.event, d.id LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![place.event, place.delivery, limit(bounds.rows)])?;
    let (mut found, mut bytes, mut looked) = (Vec::new(), 0, 0);
    while let Some(row) = rows.next()? {
        looked += 1;
        let dead = Dead::of(row)?;
        place.event = dead.event;
        place.delivery.clone_from(&dead.letter.delivery);
        if dead.letter.died_at_ms <= place.died_until_ms && matches(filter, &dead, &search)? {
            bytes += dead.bytes;
            found.push(dead);
        }
        let full = found.len() >= bounds.items || bytes >= bounds.bytes;
        if full || looked >= bounds.rows || search.read() >= bounds.read {
            return Ok((found, Some(place)));
        }
    }
    Ok((found, None))
}
