//! A plugin's key-value state in memory, and what a file or a case says of it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookbox_core::effects::{StateChange, StateValue, counted, state_bytes};
use hookbox_core::ids::PluginName;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::plugin::state::{Measured, Reading, StateError, StateSource};
use crate::store::records::StateEntry;

/// State that calls read.
pub(super) struct Remembered(pub(super) Arc<BTreeMap<String, Vec<u8>>>);

impl StateSource for Remembered {
    fn values(
        &self,
        _: &PluginName,
        keys: Vec<String>,
        bytes_max: u64,
    ) -> Reading<Vec<Option<Vec<u8>>>> {
        let values: Vec<_> = keys.iter().map(|key| self.0.get(key).cloned()).collect();
        let bytes: u64 = values.iter().flatten().map(|value| value.len() as u64).sum();
        let read =
            if bytes > bytes_max { Err(StateError::TooLarge { bytes_max }) } else { Ok(values) };
        Box::pin(async { read })
    }

    fn measure(&self, _: &PluginName, keys: Vec<String>) -> Reading<Measured> {
        let length = |key: &String| self.0.get(key).map(|value| value.len() as u64);
        let values = keys.iter().map(length).collect();
        let bytes = self.0.iter().map(|(key, value)| state_bytes(key, value.len() as u64)).sum();
        Box::pin(async move { Ok(Measured { bytes, values }) })
    }

    fn keys_after(&self, _: &PluginName, after: String, limit: usize) -> Reading<Vec<String>> {
        let range = (Bound::Excluded(after.as_str()), Bound::Unbounded);
        let keys: Vec<_> =
            self.0.range::<str, _>(range).take(limit).map(|(k, _)| k.clone()).collect();
        Box::pin(async { Ok(keys) })
    }
}

/// State with a call's changes, as a server commits them.
pub(super) fn changed(
    state: &BTreeMap<String, Vec<u8>>,
    changes: &[StateChange],
) -> BTreeMap<String, Vec<u8>> {
    let mut state = state.clone();
    for StateChange { key, value } in changes {
        match value {
            StateValue::Set(value) => {
                state.insert(key.clone(), value.clone());
            }
            StateValue::Delete => {
                state.remove(key);
            }
            StateValue::Add { by, to } => {
                let was = state.get(key).map_or(Some(0), |value| counted(value));
                let is = was.and_then(|was| was.checked_add(*by)).unwrap_or(*to);
                state.insert(key.clone(), is.to_string().into_bytes());
            }
        }
    }
    state
}

/// A value as people write it: a text, a number (a counter), or
/// `{ base64 = "…" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(pub Vec<u8>);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number from 0 on, or { base64 = \"…\" }")
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
                Ok(Value(value.as_bytes().to_vec()))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
                Ok(Value(value.to_string().into_bytes()))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
                let number = u64::try_from(value);
                let number =
                    number.map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))?;
                self.visit_u64(number)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Encoded {
                    base64: String,
                }
                let deserializer = de::value::MapAccessDeserializer::new(map);
                let Encoded { base64 } = Encoded::deserialize(deserializer)?;
                let bytes = STANDARD.decode(base64);
                bytes.map(Value).map_err(|error| de::Error::custom(format!("base64: {error}")))
            }
        }
        deserializer.deserialize_any(Written)
    }
}

/// A value as it is shown: as text, or where it is none as `{"base64": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// UTF-8.
    Text(String),
    /// Anything else (RFC 4648, section 4).
    Bytes {
        /// The bytes.
        base64: String,
    },
}

impl Shown {
    /// `text`: what is done to a text before it is shown.
    pub fn new(value: &[u8], text: impl FnOnce(&str) -> String) -> Self {
        match std::str::from_utf8(value) {
            Ok(value) => Self::Text(text(value)),
            Err(_) => Self::Bytes { base64: STANDARD.encode(value) },
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bytes { base64 } => write!(f, "base64 {base64}"),
        }
    }
}

/// State from a file: a JSON object from keys to values, or what `hookbox kv
/// export` prints.
///
/// # Errors
/// What is wrong, and where.
pub fn read(text: &str) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let entries: Result<Vec<StateEntry>, _> = lines.map(serde_json::from_str).collect();
    match entries {
        Ok(entries) => {
            entries.into_iter().map(|entry| Ok((entry.key.clone(), value_of(entry)?))).collect()
        }
        Err(_) => {
            let values: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|error| {
                format!("neither a JSON object from keys to values ({error}), nor what `hookbox kv export` prints")
            })?;
            Ok(values.into_iter().map(|(key, Value(value))| (key, value)).collect())
        }
    }
}

fn value_of(entry: StateEntry) -> Result<Vec<u8>, String> {
    match (entry.value, entry.value_base64) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(base64)) => {
            STANDARD.decode(base64).map_err(|error| format!("the key {:?}: {error}", entry.key))
        }
        _ => Err(format!("the key {:?} has no value, or two", entry.key)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn state_is_read_as_an_object_and_as_an_export() {
        let as_object = read(r#"{"a": "x", "total": 41, "b": {"base64": "/w=="}}"#);
        let as_export = read(
            "{\"key\":\"a\",\"value\":\"x\"}\n{\"key\":\"total\",\"value\":\"41\"}\n\n\
             {\"key\":\"b\",\"value_base64\":\"/w==\"}\n",
        );
        let state = as_object.expect("an object");
        assert_eq!(Ok(&state), as_export.as_ref());
        assert_eq!(state["total"], b"41");
        assert_eq!(state["b"], [0xff]);
        for wrong in
            [r#"{"a": -1}"#, r#"{"a": 1.5}"#, r#"{"a": {"text": "x"}}"#, "[]", r#"{"key":"a"}"#]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn changes_are_committed_as_a_server_does() {
        let state = BTreeMap::from([
            ("n".to_owned(), b"40".to_vec()),
            ("text".to_owned(), b"x".to_vec()),
            ("gone".to_owned(), b"x".to_vec()),
        ]);
        let change = |key: &str, value| StateChange { key: key.to_owned(), value };
        let changes = [
            change("n", StateValue::Add { by: 2, to: 9 }),
            change("text", StateValue::Add { by: 2, to: 9 }),
            change("gone", StateValue::Delete),
            change("new", StateValue::Set(b"y".to_vec())),
        ];
        let after = changed(&state, &changes);
        let shown: Vec<_> =
            after.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
        assert_eq!(shown, [("n", b"42".as_slice()), ("new", b"y"), ("text", b"9")]);
    }
}
