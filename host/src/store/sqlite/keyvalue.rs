//! Plugins' key-value state as operators see and change it.
//!
//! What a call changes is committed at its end, over what an operator changed
//! meanwhile.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookbox_core::effects::{STATE_KEY_BYTES_MAX, StateChange, StateValue};
use rusqlite::{Connection, params};

use super::operate::{CHANGES_MAX, Step, known};
use super::query::{QueryError, unsigned};
use super::state;
use super::walk::limit as rows;
use crate::store::records::{NewState, Page, RequestError, StateEntry, StateKey, StateSummary};

/// Bytes of the values on a page, but for the last of them.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Plugins with state, by name.
pub(super) fn plugins(
    conn: &Connection,
    limit: usize,
    after: Option<&str>,
) -> Result<Page<StateSummary>, QueryError> {
    let items = conn
        .prepare_cached(
            "SELECT plugin, keys, bytes FROM state_sizes WHERE plugin > ?1
             ORDER BY plugin LIMIT ?2",
        )?
        .query_map(params![after.unwrap_or_default(), rows(limit)], |row| {
            let (keys, bytes) = (unsigned(row.get(1)?), unsigned(row.get(2)?));
            Ok(StateSummary { plugin: row.get(0)?, keys, bytes })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let last = items.last().map(|item| item.plugin.clone());
    Ok(Page { next: last.filter(|_| items.len() == limit), items })
}

/// Keys that begin so.
pub(super) fn keys(
    conn: &Connection,
    plugin: &str,
    prefix: &str,
    limit: usize,
    after: Option<&str>,
) -> Result<Page<StateKey>, QueryError> {
    has_state(conn, plugin)?;
    let mut items: Vec<StateKey> = conn
        .prepare_cached(
            "SELECT key, length(value), changed_at_ms FROM state
             WHERE plugin = ?1 AND key >= ?2 AND key > ?3 ORDER BY key LIMIT ?4",
        )?
        .query_map(params![plugin, prefix, after.unwrap_or_default(), rows(limit)], |row| {
            let (bytes, changed_at_ms) = (unsigned(row.get(1)?), unsigned(row.get(2)?));
            Ok(StateKey { key: row.get(0)?, bytes, changed_at_ms })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let full = items.len() == limit;
    // Keys that begin alike are neighbours, so that there are no more.
    let before = items.len();
    items.retain(|item| item.key.starts_with(prefix));
    let more = full && items.len() == before;
    let last = items.last().map(|item| item.key.clone());
    Ok(Page { next: last.filter(|_| more), items })
}

/// Keys with their values.
pub(super) fn entries(
    conn: &Connection,
    plugin: &str,
    limit: usize,
    after: Option<&str>,
) -> Result<Page<StateEntry>, QueryError> {
    has_state(conn, plugin)?;
    let mut statement = conn.prepare_cached(
        "SELECT key, value FROM state WHERE plugin = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
    )?;
    let mut read = statement.query(params![plugin, after.unwrap_or_default(), rows(limit)])?;
    let (mut items, mut bytes, mut full) = (Vec::new(), 0, false);
    while let Some(row) = read.next()? {
        let (key, value): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        bytes += value.len();
        items.push(encoded(key, value));
        full = bytes >= PAGE_BYTES_MAX || items.len() == limit;
        if full {
            break;
        }
    }
    let last = items.last().map(|item| item.key.clone());
    Ok(Page { next: last.filter(|_| full), items })
}

/// One key with its value.
pub(super) fn entry(conn: &Connection, plugin: &str, key: &str) -> Result<StateEntry, QueryError> {
    match state::get(conn, plugin, key)? {
        Some(value) => Ok(encoded(key.to_owned(), value)),
        None => {
            has_state(conn, plugin)?;
            Err(no_key(plugin, key).into())
        }
    }
}

fn encoded(key: String, value: Vec<u8>) -> StateEntry {
    match String::from_utf8(value) {
        Ok(text) => StateEntry { key, value: Some(text), value_base64: None },
        Err(error) => {
            let text = STANDARD.encode(error.as_bytes());
            StateEntry { key, value: None, value_base64: Some(text) }
        }
    }
}

/// Keys get values.
pub(super) fn set(
    conn: &Connection,
    plugin: &str,
    entries: &[NewState],
    now_ms: u64,
) -> Result<Step, QueryError> {
    has_state(conn, plugin)?;
    let (mut changes, mut bytes) = (Vec::with_capacity(entries.len()), 0);
    for NewState { key, value_base64 } in entries {
        if key.is_empty() || key.len() > STATE_KEY_BYTES_MAX {
            let message = format!(
                "a key has 1 to {STATE_KEY_BYTES_MAX} bytes; one of these has {}",
                key.len()
            );
            return Err(RequestError::invalid(message).into());
        }
        let value = STANDARD.decode(value_base64).map_err(|error| {
            RequestError::invalid(format!("the value of {key:?} is no base64: {error}"))
        })?;
        bytes += value.len();
        changes.push(StateChange { key: key.clone(), value: StateValue::Set(value) });
    }
    if bytes > NewState::BYTES_MAX || entries.len() > NewState::KEYS_MAX {
        let message = format!(
            "{} keys with {bytes} bytes are too much at once: {} keys and {} bytes are the most",
            entries.len(),
            NewState::KEYS_MAX,
            NewState::BYTES_MAX
        );
        return Err(RequestError::invalid(message).into());
    }
    state::apply(conn, plugin, &changes, now_ms)?;
    Ok(done(changes.len(), None))
}

/// A key goes, or all of them.
pub(super) fn delete(
    conn: &Connection,
    plugin: &str,
    key: Option<&str>,
    after: Option<&str>,
    now_ms: u64,
) -> Result<Step, QueryError> {
    let keys = match key {
        Some(key) if state::length(conn, plugin, key)?.is_some() => vec![key.to_owned()],
        Some(key) => {
            has_state(conn, plugin)?;
            return Err(no_key(plugin, key).into());
        }
        None => {
            if after.is_none() {
                has_state(conn, plugin)?;
            }
            state::keys(conn, plugin, after.unwrap_or_default(), CHANGES_MAX)?
        }
    };
    let next = if keys.len() < CHANGES_MAX { None } else { keys.last().cloned() };
    let gone = keys.into_iter().map(|key| StateChange { key, value: StateValue::Delete });
    let changes: Vec<StateChange> = gone.collect();
    state::apply(conn, plugin, &changes, now_ms)?;
    Ok(done(changes.len(), next))
}

fn done(count: usize, next: Option<String>) -> Step {
    let mut step = Step::default();
    step.report.count = count as u64;
    step.report.next = next;
    step
}

/// A plugin that was ever live, or has state.
fn has_state(conn: &Connection, plugin: &str) -> Result<(), QueryError> {
    if state::size(conn, plugin)?.keys > 0 { Ok(()) } else { known(conn, plugin) }
}

fn no_key(plugin: &str, key: &str) -> RequestError {
    RequestError::not_found(format!("the plugin {plugin:?} keeps no key {key:?}"))
}
