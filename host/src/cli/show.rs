//! What the operators' verbs print for people: aligned, for a terminal of 100
//! columns, with nothing in it that could move a cursor.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::telemetry::is_harmful;

/// RFC 3339, to the second.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// Rows in columns. The last column is as wide as it is.
pub(super) struct Table<const COLUMNS: usize> {
    most: [usize; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// `columns`: each one's name, and its greatest width.
    pub(super) fn new(columns: [(&str, usize); COLUMNS]) -> Self {
        Self {
            most: columns.map(|(_, most)| most),
            rows: vec![columns.map(|(name, _)| name.to_owned())],
        }
    }

    pub(super) fn row(&mut self, row: [String; COLUMNS]) {
        let mut most = self.most.into_iter();
        self.rows.push(row.map(|cell| line(&cell, most.next().unwrap_or(usize::MAX))));
    }

    /// The columns' names, and the rows.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        });
        self.rows.iter().map(move |row| {
            let cells = row.iter().zip(widths);
            let text: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
            text.join("  ").trim_end().to_owned()
        })
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

fn harmless(c: char) -> char {
    if is_harmful(c) { '\u{fffd}' } else { c }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_to_be_and_no_wider_than_they_may() {
        let mut table = Table::new([("ID", 36), ("NAME", 6), ("REST", 99)]);
        table.row(["1".into(), "short".into(), "x".into()]);
        table.row(["222".into(), "much-too-long".into(), String::new()]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines, ["ID   NAME    REST", "1    short   x", "222  much-…"]);
    }

    #[test]
    fn nothing_that_is_shown_moves_the_cursor() {
        assert_eq!(line("a\u{1b}[2J\nb", 99), "a\u{fffd}[2J\u{fffd}b");
        let shown: Vec<_> = lines("a\n\tb\u{9b}2J").collect();
        assert_eq!(shown, ["a", "\u{fffd}b\u{fffd}2J"]);
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
