//! What the operators' verbs print for people: aligned, for a terminal of 100
//! columns, with nothing in it that could move a cursor.

use std::borrow::Cow;
use std::io::{self, Write as _};

use anstyle::Style;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::paint;
use crate::telemetry::is_harmful;

/// RFC 3339, to the second.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// Rows in columns. The last column is as wide as it is.
pub(super) struct Table<const COLUMNS: usize> {
    most: [usize; COLUMNS],
    rows: Vec<([String; COLUMNS], [Style; COLUMNS])>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// `columns`: each one's name, and its greatest width.
    pub(super) fn new(columns: [(&str, usize); COLUMNS]) -> Self {
        Self {
            most: columns.map(|(_, most)| most),
            rows: vec![(columns.map(|(name, _)| name.to_owned()), [paint::HEAD; COLUMNS])],
        }
    }

    pub(super) fn row(&mut self, row: [String; COLUMNS]) {
        self.painted(row, [Style::new(); COLUMNS]);
    }

    /// A row with a style for each cell.
    pub(super) fn painted(&mut self, row: [String; COLUMNS], styles: [Style; COLUMNS]) {
        let mut most = self.most.into_iter();
        let row = row.map(|cell| line(&cell.replace('\t', " "), most.next().unwrap_or(usize::MAX)));
        self.rows.push((row, styles));
    }

    /// The columns' names, and the rows.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
            let cells = self.rows.iter().filter_map(|(row, _)| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        });
        self.rows.iter().map(move |(row, styles)| {
            let mut text = String::new();
            for (index, ((cell, style), width)) in row.iter().zip(styles).zip(widths).enumerate() {
                let gap = if index == 0 { "" } else { "  " };
                // Outside of the style, so that it can be cut off at the end.
                let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
                let cell =
                    if cell.is_empty() { String::new() } else { paint::in_style(cell, *style) };
                text.push_str(&format!("{gap}{cell}{padding}"));
            }
            text.trim_end().to_owned()
        })
    }

    /// Prints all.
    pub(super) fn print(&self) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        self.lines().try_for_each(|row| writeln!(out, "{row}"))
    }
}

/// A time in UTC.
pub(super) fn time(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms / 1_000)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    // Past the year 9999.
    time.and_then(|time| time.format(TIME).ok()).unwrap_or_else(|| format!("{unix_ms} ms"))
}

/// Text of others on one line, of at most so many characters.
pub(super) fn line(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).map(harmless).collect();
    if text.chars().nth(most).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// Text of others on several lines.
pub(super) fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(|line| line.chars().map(harmless).collect())
}

/// A tab only goes on to the right.
fn harmless(c: char) -> char {
    if c != '\t' && is_harmful(c) { '\u{fffd}' } else { c }
}

/// `1 event`, `2 events`, `2 keys`, `2 deliveries`
pub(super) fn count(number: u64, what: &str) -> String {
    let plural = match what.strip_suffix('y') {
        _ if number == 1 => what.to_owned(),
        // A key has a vowel before it.
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{what}s"),
    };
    format!("{number} {plural}")
}

/// `999 bytes`, `1.5 kB`, `15.0 MB`: in the largest decimal unit of which there
/// is one.
pub(super) fn bytes(number: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(unit, _)| number >= *unit) {
        Some((unit, name)) => {
            // Rounded down, so that no unit shows a thousand of itself.
            let tenths = number / (unit / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => count(number, "byte"),
    }
}

/// `2 h`, `3 d`: how long, in the largest unit of which there are two.
pub(super) fn duration(ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    match units.into_iter().find(|(unit_ms, _)| ms >= 2 * unit_ms) {
        Some((unit_ms, unit)) => format!("{} {unit}", ms / unit_ms),
        None => format!("{ms} ms"),
    }
}

/// `1.5 ms`
pub(super) fn milliseconds(us: u64) -> String {
    format!("{}.{:03} ms", us / 1_000, us % 1_000)
}

/// A value as one line of JSON.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(json_to(&mut io::stdout().lock(), value)?)
}

/// The same to somewhere else.
pub(super) fn json_to(out: &mut impl io::Write, value: &impl Serialize) -> io::Result<()> {
    writeln!(out, "{}", escaped(&serde_json::to_string(value)?))
}

/// A value as JSON on several lines.
pub(super) fn pretty_json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{}", escaped(&serde_json::to_string_pretty(value)?))?)
}

/// JSON that means the same and moves no cursor. Beyond ASCII such characters
/// are within its strings only, where each can be an escape.
pub(super) fn escaped(json: &str) -> Cow<'_, str> {
    // Lines of JSON end so; within strings it is an escape already.
    let is_harmful = |c| c != '\n' && is_harmful(c);
    if !json.contains(is_harmful) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // All of them take four digits.
            c if is_harmful(c) => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    Cow::Owned(text)
}

/// A text of several lines that moves no cursor.
pub(super) fn harmless_text(text: &str) -> String {
    let shown = |c| if c != '\n' { harmless(c) } else { c };
    text.chars().map(shown).collect()
}

/// What became of a change: a sentence, or as JSON `{"count": 3}`.
pub(super) fn done(as_json: bool, count: u64, sentence: &str) -> anyhow::Result<()> {
    if as_json {
        return json(&serde_json::json!({ "count": count }));
    }
    Ok(writeln!(io::stdout(), "{sentence}")?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_to_be_and_no_wider_than_they_may() {
        let mut table = Table::new([("ID", 36), ("NAME", 6), ("REST", 99)]);
        table.row(["1".into(), "short".into(), "x".into()]);
        table.row(["3".into(), "a\tb".into(), String::new()]);
        table.row(["222".into(), "much-too-long".into(), String::new()]);
        let plain = |line: String| anstream::adapter::strip_str(&line).to_string();
        let lines: Vec<_> = table.lines().map(plain).collect();
        assert_eq!(lines, ["ID   NAME    REST", "1    short   x", "3    a b", "222  much-…"]);
    }

    #[test]
    fn how_long_it_was_is_said_in_one_unit() {
        let said = [1_999, 2_000, 119_999, 7_200_000, 172_800_000].map(duration);
        assert_eq!(said, ["1999 ms", "2 s", "119 s", "2 h", "2 d"]);
    }

    #[test]
    fn nothing_that_is_shown_moves_the_cursor() {
        assert_eq!(line("a\u{1b}[2J\n\tb", 99), "a\u{fffd}[2J\u{fffd}\tb");
        let shown: Vec<_> = lines("a\n\tb\u{9b}2J").collect();
        assert_eq!(shown, ["a", "\tb\u{fffd}2J"]);
    }

    #[test]
    fn json_moves_no_cursor_and_means_the_same() {
        let text = "a\u{1b}[2J\n\u{7f}\u{9b}2J\u{202e}\u{2066}\u{2028}é\\";
        let value = serde_json::json!({ "text": text });
        let mut written = Vec::new();
        json_to(&mut written, &value).expect("written");
        let written = String::from_utf8(written).expect("text");
        assert_eq!(
            written,
            "{\"text\":\"a\\u001b[2J\\n\\u007f\\u009b2J\\u202e\\u2066\\u2028é\\\\\"}\n"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).expect("JSON"), value);
    }

    #[test]
    fn what_is_counted_has_its_plural() {
        let counted = ["event", "key", "delivery"].map(|what| (count(1, what), count(2, what)));
        let [event, key, delivery] = counted;
        assert_eq!(event, ("1 event".into(), "2 events".into()));
        assert_eq!(key, ("1 key".into(), "2 keys".into()));
        assert_eq!(delivery, ("1 delivery".into(), "2 deliveries".into()));
    }

    #[test]
    fn times_are_in_utc_to_the_second() {
        assert_eq!(time(1_790_000_000_999), "2026-09-21T14:13:20Z");
        assert_eq!(time(u64::MAX), "18446744073709551615 ms");
    }
}
