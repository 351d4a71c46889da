//! Hidden values, to be found in other text.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::HIDDEN;

/// A shorter value could not be told from ordinary text.
const VALUE_BYTES_MIN: usize = 4;

/// Bytes at the end of a line that are hidden where a value begins so.
const BEGINNING_BYTES_MIN: usize = 6;

/// Bytes of all values and their spellings together: what finds them takes some
/// twenty times as much memory. A livestream's take a few hundred. Past that,
/// everything is hidden.
const BYTES_MAX: usize = 256 * 1024;

#[derive(Clone)]
pub(super) enum Needles {
    None,
    Some(Arc<Found>),
    /// There are too many to look for.
    Everything,
}

pub(super) struct Found {
    whole: AhoCorasick,
    /// The first bytes of each value.
    beginnings: AhoCorasick,
    /// In lower case and in order.
    values: Vec<String>,
    /// Bytes of the longest of them.
    longest: usize,
}

impl Needles {
    /// What finds these values. `name`: the event's name, which is known, so
    /// that what is part of it is not sought.
    pub(super) fn new(mut values: Vec<String>, name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        values.retain(|value| {
            value.len() >= VALUE_BYTES_MIN && !name.contains(&value.to_ascii_lowercase())
        });
        values.sort_unstable();
        values.dedup();
        if values.is_empty() {
            return Self::None;
        }
        if values.iter().map(String::len).sum::<usize>() > BYTES_MAX {
            return Self::Everything;
        }
        let mut all: Vec<String> = values.iter().flat_map(|value| spellings(value)).collect();
        all.sort_unstable();
        all.dedup();
        if all.iter().map(String::len).sum::<usize>() > BYTES_MAX {
            return Self::Everything;
        }
        Found::new(all).map_or(Self::Everything, |found| Self::Some(Arc::new(found)))
    }

    pub(super) fn everything() -> Self {
        Self::Everything
    }

    pub(super) fn are_in(&self, text: &str) -> bool {
        match self {
            Self::None => false,
            Self::Some(found) => found.whole.is_match(text),
            Self::Everything => !text.is_empty(),
        }
    }

    /// Where everything is hidden, there is nothing to cut in two.
    pub(super) fn longest(&self) -> usize {
        match self {
            Self::None | Self::Everything => 0,
            Self::Some(found) => found.longest,
        }
    }

    /// Where whole values stand, in order; where two overlap, the first of them.
    pub(super) fn places(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        match self {
            Self::None => Vec::new(),
            Self::Some(found) => found.whole.find_iter(bytes).map(|hit| hit.range()).collect(),
            Self::Everything => std::iter::once(0..bytes.len()).collect(),
        }
    }

    pub(super) fn replaced<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self {
            Self::None => Cow::Borrowed(text),
            Self::Everything if text.is_empty() => Cow::Borrowed(text),
            Self::Everything => Cow::Borrowed(HIDDEN),
            Self::Some(found) => found.replaced(text),
        }
    }
}

impl Found {
    fn new(mut values: Vec<String>) -> Result<Self, aho_corasick::BuildError> {
        let mut builder = AhoCorasick::builder();
        builder.ascii_case_insensitive(true);
        let whole = builder.match_kind(MatchKind::LeftmostLongest).build(&values)?;
        for value in &mut values {
            value.make_ascii_lowercase();
        }
        values.sort_unstable();
        values.dedup();
        let begin = |value: &String| {
            let end = value.floor_char_boundary(BEGINNING_BYTES_MIN);
            value.get(..end).map(str::to_owned)
        };
        let longer = values.iter().filter(|value| value.len() > BEGINNING_BYTES_MIN);
        let mut beginnings: Vec<String> = longer.filter_map(begin).collect();
        beginnings.dedup();
        let beginnings = builder.match_kind(MatchKind::Standard).build(beginnings)?;
        let longest = values.iter().map(String::len).max().unwrap_or_default();
        Ok(Self { whole, beginnings, values, longest })
    }

    fn replaced<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        if self.whole.is_match(text.as_ref()) {
            let mut shown = String::with_capacity(text.len());
            self.whole.replace_all_with(&text, &mut shown, |_, _, shown| {
                shown.push_str(HIDDEN);
                true
            });
            text = Cow::Owned(shown);
        }
        if self.beginnings.is_match(text.as_ref()) {
            text = Cow::Owned(text.split_inclusive('\n').map(|line| self.line(line)).collect());
        }
        text
    }

    /// A line without the beginning of a value at its end.
    fn line<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let text = line.trim_end_matches(['\n', '\r', '…']);
        // What begins further from the end than the longest value is long is the
        // beginning of none, and a line can be of nothing but beginnings.
        let from = text.len().saturating_sub(self.longest);
        let end = text.as_bytes().get(from..).unwrap_or_default().to_ascii_lowercase();
        for found in self.beginnings.find_overlapping_iter(Input::new(text).range(from..)) {
            let rest = end.get(found.start() - from..).unwrap_or_default();
            let at = self.values.partition_point(|value| value.as_bytes() < rest);
            if self.values.get(at).is_some_and(|value| value.as_bytes().starts_with(rest)) {
                let before = text.get(..found.start()).unwrap_or_default();
                let after = line.get(text.len()..).unwrap_or_default();
                return Cow::Owned(format!("{before}{HIDDEN}{after}"));
            }
        }
        Cow::Borrowed(line)
    }
}

/// A value as it is, and as it stands in a JSON string (by serde, by PHP, and in
/// one within another) and in a URL.
fn spellings(value: &str) -> Vec<String> {
    let quoted = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
    };
    let json = quoted(value);
    let url: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    vec![
        json.replace('/', "\\/"),
        quoted(&json),
        ascii(&json),
        ascii(&json).replace('/', "\\/"),
        value.escape_debug().to_string(),
        url.replace('+', "%20"),
        url,
        json,
        value.to_owned(),
    ]
}

/// JSON with all but ASCII escaped, as many encoders write it.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}
