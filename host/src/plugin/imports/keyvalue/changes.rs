//! What a call has changed of its plugin's state so far, over what is in the
//! file. Nothing of it is durable before the call's end.
//!
//! Invariant: what it holds is bounded by [`CHANGES_MAX`] and
//! [`Limits::changes_bytes_max`], and by what the plugin may keep.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Bound;

use hookbox_core::effects::{StateChange, StateValue, state_bytes};

/// Keys that one call may change: they are written in one transaction, in which
/// every other plugin waits. So many take about 50 ms.
pub(super) const CHANGES_MAX: usize = 10_000;

/// Bytes of all that one call changes, each key counted as in its plugin's limit,
/// or one value of the greatest length that its configuration allows: they are
/// written in one transaction, in which every other plugin and every sender
/// waits. So many take some 20 ms.
const CHANGES_BYTES: u64 = 4 << 20;

/// What a key and its cost add to a value, at most.
const KEY_ROOM_BYTES: u64 = 64 * 1024;

/// Bytes of all that one call may change.
///
/// `value_bytes_max`: of one value.
pub(super) fn changes_bytes_max(value_bytes_max: u64) -> u64 {
    CHANGES_BYTES.max(value_bytes_max.saturating_add(KEY_ROOM_BYTES))
}

/// Bounds that the plugin's configuration sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// What one call may change in all.
    pub(super) changes_bytes_max: u64,
    /// `keyvalue_bytes_max`
    pub(super) bytes_max: u64,
    /// `keyvalue_value_bytes_max`
    pub(super) value_bytes_max: u64,
}

/// Why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The key has a length that none may have.
    Key,
    /// The value is too long.
    Value,
    /// The plugin would keep too much in all: so much.
    State(u64),
    /// The call changes too many keys.
    Changes,
    /// The call changes too much in all.
    ChangesBytes,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Changes {
    keys: BTreeMap<String, Change>,
    /// By how much the plugin keeps more than before the call.
    more: i64,
    /// What is held.
    bytes: u64,
}

#[derive(Debug)]
struct Change {
    value: StateValue,
    /// Bytes of the value in the file; none: the key is not there.
    before: Option<u64>,
}

impl Change {
    /// What the key takes of the plugin's limit, afterwards and before.
    fn costs(&self, key: &str) -> (u64, u64) {
        let after = match &self.value {
            StateValue::Set(value) => state_bytes(key, value.len() as u64),
            StateValue::Add { to, .. } => state_bytes(key, to.to_string().len() as u64),
            StateValue::Delete => 0,
        };
        (after, self.before.map_or(0, |before| state_bytes(key, before)))
    }

    fn more(&self, key: &str) -> i64 {
        let (after, before) = self.costs(key);
        after.cast_signed() - before.cast_signed()
    }

    fn held(&self, key: &str) -> u64 {
        match &self.value {
            StateValue::Set(value) => state_bytes(key, value.len() as u64),
            StateValue::Add { .. } | StateValue::Delete => state_bytes(key, 0),
        }
    }
}

impl Changes {
    /// What the call has made of a key. None: nothing, so that the file says
    /// what it is.
    pub(super) fn value(&self, key: &str) -> Option<Option<Cow<'_, [u8]>>> {
        self.keys.get(key).map(|change| match &change.value {
            StateValue::Set(value) => Some(Cow::Borrowed(value.as_slice())),
            StateValue::Add { to, .. } => Some(to.to_string().into_bytes().into()),
            StateValue::Delete => None,
        })
    }

    /// Where the call did nothing with a key but count it up: by how much, and
    /// what it is now.
    pub(super) fn added(&self, key: &str) -> Option<(u64, u64)> {
        match self.keys.get(key)?.value {
            StateValue::Add { by, to } => Some((by, to)),
            StateValue::Set(_) | StateValue::Delete => None,
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// A key gets a value, or is counted up.
    ///
    /// `before`: bytes of its value in the file, unless the call has changed it
    /// already. `kept`: what the plugin keeps in all in the file.
    ///
    /// # Errors
    /// Past a limit. Then nothing has changed.
    pub(super) fn set(
        &mut self,
        key: &str,
        value: StateValue,
        before: Option<u64>,
        kept: u64,
        limits: Limits,
    ) -> Result<(), Refused> {
        let old = self.keys.get(key);
        let before = old.map_or(before, |old| old.before);
        let change = Change { value, before };
        let was = old.map_or_else(|| change.costs(key).1, |old| old.costs(key).0);
        let (is, _) = change.costs(key);
        let more = self.more + change.more(key) - old.map_or(0, |old| old.more(key));
        let bytes =
            (self.bytes + change.held(key)).saturating_sub(old.map_or(0, |old| old.held(key)));
        let in_all = kept.saturating_add_signed(more);
        // Where the limit was lowered, what makes less of it is still right.
        if in_all > limits.bytes_max && is > was {
            return Err(Refused::State(in_all));
        }
        if old.is_none() && self.keys.len() >= CHANGES_MAX {
            return Err(Refused::Changes);
        }
        if bytes > limits.changes_bytes_max {
            return Err(Refused::ChangesBytes);
        }
        (self.more, self.bytes) = (more, bytes);
        self.keys.insert(key.to_owned(), change);
        Ok(())
    }

    /// A key goes. `before` as for [`Changes::set`].
    ///
    /// # Errors
    /// Past a limit. Then nothing has changed.
    pub(super) fn delete(&mut self, key: &str, before: Option<u64>) -> Result<(), Refused> {
        let before = match self.keys.get(key) {
            Some(old) => old.before,
            None if before.is_none() => return Ok(()),
            None if self.keys.len() >= CHANGES_MAX => return Err(Refused::Changes),
            None => before,
        };
        if let Some(old) = self.keys.remove(key) {
            self.more -= old.more(key);
            self.bytes = self.bytes.saturating_sub(old.held(key));
        }
        // What the call itself has made is gone without a trace.
        if before.is_some() {
            let change = Change { value: StateValue::Delete, before };
            self.more += change.more(key);
            self.bytes += change.held(key);
            self.keys.insert(key.to_owned(), change);
        }
        Ok(())
    }

    /// Keys after `after` up to `to`, which the file's keys there have become.
    /// None: to the end.
    pub(super) fn merged(
        &self,
        after: &str,
        to: Option<&str>,
        in_file: Vec<String>,
    ) -> Vec<String> {
        let mut keys = in_file;
        keys.retain(|key| !self.has(key));
        let range = (Bound::Excluded(after), to.map_or(Bound::Unbounded, Bound::Included));
        let own = self.keys.range::<str, _>(range);
        let there = own.filter(|(_, change)| change.value != StateValue::Delete);
        keys.extend(there.map(|(key, _)| key.clone()));
        keys.sort_unstable();
        keys
    }

    /// All of it, for the call's end.
    pub(super) fn into_list(self) -> Vec<StateChange> {
        let list = self.keys.into_iter();
        list.map(|(key, change)| StateChange { key, value: change.value }).collect()
    }
}
