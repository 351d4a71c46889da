//! What of a webhook is shown to people: all but what lets somebody in, such as
//! the key of a livestream or the address to which it is sent.
//!
//! ```text
//! document ─▶ scan (each string, number and name, and where it stands)
//!          ─▶ rules (which of them are hidden) ─▶ Mask
//! ```
//!
//! Invariants:
//! - What is hidden is hidden everywhere: a hidden value is neither in
//!   [`Mask::document`] nor in what [`Mask::text`] gives, however it is spelled
//!   there in JSON or in a URL. Values under four bytes are hidden only where
//!   they stand; and what is hidden for a name with `key` in it alone, in no event
//!   about a stream, is hidden in [`Mask::text`] only where it looks like a key.
//! - What is left is as it was written: members in order, each digit, each
//!   escape, white space.
//! - Where it cannot be told, more is hidden.
//!
//! This is for eyes, not for plugins: those get the whole event.

mod needles;
mod rules;
mod scan;

use std::borrow::Cow;
use std::ops::Range;

use self::needles::Needles;
use self::rules::{Place, Rules};
use crate::json::Node;

/// What stands in the place of a hidden value.
pub const HIDDEN: &str = "[hidden]";

/// The hidden values of one event.
#[derive(Clone)]
pub struct Mask {
    document: String,
    count: u64,
    needles: Needles,
}

impl Mask {
    /// Looks through an event: its name, and its
    /// [`document`](crate::targetvideo::Event::document). A document that is no
    /// JSON is hidden whole.
    pub fn of(name: &str, document: &str) -> Self {
        if Node::parse(document).is_err() {
            let document = format!("\"{HIDDEN}\"");
            return Self { document, count: 1, needles: Needles::everything() };
        }
        let mut rules = Rules::default();
        let pieces = scan::pieces(document, Place::of_event(name));
        let mut hidden: Vec<bool> = pieces.iter().map(|piece| rules.hide(piece)).collect();
        let needles = Needles::new(rules.values.clone(), name);
        // In the document all that is hidden is sought. In other text words that
        // are values of such as `key` would be found where they are words.
        let all = match rules.weak.is_empty() {
            true => needles.clone(),
            false => Needles::new([rules.values, rules.weak].concat(), name),
        };
        // What is hidden in one place may stand in another that tells nothing.
        for (piece, hidden) in pieces.iter().zip(&mut hidden) {
            *hidden |= all.are_in(&piece.text) || all.are_in(piece.written(document));
        }
        let spans = pieces.iter().zip(&hidden).filter(|(_, hidden)| **hidden).map(|(p, _)| &p.span);
        let (mut shown, mut end, mut count) = (String::with_capacity(document.len()), 0, 0);
        for span in spans {
            shown.push_str(document.get(end..span.start).unwrap_or_default());
            shown.push('"');
            shown.push_str(HIDDEN);
            shown.push('"');
            end = span.end;
            count += 1;
        }
        shown.push_str(document.get(end..).unwrap_or_default());
        Self { document: shown, count, needles }
    }

    /// The document with `"[hidden]"` in the place of each hidden value.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// How many values are hidden in the document.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Other text without the hidden values, such as what a plugin printed of
    /// the event. The beginning of one at the end of a line is hidden too, since
    /// such text is cut off at a length.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.needles.replaced(text)
    }

    /// Where whole hidden values stand in other text, in order and without
    /// overlaps. For text that goes on, of which [`Mask::text`] would hide the
    /// beginning of a value and not its rest.
    pub fn places(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        self.needles.places(bytes)
    }

    /// Bytes of the longest hidden value as it may be spelled in other text: of
    /// a text that goes on, so many at its end may be the beginning of one.
    pub fn longest(&self) -> usize {
        self.needles.longest()
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mask").field("count", &self.count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
