//! What an operator can change of what is owed, in steps.
//!
//! Invariants:
//! - A step changes a bounded number of rows and looks at a bounded number, so
//!   that the events which wait for the writer do not wait long.
//! - A refused step has changed nothing.
//! - An operation ends, whatever arrives while it runs: where it ends is fixed
//!   by its first step and carried along in `next`.
//! - What is about one entity is let go in the order in which it came.

use std::collections::{BTreeMap, BTreeSet};

use hookbox_core::event::{Event, Stored};
use hookbox_core::ids::{DeliveryId, PluginName};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::dead::{self, Dead};
use super::forget::forget;
use super::keyvalue;
use super::pause::{pause, resume};
use super::query::{QueryError, signed};
use super::rows::{insert_change, unblock};
use super::search::STEP_READ_MAX;
use super::walk::{Bounds, Order, Position, Walk, limit};
use crate::store::records::{Filter, NewChange, Operation, Report, RequestError, State};

/// Rows that one step changes.
pub(super) const CHANGES_MAX: usize = Filter::IDS_MAX;

/// The documents of ordered deliveries are read for what they are about.
const STEP: Bounds =
    Bounds { items: CHANGES_MAX, rows: 5_000, bytes: 8 * 1024 * 1024, read: STEP_READ_MAX };

/// Plugins that a refusal names.
const NAMED_MAX: usize = 20;

/// What a step did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// For whoever asked.
    pub(super) report: Report,
    /// Plugins to which more or less is owed than before, and by how much.
    pub(super) touched: BTreeMap<PluginName, i64>,
    /// How many more or fewer dead letters plugins have that are not discarded.
    pub(super) dead: BTreeMap<PluginName, i64>,
    /// The plugin that is paused from now on, or is no more.
    pub(super) paused: Option<(PluginName, bool)>,
}

/// What a step has to know.
pub(super) struct Context<'a> {
    /// Milliseconds since the Unix epoch.
    pub(super) now_ms: u64,
    /// Whether a plugin's deliveries about one entity go one after another.
    pub(super) ordered: &'a dyn Fn(&str) -> bool,
    /// Makes the id of a new delivery.
    pub(super) new_id: &'a mut dyn FnMut() -> DeliveryId,
    /// Whether a plugin is live.
    pub(super) live: &'a dyn Fn(&str) -> bool,
}

/// Does one step, within the caller's transaction.
///
/// # Errors
/// The outer one is SQLite's, and leaves the transaction to be rolled back. The
/// inner one is the operator's mistake; then nothing was changed.
pub(super) fn step(
    conn: &Connection,
    operation: &Operation,
    context: &mut Context<'_>,
) -> rusqlite::Result<Result<Step, RequestError>> {
    let done = match operation {
        Operation::Redrive { filter, dry_run, after } => {
            redrive(conn, filter, *dry_run, after.as_deref(), context)
        }
        Operation::Discard { filter, dry_run, after } => {
            discard(conn, filter, *dry_run, after.as_deref(), context.now_ms)
        }
        Operation::Replay { filter, plugin, dry_run, after } => {
            replay(conn, filter, plugin, *dry_run, after.as_deref(), context)
        }
        Operation::Forget { plugin, dry_run, after } => {
            forget(conn, plugin, *dry_run, after.as_deref(), context)
        }
        Operation::Pause { plugin } => pause(conn, plugin, context.now_ms),
        Operation::Resume { plugin } => resume(conn, plugin),
        Operation::Note { change } => note(conn, change),
        Operation::SetState { plugin, entries } => {
            keyvalue::set(conn, plugin, entries, context.now_ms)
        }
        Operation::DeleteState { plugin, key, after } => {
            keyvalue::delete(conn, plugin, key.as_deref(), after.as_deref(), context.now_ms)
        }
    };
    match done {
        Ok(step) => Ok(Ok(step)),
        Err(QueryError::Request(error)) => Ok(Err(error)),
        Err(QueryError::Sqlite(error)) => Err(error),
    }
}

impl Step {
    pub(super) fn touch(&mut self, plugin: &str, change: i64) {
        // What is owed to a name that is none belongs to nobody's lane.
        if let Ok(plugin) = plugin.parse::<PluginName>() {
            *self.touched.entry(plugin).or_default() += change;
        }
    }

    fn touch_dead(&mut self, plugin: &str, change: i64) {
        if let Ok(plugin) = plugin.parse::<PluginName>() {
            *self.dead.entry(plugin).or_default() += change;
        }
    }

    pub(super) fn set_paused(&mut self, plugin: &str, paused: bool) {
        self.paused = plugin.parse().ok().map(|plugin| (plugin, paused));
    }
}

fn note(conn: &Connection, change: &NewChange) -> Result<Step, QueryError> {
    insert_change(conn, change)?;
    let mut step = Step::default();
    step.report.count = 1;
    Ok(step)
}

fn redrive(
    conn: &Connection,
    filter: &Filter,
    dry_run: bool,
    after: Option<&str>,
    context: &mut Context<'_>,
) -> Result<Step, QueryError> {
    let named = !filter.ids.is_empty();
    if filter.state == Some(State::Discarded) && !named {
        let message = "what was discarded is redriven only where it is named by its id";
        return Err(RequestError::invalid(message).into());
    }
    if let Some(plugin) = &filter.plugin {
        known(conn, plugin)?;
    }
    let (dead, next) = some_dead(conn, filter, after, context.now_ms)?;
    let mut owed = Vec::new();
    for dead in dead {
        match known(conn, &dead.letter.plugin) {
            Ok(()) => owed.push(dead),
            // Nobody would ever take it: its plugin was forgotten.
            Err(QueryError::Request(_)) if !named => {}
            Err(error) => return Err(error),
        }
    }
    let mut step = Step { report: Report { count: 0, next }, ..Step::default() };
    for Dead { letter, event, replay, .. } in owed {
        let plugin = &letter.plugin;
        let new = New { plugin, event, replay, id: &letter.delivery, attempts: letter.attempts };
        let added = !dry_run && new.owe(conn, context)?;
        step.report.count += u64::from(dry_run || added);
        if !dry_run {
            conn.prepare_cached("DELETE FROM dead_letters WHERE id = ?1")?
                .execute([&letter.delivery])?;
            step.touch(plugin, i64::from(added));
            step.touch_dead(plugin, -i64::from(letter.discarded_at_ms.is_none()));
        }
    }
    Ok(step)
}

fn discard(
    conn: &Connection,
    filter: &Filter,
    dry_run: bool,
    after: Option<&str>,
    now_ms: u64,
) -> Result<Step, QueryError> {
    let (dead, next) = some_dead(conn, filter, after, now_ms)?;
    let mut step = Step { report: Report { count: 0, next }, ..Step::default() };
    for letter in dead.into_iter().map(|dead| dead.letter) {
        if letter.discarded_at_ms.is_some() {
            continue;
        }
        step.report.count += 1;
        if !dry_run {
            conn.prepare_cached("UPDATE dead_letters SET discarded_at_ms = ?2 WHERE id = ?1")?
                .execute(params![letter.delivery, signed(now_ms)])?;
            step.touch_dead(&letter.plugin, -1);
        }
    }
    Ok(step)
}

/// The dead letters of a step, and its `next`.
fn some_dead(
    conn: &Connection,
    filter: &Filter,
    after: Option<&str>,
    now_ms: u64,
) -> Result<(Vec<Dead>, Option<String>), QueryError> {
    if !filter.ids.is_empty() {
        return Ok((dead::named(conn, filter)?, None));
    }
    let place = match after {
        Some(after) => dead::Place::parse(after)?,
        None => dead::Place::start(now_ms),
    };
    let (dead, next) = dead::by_event(conn, filter, place, STEP)?;
    Ok((dead, next.map(|next| next.to_string())))
}

fn replay(
    conn: &Connection,
    filter: &Filter,
    plugin: &str,
    dry_run: bool,
    after: Option<&str>,
    context: &mut Context<'_>,
) -> Result<Step, QueryError> {
    known(conn, plugin)?;
    let walk = Walk::new(conn, filter, Order::OldestFirst)?;
    if let Some(id) = walk.missing()? {
        return Err(RequestError::not_found(format!("there is no event {id:?}")).into());
    }
    let (from, to) = match after.map(|after| after.split_once(',').unwrap_or((after, ""))) {
        Some((from, to)) => (Some(Position::parse(from)?), Some(Position::parse(to)?)),
        None => (None, walk.newest()?),
    };
    let (events, next) = walk.page(from.as_ref(), to.as_ref(), STEP)?;
    let next = next.zip(to).map(|(next, to)| format!("{next},{to}"));
    let asked = asks_for(conn, plugin)?;
    let named = !filter.ids.is_empty();
    let mut step = Step { report: Report { count: 0, next }, ..Step::default() };
    for event in events {
        // What is named is handed over whatever the plugin asks for: who names it
        // means it.
        if !named && !asked.is_empty() && !asked.contains(&event.name) {
            continue;
        }
        if !dry_run {
            let id = (context.new_id)().to_string();
            let replay = 1 + last_replay(conn, plugin, event.seq)?;
            let new = New { plugin, event: event.seq, replay, id: &id, attempts: 0 };
            let added = new.owe(conn, context)?;
            step.touch(plugin, i64::from(added));
        }
        step.report.count += 1;
    }
    Ok(step)
}

/// The events that a plugin asks for; none: all.
fn asks_for(conn: &Connection, plugin: &str) -> rusqlite::Result<BTreeSet<String>> {
    let asks_for: String = conn
        .prepare_cached("SELECT asks_for FROM plugins WHERE name = ?1")?
        .query_row([plugin], |row| row.get(0))?;
    Ok(serde_json::from_str(&asks_for).unwrap_or_default())
}

/// The number of the last replay of an event to a plugin; 0: there was none.
fn last_replay(conn: &Connection, plugin: &str, event: i64) -> rusqlite::Result<i64> {
    conn.prepare_cached(
        "SELECT COALESCE(max(replay), 0) FROM (
             SELECT max(replay) AS replay FROM queue WHERE plugin = ?1 AND event = ?2
             UNION ALL
             SELECT max(replay) FROM dead_letters WHERE event = ?2 AND plugin = ?1
             UNION ALL
             SELECT max(replay) FROM attempts WHERE event = ?2 AND plugin = ?1)",
    )?
    .query_row(params![plugin, event], |row| row.get(0))
}

/// A delivery to put into the queue.
struct New<'a> {
    plugin: &'a str,
    event: i64,
    replay: i64,
    id: &'a str,
    /// All of them are forgiven.
    attempts: u32,
}

impl New<'_> {
    /// Due now, or behind what is owed already about the same. False: it is
    /// owed already.
    fn owe(&self, conn: &Connection, context: &Context<'_>) -> rusqlite::Result<bool> {
        let entity =
            if (context.ordered)(self.plugin) { entity_of(conn, self.event)? } else { None };
        let now_ms = signed(context.now_ms);
        let (state, due_at_ms) =
            if entity.is_some() { ("blocked", None) } else { ("waiting", Some(now_ms)) };
        let added = conn
            .prepare_cached(
                "INSERT OR IGNORE INTO queue
                 (plugin, event, replay, id, state, attempts, forgiven, due_at_ms, entity)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8)",
            )?
            .execute(params![
                self.plugin,
                self.event,
                self.replay,
                self.id,
                state,
                self.attempts,
                due_at_ms,
                entity,
            ])?;
        if let Some(entity) = entity {
            unblock(conn, self.plugin, &entity, context.now_ms)?;
        }
        Ok(added > 0)
    }
}

/// What an event is about. One that cannot be read any more is about nothing;
/// its delivery will say so.
fn entity_of(conn: &Connection, event: i64) -> rusqlite::Result<Option<String>> {
    let stored = |row: &Row<'_>| {
        let source: String = row.get(0)?;
        let (secret, document, name) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(source.parse().ok().map(|source| Stored { source, secret, document, name }))
    };
    let stored = conn
        .prepare_cached("SELECT source, secret, document, name FROM events WHERE seq = ?1")?
        .query_row([event], stored)?;
    let event = stored.and_then(|stored| Event::restore(stored).ok());
    Ok(event.and_then(|event| event.entity()).map(|entity| entity.to_string()))
}

/// Whether a plugin was ever live, and not forgotten since.
pub(super) fn known(conn: &Connection, plugin: &str) -> Result<(), QueryError> {
    if deleted(conn, plugin)?.is_some() {
        return Ok(());
    }
    let names: Vec<String> = conn
        .prepare_cached("SELECT name FROM plugins ORDER BY name LIMIT ?1")?
        .query_map([limit(NAMED_MAX)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let known = match names.as_slice() {
        [] => "none was ever live".to_owned(),
        names => format!("known are {}", names.join(", ")),
    };
    Err(RequestError::not_found(format!("there is no plugin {plugin:?}; {known}")).into())
}

/// Whether a plugin's file was deleted. None: it is not known at all.
pub(super) fn deleted(conn: &Connection, plugin: &str) -> rusqlite::Result<Option<bool>> {
    conn.prepare_cached("SELECT deleted_at_ms IS NOT NULL FROM plugins WHERE name = ?1")?
        .query_row([plugin], |row| row.get(0))
        .optional()
}

#[cfg(test)]
mod tests;
