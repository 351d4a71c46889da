//! Splits a valid JSON text into the strings, numbers and names in it, each with
//! where it stands.

use std::borrow::Cow;
use std::ops::Range;

use super::rules::Place;

/// A part of the text that can be hidden.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// From the opening quote, or first digit, to the end, in bytes.
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
    pub(super) place: Place,
    /// Unescaped.
    pub(super) text: Cow<'a, str>,
}

impl Piece<'_> {
    /// As it stands in the text, without quotes.
    pub(super) fn written<'t>(&self, text: &'t str) -> &'t str {
        let raw = text.get(self.span.clone()).unwrap_or_default();
        match self.kind {
            Kind::Number => raw,
            Kind::Name | Kind::String => {
                raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a member.
    Name,
    String,
    Number,
}

/// The pieces of a text that [`Node::parse`](crate::json::Node::parse) took, so
/// that nesting is bounded. `place`: where the text as a whole stands.
pub(super) fn pieces(text: &str, place: Place) -> Vec<Piece<'_>> {
    let mut scan = Scan { text, at: 0, pieces: Vec::new() };
    scan.value(place);
    scan.pieces
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    pieces: Vec<Piece<'a>>,
}

impl<'a> Scan<'a> {
    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What comes after white space, and after commas and colons: in a valid
    /// text they say nothing.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.next(), Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b':')) {
            self.at += 1;
        }
        self.next()
    }

    fn value(&mut self, place: Place) {
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                while self.peek() == Some(b'"') {
                    let name = self.string(Kind::Name, place);
                    self.value(place.of_member(&name));
                }
                self.at += 1;
            }
            Some(b'[') => {
                self.at += 1;
                while !matches!(self.peek(), None | Some(b']')) {
                    self.value(place);
                }
                self.at += 1;
            }
            Some(b'"') => {
                self.string(Kind::String, place);
            }
            Some(first) => {
                let begin = self.at;
                while !matches!(
                    self.next(),
                    None | Some(b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')
                ) {
                    self.at += 1;
                }
                // In a text that is not valid after all, so that it ends.
                self.at = self.at.max(begin + 1);
                if first == b'-' || first.is_ascii_digit() {
                    let text = Cow::Borrowed(self.text.get(begin..self.at).unwrap_or_default());
                    let span = begin..self.at;
                    self.pieces.push(Piece { span, kind: Kind::Number, place, text });
                }
            }
            None => {}
        }
    }

    fn string(&mut self, kind: Kind, place: Place) -> Cow<'a, str> {
        let begin = self.at;
        self.at += 1;
        loop {
            match self.next() {
                Some(b'\\') => self.at += 2,
                Some(b'"') | None => break,
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let quoted = self.text.get(begin..self.at).unwrap_or_default();
        let plain = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        let text: Cow<'a, str> = if plain.contains('\\') {
            Cow::Owned(serde_json::from_str(quoted).unwrap_or_default())
        } else {
            Cow::Borrowed(plain)
        };
        self.pieces.push(Piece { span: begin..self.at, kind, place, text: text.clone() });
        text
    }
}
