//! Texts that trials are made of: bodies, cases, state. Reading one is bounded,
//! and what is wrong with it is told by its name and not by where a parser stops.

use std::io::{self, Read};

/// Bytes of a body: the most that a server can be told to take
/// (`server.body_bytes_max`).
pub const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of a case: one with a body and answers of a megabyte each has room.
pub const CASE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Bytes of a file with a plugin's state, of which some is base64.
pub const STATE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why something is no such text.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It has more bytes.
    #[error("too large: it has over {bytes_max} bytes")]
    TooLarge {
        /// The most that there may be.
        bytes_max: u64,
    },
    /// No UTF-8.
    #[error("not UTF-8: byte {at} is none of a text")]
    NotUtf8 {
        /// The first such byte, counted from 0.
        at: usize,
    },
    /// There is nothing in it, or only space.
    #[error("empty")]
    Empty,
}

/// All of a text; it may be empty.
///
/// # Errors
/// See [`TextError`].
pub fn read(input: impl Read, bytes_max: u64) -> Result<String, TextError> {
    let mut bytes = Vec::new();
    input.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(TextError::TooLarge { bytes_max });
    }
    String::from_utf8(bytes)
        .map_err(|error| TextError::NotUtf8 { at: error.utf8_error().valid_up_to() })
}

/// The same of one that must have something in it.
///
/// # Errors
/// See [`TextError`].
pub fn read_some(input: impl Read, bytes_max: u64) -> Result<String, TextError> {
    let text = read(input, bytes_max)?;
    if text.trim().is_empty() { Err(TextError::Empty) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> String {
        match read_some(bytes, 4) {
            Ok(text) => text,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_no_text_is_told_by_its_name() {
        assert_eq!(told(b"abcd"), "abcd");
        assert_eq!(told(b"abcde"), "too large: it has over 4 bytes");
        assert_eq!(told(b"a\xff"), "not UTF-8: byte 1 is none of a text");
        assert_eq!((told(b"").as_str(), told(b" \n").as_str()), ("empty", "empty"));
        assert!(read(&b""[..], 4).is_ok_and(|text| text.is_empty()));
    }
}
