//! What a plugin may do beyond logs, time and randomness: what it asks for, and
//! the forms in which an operator grants it.
//!
//! Invariant: two spellings of one place are one [`Origin`], so that what was
//! granted and what is asked for can be compared by `==`.

mod address;
mod origin;
#[cfg(test)]
mod tests;

use std::fmt;

pub use address::{AddressRule, AddressSet, AddressSetError, forbidden};
pub use origin::{Origin, OriginError, Scheme};

/// One thing that a plugin needs and only the operator can give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// Outgoing HTTP to one origin.
    Http(Origin),
    /// A settings key that must be there.
    Config(String),
    /// A settings key whose value is secret.
    Secret(String),
    /// Key-value state in the plugin's own namespace.
    Keyvalue,
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(origin) => write!(f, "outgoing HTTP to {origin}"),
            Self::Config(key) => write!(f, "the setting {key:?}"),
            Self::Secret(key) => write!(f, "the secret {key:?}"),
            Self::Keyvalue => f.write_str("key-value state"),
        }
    }
}
