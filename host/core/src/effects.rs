//! What a call of a plugin did beyond its answer: changes of its key-value
//! state, which count only with an `ok`, and the requests that it sent, which
//! are kept whatever became of it.

use std::net::IpAddr;
use std::time::Duration;

use crate::ids::Digest;

/// A change of one key of a plugin's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The key.
    pub key: String,
    /// What becomes of it.
    pub value: StateValue,
}

/// What becomes of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateValue {
    /// It has this value.
    Set(Vec<u8>),
    /// It is gone.
    Delete,
    /// It was counted up and nothing else: `by` is added to what is there when
    /// it is committed, so that calls at once all count. Where what is there is
    /// no number by then, or too large, it gets `to`.
    Add {
        /// By how much.
        by: u64,
        /// What the call saw.
        to: u64,
    },
}

/// A request that a call sent, or was refused, without any header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundCall {
    /// When: milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// Until the response was read to its end, or given up.
    pub duration: Duration,
    /// Its method, bounded.
    pub method: String,
    /// Its URL without the query, bounded, secrets replaced.
    pub url: String,
    /// To which it was sent. None: no connection was made.
    pub address: Option<IpAddr>,
    /// Of the response.
    pub status: Option<u16>,
    /// A stable code where it failed or was refused, and why; secrets replaced.
    pub error: Option<(&'static str, String)>,
    /// What was sent.
    pub request: CalledBody,
    /// What came back.
    pub response: CalledBody,
}

/// One of the two bodies of an [`OutboundCall`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CalledBody {
    /// Bytes that passed.
    pub bytes: u64,
    /// Of these, where it passed whole.
    pub digest: Option<Digest>,
    /// The first of them, as many as the operator lets be kept, secrets
    /// replaced.
    pub kept: Option<Vec<u8>>,
}

/// Bytes that a key of a plugin's state takes of its limit beyond key and value,
/// so that many small ones are not free.
pub const STATE_KEY_COST_BYTES: u64 = 64;

/// What a key takes of its plugin's limit.
pub fn state_bytes(key: &str, value_bytes: u64) -> u64 {
    key.len() as u64 + value_bytes + STATE_KEY_COST_BYTES
}

/// A value as a number that can be counted up: decimal digits. None: it is none,
/// or over 64 bits.
pub fn counted(value: &[u8]) -> Option<u64> {
    // `parse` would take a sign too.
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Bytes of a key of a plugin's state. It has at least one.
pub const STATE_KEY_BYTES_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_decimal_digits_of_64_bits_are_a_number() {
        for (value, number) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("1 ", None),
            ("1.0", None),
            ("\u{661}", None),
        ] {
            assert_eq!(counted(value.as_bytes()), number, "{value:?}");
        }
        assert_eq!(counted(&[0xff]), None);
    }

    #[test]
    fn a_key_costs_its_bytes_those_of_its_value_and_64() {
        assert_eq!(state_bytes("\u{e4}", 3), 2 + 3 + 64);
    }
}
