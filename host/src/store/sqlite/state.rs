//! Key-value state of plugins: what a call changed, and what it reads.
//!
//! Invariants:
//! - State changes only in the transaction that ends a call, or by an operator.
//! - `state_sizes` has a row for each plugin with keys, and says what they take.

use hookbox_core::effects::{self, StateChange, StateValue};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::query::{signed, unsigned};

/// What a plugin keeps in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StateSize {
    /// Keys.
    pub keys: u64,
    /// Bytes: of each key [`effects::state_bytes`].
    pub bytes: u64,
}

/// Makes a call's changes, in the caller's transaction.
pub(super) fn apply(
    connection: &Connection,
    plugin: &str,
    changes: &[StateChange],
    now_ms: u64,
) -> rusqlite::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut size = size(connection, plugin)?;
    for StateChange { key, value } in changes {
        let before = length(connection, plugin, key)?;
        if let Some(before) = before {
            size.keys = size.keys.saturating_sub(1);
            size.bytes = size.bytes.saturating_sub(effects::state_bytes(key, before));
        }
        let after = match value {
            StateValue::Delete => None,
            StateValue::Set(value) => Some(std::borrow::Cow::Borrowed(value.as_slice())),
            StateValue::Add { by, to } => {
                let was = get(connection, plugin, key)?;
                let sum = was.map_or(Some(0), |was| effects::counted(&was));
                let sum = sum.and_then(|was| was.checked_add(*by)).unwrap_or(*to);
                Some(sum.to_string().into_bytes().into())
            }
        };
        match after {
            Some(value) => {
                put(connection, plugin, key, &value, now_ms)?;
                size.keys += 1;
                size.bytes += effects::state_bytes(key, value.len() as u64);
            }
            None if before.is_some() => remove(connection, plugin, key)?,
            None => {}
        }
    }
    note_size(connection, plugin, size)
}

fn put(
    connection: &Connection,
    plugin: &str,
    key: &str,
    value: &[u8],
    now_ms: u64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO state (plugin, key, value, changed_at_ms) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (plugin, key) DO UPDATE SET value = ?3, changed_at_ms = ?4",
        )?
        .execute(params![plugin, key, value, signed(now_ms)])?;
    Ok(())
}

fn remove(connection: &Connection, plugin: &str, key: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM state WHERE plugin = ?1 AND key = ?2")?
        .execute([plugin, key])?;
    Ok(())
}

fn note_size(connection: &Connection, plugin: &str, size: StateSize) -> rusqlite::Result<()> {
    if size.keys == 0 {
        connection
            .prepare_cached("DELETE FROM state_sizes WHERE plugin = ?1")?
            .execute([plugin])?;
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO state_sizes (plugin, keys, bytes) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![plugin, signed(size.keys), signed(size.bytes)])?;
    Ok(())
}

/// The value of a key.
pub(super) fn get(
    connection: &Connection,
    plugin: &str,
    key: &str,
) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT value FROM state WHERE plugin = ?1 AND key = ?2")?
        .query_row([plugin, key], |row| row.get(0))
        .optional()
}

/// Values of keys, in their order. None: they have over `bytes_max` bytes in all.
pub(super) fn values(
    connection: &Connection,
    plugin: &str,
    keys: &[String],
    bytes_max: u64,
) -> rusqlite::Result<Option<Vec<Option<Vec<u8>>>>> {
    let (mut values, mut bytes) = (Vec::with_capacity(keys.len()), 0);
    for key in keys {
        // Before it is read, so that memory is bounded.
        bytes += length(connection, plugin, key)?.unwrap_or(0);
        if bytes > bytes_max {
            return Ok(None);
        }
        values.push(get(connection, plugin, key)?);
    }
    Ok(Some(values))
}

/// The bytes of a key's value, without reading it.
pub(super) fn length(
    connection: &Connection,
    plugin: &str,
    key: &str,
) -> rusqlite::Result<Option<u64>> {
    connection
        .prepare_cached("SELECT length(value) FROM state WHERE plugin = ?1 AND key = ?2")?
        .query_row([plugin, key], |row| row.get(0).map(unsigned))
        .optional()
}

/// What a plugin keeps in all.
pub(super) fn size(connection: &Connection, plugin: &str) -> rusqlite::Result<StateSize> {
    let size = connection
        .prepare_cached("SELECT keys, bytes FROM state_sizes WHERE plugin = ?1")?
        .query_row([plugin], |row| {
            Ok(StateSize { keys: unsigned(row.get(0)?), bytes: unsigned(row.get(1)?) })
        })
        .optional()?;
    Ok(size.unwrap_or_default())
}

/// Keys after one, in the order of their bytes.
pub(super) fn keys(
    connection: &Connection,
    plugin: &str,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT key FROM state WHERE plugin = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
        )?
        .query_map(params![plugin, after, super::walk::limit(limit)], |row| row.get(0))?
        .collect()
}
