//! Key-value state of plugins as JSON.

use serde::{Deserialize, Serialize};

/// What a plugin keeps in its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSummary {
    /// The plugin.
    pub plugin: String,
    /// Keys.
    pub keys: u64,
    /// Bytes of keys and values, and 64 for each key, as in the plugin's limit.
    pub bytes: u64,
}

/// A key of a plugin's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateKey {
    /// The key.
    pub key: String,
    /// Bytes of its value.
    pub bytes: u64,
    /// Milliseconds since the Unix epoch.
    pub changed_at_ms: u64,
}

/// A key of a plugin's state and its value, as it is exported. One of the two
/// values is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateEntry {
    /// The key.
    pub key: String,
    /// The value, where it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The value where it is not, as base64 (RFC 4648, section 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
}

/// A key that gets a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewState {
    /// The key.
    pub key: String,
    /// The value as base64 (RFC 4648, section 4).
    pub value_base64: String,
}

impl NewState {
    /// Bytes of the values of one step.
    pub const BYTES_MAX: usize = 2 * 1024 * 1024;
    /// Keys of one step.
    pub const KEYS_MAX: usize = 500;
}
