//! `wasi:keyvalue`: the state of the plugin, which is its own and nobody else's.
//!
//! Invariants:
//! - What a call writes is kept here until its end ([`changes`]), and only read
//!   by the call itself.
//! - What the host holds for a call is bounded, and so is what one function
//!   hands out.
//!
//! There is one bucket, `""` or `default`. What guests call is in [`interface`].

mod changes;
mod interface;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use hookbox_core::effects::{
    STATE_KEY_BYTES_MAX as KEY_BYTES_MAX, StateChange, StateValue, counted,
};
use hookbox_core::ids::PluginName;

use self::changes::{CHANGES_MAX, Changes, Limits, Refused, changes_bytes_max};
#[allow(unreachable_pub, reason = "generated code re-exports it")]
pub use self::interface::Bucket;
use super::generated::wasi::keyvalue::store::KeyResponse;
use crate::config;
use crate::plugin::state::{Measured, StateSource};

/// Keys of one function that takes several.
const BATCH_MAX: usize = 1_000;

/// Bytes of all values that one function hands out: one of the greatest length
/// that can be configured. The host holds them until the guest has them.
const VALUES_BYTES_MAX: u64 = 64 << 20;

/// Keys on a page of `list-keys`. With the longest keys it is a mebibyte.
const PAGE_KEYS: usize = 1_000;

/// Places of `list-keys` that a call can go on from; older ones are forgotten.
const CURSORS_MAX: usize = 100;

/// Characters of a key that are shown in a message.
const SHOWN_CHARS_MAX: usize = 80;

/// The state of a call's plugin.
pub struct State {
    source: Arc<dyn StateSource>,
    plugin: PluginName,
    limits: Limits,
    changes: Changes,
    /// Where a page of `list-keys` begins, by its number.
    cursors: BTreeMap<u64, String>,
    last_cursor: u64,
}

/// What a guest is told, and where a limit was met, the call's log.
enum Problem {
    Limit(String),
    Other(String),
}

impl<E: std::error::Error> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::Other(error.to_string())
    }
}

impl State {
    /// That of a fresh call.
    pub fn new(
        source: &Arc<dyn StateSource>,
        plugin: &PluginName,
        settings: &config::Plugin,
    ) -> Self {
        Self {
            source: Arc::clone(source),
            plugin: plugin.clone(),
            limits: Limits {
                changes_bytes_max: changes_bytes_max(settings.keyvalue_value_bytes_max as u64),
                bytes_max: settings.keyvalue_bytes_max,
                value_bytes_max: settings.keyvalue_value_bytes_max as u64,
            },
            changes: Changes::default(),
            cursors: BTreeMap::new(),
            last_cursor: 0,
        }
    }

    /// What the call has changed. For its end.
    pub fn take_changes(&mut self) -> Vec<StateChange> {
        std::mem::take(&mut self.changes).into_list()
    }

    async fn values(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Problem> {
        let (mut values, mut missing, mut bytes) = (Vec::new(), Vec::new(), 0);
        for key in keys {
            let value = match self.changes.value(key) {
                Some(value) => value.map(|value| value.into_owned()),
                None => {
                    missing.push(key.clone());
                    None
                }
            };
            bytes += value.as_ref().map_or(0, |value| value.len() as u64);
            if bytes > VALUES_BYTES_MAX {
                return Err(too_large());
            }
            values.push(value);
        }
        if missing.is_empty() {
            return Ok(values);
        }
        let read = self.source.values(&self.plugin, missing, VALUES_BYTES_MAX - bytes).await?;
        let mut read = read.into_iter();
        for (key, value) in keys.iter().zip(&mut values) {
            if !self.changes.has(key) {
                *value = read.next().flatten();
            }
        }
        Ok(values)
    }

    /// How long values in the file are, of keys that the call has not changed.
    async fn measure(&self, keys: &[String]) -> Result<(u64, BTreeMap<String, u64>), Problem> {
        let Measured { bytes, values } = self.source.measure(&self.plugin, keys.to_vec()).await?;
        let there = keys.iter().cloned().zip(values);
        Ok((bytes, there.filter_map(|(key, value)| Some((key, value?))).collect()))
    }

    async fn set(&mut self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), Problem> {
        let most = self.limits.value_bytes_max;
        for (key, value) in &pairs {
            self.check_key(key)?;
            if value.len() as u64 > most {
                return Err(self.refused(Refused::Value, key, value.len() as u64));
            }
        }
        let keys: Vec<String> = pairs.iter().map(|(key, _)| key.clone()).collect();
        let (kept, before) = self.measure(&keys).await?;
        for (key, value) in pairs {
            let (before, bytes) = (before.get(&key).copied(), value.len() as u64);
            self.changes
                .set(&key, StateValue::Set(value), before, kept, self.limits)
                .map_err(|why| self.refused(why, &key, bytes))?;
        }
        Ok(())
    }

    async fn delete(&mut self, keys: Vec<String>) -> Result<(), Problem> {
        keys.iter().try_for_each(|key| self.check_key(key))?;
        let (_, before) = self.measure(&keys).await?;
        for key in keys {
            self.changes
                .delete(&key, before.get(&key).copied())
                .map_err(|why| self.refused(why, &key, 0))?;
        }
        Ok(())
    }

    async fn increment(&mut self, key: String, by: u64) -> Result<u64, Problem> {
        self.check_key(&key)?;
        let keys = std::slice::from_ref(&key);
        let (kept, before) = self.measure(keys).await?;
        let before = before.get(&key).copied();
        // No number is longer, and what is need not be read.
        if !self.changes.has(&key) && before.is_some_and(|bytes| bytes > NUMBER_BYTES_MAX) {
            return Err(no_number(&key));
        }
        let was = self.values(keys).await?.into_iter().next().flatten();
        let was = was.map_or(Some(0), |was| counted(&was)).ok_or_else(|| no_number(&key))?;
        let to = was.checked_add(by).ok_or_else(|| {
            Problem::Other(format!("{} is {was}, and {by} more is over 64 bits", shown(&key)))
        })?;
        let value = match self.changes.added(&key) {
            Some((before, _)) => StateValue::Add { by: before.saturating_add(by), to },
            None if self.changes.has(&key) => StateValue::Set(to.to_string().into_bytes()),
            None => StateValue::Add { by, to },
        };
        self.changes
            .set(&key, value, before, kept, self.limits)
            .map_err(|why| self.refused(why, &key, 0))?;
        Ok(to)
    }

    async fn list(&mut self, cursor: Option<u64>) -> Result<KeyResponse, Problem> {
        let mut after = match cursor {
            None => String::new(),
            Some(cursor) => self.cursors.get(&cursor).cloned().ok_or_else(|| {
                Problem::Other(format!(
                    "the cursor {cursor} is none of the last {CURSORS_MAX} of this call"
                ))
            })?,
        };
        loop {
            let in_file = self.source.keys_after(&self.plugin, after.clone(), PAGE_KEYS).await?;
            let to = if in_file.len() < PAGE_KEYS { None } else { in_file.last().cloned() };
            let mut keys = self.changes.merged(&after, to.as_deref(), in_file);
            let next = if keys.len() > PAGE_KEYS {
                keys.truncate(PAGE_KEYS);
                keys.last().cloned()
            } else {
                to
            };
            match next {
                // All that the file has there is deleted by the call, which is
                // so for ten pages at most (`CHANGES_MAX`).
                Some(next) if keys.is_empty() => after = next,
                next => {
                    let cursor = next.map(|next| self.cursor(next));
                    return Ok(KeyResponse { keys, cursor });
                }
            }
        }
    }

    fn cursor(&mut self, after: String) -> u64 {
        self.last_cursor += 1;
        self.cursors.insert(self.last_cursor, after);
        if self.cursors.len() > CURSORS_MAX {
            self.cursors.pop_first();
        }
        self.last_cursor
    }

    fn check_key(&self, key: &str) -> Result<(), Problem> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(self.refused(Refused::Key, key, 0));
        }
        Ok(())
    }

    /// Which limit was met, its value, and the key that changes it.
    fn refused(&self, why: Refused, key: &str, value_bytes: u64) -> Problem {
        let (plugin, key_shown) = (&self.plugin, shown(key));
        let Limits { bytes_max, value_bytes_max, changes_bytes_max } = self.limits;
        Problem::Limit(match why {
            Refused::Key => {
                format!("a key has 1 to {KEY_BYTES_MAX} bytes; {key_shown} has {}", key.len())
            }
            Refused::Value => format!(
                "the value of {key_shown} has {value_bytes} bytes: \
                 plugin.{plugin}.keyvalue_value_bytes_max is {value_bytes_max}"
            ),
            Refused::State(in_all) => format!(
                "with {key_shown} the plugin would keep {in_all} bytes: \
                 plugin.{plugin}.keyvalue_bytes_max is {bytes_max}"
            ),
            Refused::Changes => {
                format!("{key_shown} is not changed: one call changes {CHANGES_MAX} keys at most")
            }
            Refused::ChangesBytes => format!(
                "{key_shown} is not changed: what one call changes has {changes_bytes_max} bytes at most"
            ),
        })
    }
}

/// Digits of the greatest number of 64 bits, and some zeros before.
const NUMBER_BYTES_MAX: u64 = 40;

fn no_number(key: &str) -> Problem {
    Problem::Other(format!("the value of {} is no number that can be counted up", shown(key)))
}

fn too_large() -> Problem {
    Problem::Other(format!(
        "the values have over {VALUES_BYTES_MAX} bytes in all: ask for fewer keys at once"
    ))
}

/// A key as a message shows it.
fn shown(key: &str) -> String {
    let mut chars = key.chars();
    let start: String = chars.by_ref().take(SHOWN_CHARS_MAX).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    format!("{start:?}{more}")
}

fn batch_size(count: usize) -> Result<(), Problem> {
    if count <= BATCH_MAX {
        return Ok(());
    }
    Err(Problem::Limit(format!("{count} keys at once; {BATCH_MAX} are the most")))
}
