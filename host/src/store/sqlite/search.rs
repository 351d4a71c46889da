//! Looking for a text in events.
//!
//! An event has it where its id begins with it, or its name or its body has it
//! anywhere. Letters of ASCII are alike in upper and lower case; all else is
//! compared byte by byte, in the body as it was sent: what is escaped in JSON is
//! found by its escape.
//!
//! What is hidden of an event is not found, or whoever may not see it could find
//! out character by character what it is.
//!
//! Invariant: whoever walks events asks [`Search::read`] how much of bodies was
//! read, and ends its page or step past a bound. There is no index of words: it
//! would be as large as the bodies, and be written with each event.

use std::cell::Cell;

use hookbox_core::sensitive::Mask;
use rusqlite::Connection;

use super::query::QueryError;
use crate::store::records::{Filter, RequestError};

/// Bytes of bodies that one page reads, but for the last body: some 10 ms.
pub(super) const READ_MAX: u64 = 8 * 1024 * 1024;

/// The same of a step, for which events wait that come meanwhile.
pub(super) const STEP_READ_MAX: u64 = 2 * 1024 * 1024;

/// Bytes of the text: as much as anyone types.
const TEXT_BYTES_MAX: usize = 200;

/// See the module's text.
pub(super) struct Search<'a> {
    conn: &'a Connection,
    /// None: everything has it.
    wanted: Option<Wanted>,
    /// Bytes of bodies that were read so far.
    read: Cell<u64>,
}

impl<'a> Search<'a> {
    /// What the filter says of text.
    pub(super) fn new(conn: &'a Connection, filter: &Filter) -> Result<Self, RequestError> {
        let text = filter.text.as_deref().unwrap_or_default();
        if text.len() > TEXT_BYTES_MAX {
            let message = format!("`text` has {} bytes, may have {TEXT_BYTES_MAX}", text.len());
            return Err(RequestError::invalid(message));
        }
        if !text.is_empty() && !filter.ids.is_empty() {
            // All that is named is on one page, however large it is.
            let message = "a text is not looked for in what is named: leave one of them out";
            return Err(RequestError::invalid(message));
        }
        Ok(Self { conn, wanted: Wanted::new(text), read: Cell::new(0) })
    }

    /// Bytes of bodies that were read so far.
    pub(super) fn read(&self) -> u64 {
        self.read.get()
    }

    /// Whether the event has it. Reads its body where that has to be looked at.
    pub(super) fn finds(&self, event: i64, id: &str, name: &str) -> Result<bool, QueryError> {
        let Some(wanted) = &self.wanted else { return Ok(true) };
        if wanted.begins(id.as_bytes()) || wanted.is_in(name.as_bytes()) {
            return Ok(true);
        }
        let mut body = self.conn.prepare_cached("SELECT document FROM events WHERE seq = ?1")?;
        let (found, bytes) = body.query_row([event], |row| {
            // Its bytes, since it may be no text any more.
            let body = row.get_ref(0)?.as_bytes().unwrap_or_default();
            if !wanted.is_in(body) {
                return Ok((false, body.len()));
            }
            // Few have it, so that these alone are read twice.
            let mask = Mask::of(name, &String::from_utf8_lossy(body));
            Ok((wanted.is_in(mask.document().as_bytes()), 2 * body.len()))
        })?;
        self.read.set(self.read.get().saturating_add(bytes as u64));
        Ok(found)
    }
}

/// A text that is not empty, in lower case, and how far it can be moved on past a
/// byte that stands where its last one would (Horspool's search).
struct Wanted {
    text: Vec<u8>,
    moves: [u8; 256],
}

impl Wanted {
    fn new(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase().into_bytes();
        let whole = u8::try_from(text.len()).unwrap_or(u8::MAX);
        let mut moves = [whole; 256];
        let (_, before_last) = text.split_last()?;
        for (at, byte) in (1_u8..).zip(before_last) {
            for same in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
                if let Some(moved) = moves.get_mut(usize::from(same)) {
                    *moved = whole.saturating_sub(at);
                }
            }
        }
        Some(Self { text, moves })
    }

    fn begins(&self, bytes: &[u8]) -> bool {
        bytes.get(..self.text.len()).is_some_and(|start| start.eq_ignore_ascii_case(&self.text))
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while let Some(last) = rest.get(self.text.len().saturating_sub(1)) {
            if self.begins(rest) {
                return true;
            }
            let moved = self.moves.get(usize::from(*last)).copied().unwrap_or(1);
            rest = rest.get(usize::from(moved.max(1))..).unwrap_or_default();
        }
        false
    }
}

#[cfg(test)]
mod tests;
