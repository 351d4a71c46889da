//! Names and numbers that identify things. Each type can be made only in the
//! right form, so nothing that takes one has to check it again.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use uuid::fmt::Hyphenated;
use uuid::{Builder, Uuid};

use crate::limits::NAME_CHARS_MAX;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a name: use 1 to {NAME_CHARS_MAX} of the characters a-z, 0-9 and -, not starting with -"
)]
pub struct NameError {
    text: String,
}

fn checked_name(text: &str) -> Result<Box<str>, NameError> {
    let ok = !text.is_empty()
        && text.len() <= NAME_CHARS_MAX
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if ok { Ok(text.into()) } else { Err(NameError { text: text.chars().take(100).collect() }) }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                checked_name(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type! {
    /// What a plugin is known by: its file's name without `.wasm`.
    PluginName
}
name_type! {
    /// Name of a configured source, the last part of `/hooks/<source>`.
    SourceName
}

/// Why a text is not the id of an event or of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not an id: use a UUID with hyphens, as in 018f3a5c-7b1e-7d42-9c3f-5a1e6b2d8c04"
)]
pub struct IdError {
    text: String,
}

macro_rules! uuid_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A UUID version 7 (RFC 9562): sorts by time, and holds nothing
            /// but the time and the given random bytes.
            ///
            /// `unix_ms`: milliseconds since the Unix epoch, of which the id holds
            /// the low 48 bits: enough until the year 10889.
            pub fn new(unix_ms: u64, random: [u8; 10]) -> Self {
                Self(Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
            }
        }

        /// Any UUID in the form with hyphens, in either case: that it is of
        /// version 7 is not checked.
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                match text.parse::<Hyphenated>() {
                    Ok(id) => Ok(Self(id.into_uuid())),
                    Err(_) => Err(IdError { text: text.chars().take(100).collect() }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_type! {
    /// An event's id, as the sender gets it in the answer.
    EventId
}
uuid_type! {
    /// Id of one event's handing-over to one plugin, the same for each attempt.
    DeliveryId
}

impl EventId {
    /// The latest time that an id can hold: its field for it has 48 bits (RFC
    /// 9562, section 5.7).
    const UNIX_MS_MAX: u64 = (1 << 48) - 1;

    /// When the id was made: milliseconds since the Unix epoch. It says
    /// nothing where the id is no UUID of version 7.
    pub fn unix_ms(&self) -> u64 {
        self.0.as_u64_pair().0 >> 16
    }

    /// The lowest of the ids that [`EventId::new`] makes in that millisecond:
    /// what a search by time starts from, or ends before. Times past what an
    /// id can hold are as the last one that it can.
    pub fn first_at(unix_ms: u64) -> Self {
        Self::new(unix_ms.min(Self::UNIX_MS_MAX), [0; 10])
    }
}

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a SHA-256 digest: use its 64 hexadecimal digits")]
pub struct DigestError {
    text: String,
}

/// A SHA-256 digest (FIPS 180-4), shown as lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest as bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 12 hexadecimal digits, for people to tell builds apart.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

/// Of what was hashed piece by piece.
impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// 64 hexadecimal digits, in either case.
impl FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        from_hex(text)
            .map(Self)
            .ok_or_else(|| DigestError { text: text.chars().take(100).collect() })
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    let pairs: &[[u8; 2]; 32] = match text.as_bytes().as_chunks() {
        (pairs, []) => pairs.try_into().ok()?,
        _ => return None,
    };
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_letters_digits_and_hyphens() {
        for good in ["a", "audit-log", "7", "a-7-", &"x".repeat(64)] {
            assert_eq!(good.parse::<PluginName>().map(|n| n.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "A", "a_b", "a.b", "../a", "ä", "a b", &"x".repeat(65)] {
            assert!(bad.parse::<PluginName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn event_ids_sort_by_time() {
        let early = EventId::new(1_000, [255; 10]);
        let late = EventId::new(1_001, [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
    }

    #[test]
    fn a_digest_is_the_sha256_of_the_bytes() {
        // The empty message's digest, from FIPS 180-4's examples.
        assert_eq!(
            Digest::of(b"").to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn ids_are_read_back_from_their_text() {
        let event = EventId::new(1_700_000_000_000, [7; 10]);
        assert_eq!(event.to_string().parse(), Ok(event));
        assert_eq!(event.to_string().to_uppercase().parse(), Ok(event));
        let delivery = DeliveryId::new(1_700_000_000_000, [8; 10]);
        assert_eq!(delivery.to_string().parse(), Ok(delivery));
    }

    #[test]
    fn only_the_form_with_hyphens_is_an_id() {
        let id = EventId::new(1_700_000_000_000, [7; 10]).to_string();
        for bad in [
            "",
            "latest",
            &id.replace('-', ""),
            &format!("{{{id}}}"),
            &format!("urn:uuid:{id}"),
            &format!(" {id}"),
            &format!("{id}0"),
            &id.replace('7', "g"),
            &"ä".repeat(18),
        ] {
            assert!(bad.parse::<EventId>().is_err(), "{bad:?}");
        }
        assert_eq!(
            "latest".parse::<DeliveryId>().map_err(|e| e.to_string()),
            Err("\"latest\" is not an id: use a UUID with hyphens, as in \
                 018f3a5c-7b1e-7d42-9c3f-5a1e6b2d8c04"
                .to_owned())
        );
    }

    #[test]
    fn an_event_id_tells_its_time() {
        for unix_ms in [0, 1, 1_700_000_000_123, EventId::UNIX_MS_MAX] {
            assert_eq!(EventId::new(unix_ms, [255; 10]).unix_ms(), unix_ms);
            assert_eq!(EventId::first_at(unix_ms).unix_ms(), unix_ms);
        }
    }

    #[test]
    fn the_first_id_of_a_millisecond_parts_it_from_the_one_before() {
        let first = EventId::first_at(1_700_000_000_000);
        assert!(EventId::new(1_699_999_999_999, [255; 10]) < first);
        assert!(first <= EventId::new(1_700_000_000_000, [0; 10]));
        assert!(first < EventId::new(1_700_000_000_000, [1; 10]));
    }

    #[test]
    fn a_time_past_the_last_is_the_last() {
        let last = EventId::first_at(EventId::UNIX_MS_MAX);
        assert_eq!(EventId::first_at(EventId::UNIX_MS_MAX + 1), last);
        assert_eq!(EventId::first_at(u64::MAX), last);
    }

    #[test]
    fn a_digest_is_read_back_from_its_text() {
        let digest = Digest::of(b"abc");
        let text = digest.to_string();
        assert_eq!(text.parse(), Ok(digest));
        assert_eq!(text.to_uppercase().parse(), Ok(digest));
        for bad in [
            "",
            "ba7816bf8f01",
            &format!("{text}0"),
            &format!("{text}00"),
            &format!("0x{}", text.split_at(2).1),
            &text.replace('a', "g"),
            &text.replace('a', "+"),
            &"ä".repeat(32),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad:?}");
        }
        assert_eq!(
            "sha256".parse::<Digest>().map_err(|e| e.to_string()),
            Err("\"sha256\" is not a SHA-256 digest: use its 64 hexadecimal digits".to_owned())
        );
    }
}
