//! What the server says of itself: log lines on standard error, figures, what
//! happens as it happens, and what changed.
//!
//! Invariant: no line holds a secret or a body.

pub mod changes;
mod level;
pub mod live;
pub mod metrics;
mod redact;
pub mod stats;
pub mod traces;

use std::time::{SystemTime, UNIX_EPOCH};

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing_subscriber::fmt::time::UtcTime;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use self::level::{Level, LevelError};
pub use self::redact::{Redactor, VALUE_BYTES_MIN};
use crate::config::{Log, LogFormat};

/// Bytes of an event's or a source's name that are logged.
const NAME_BYTES_MAX: usize = 128;

/// RFC 3339, to the millisecond.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Target of lines that plugins wrote, so that they can be filtered.
pub const GUEST: &str = "guest";

/// Sends log lines to standard error from now on. Their level can be changed by
/// what is returned.
///
/// # Errors
/// Where the level cannot be understood.
pub fn start(log: &Log) -> Result<Level, LevelError> {
    let filter = level::filter(&log.level)?;
    let lines =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_timer(UtcTime::new(TIME));
    // A second call, as tests of this crate may make, changes nothing.
    let (level, _already_started) = match log.format {
        LogFormat::Human => {
            let lines = lines
                .with_target(false)
                .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
                .with_env_filter(filter)
                .with_filter_reloading();
            (Level::new(&log.level, lines.reload_handle()), lines.finish().try_init())
        }
        LogFormat::Json => {
            let lines = lines
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .with_env_filter(filter)
                .with_filter_reloading();
            (Level::new(&log.level, lines.reload_handle()), lines.finish().try_init())
        }
    };
    Ok(level)
}

/// Whether the level could be set.
///
/// # Errors
/// As [`start`].
pub fn check(log: &Log) -> Result<(), LevelError> {
    level::filter(&log.level).map(|_| ())
}

/// A name that a sender chose, as it is logged: of bounded length, and with
/// nothing that could move a cursor or end a line.
pub fn shown(name: &str) -> String {
    let short = name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default();
    short.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// Now: milliseconds since the Unix epoch.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a character can do more to a terminal than be shown: controls move
/// the cursor, line and paragraph separators end lines, and marks of writing
/// direction reorder what follows (Unicode Standard Annex 9).
pub fn is_harmful(c: char) -> bool {
    let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || reorders || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_in_a_name_that_is_shown_ends_a_line_or_turns_text_round() {
        let shown = super::shown("a\nb\u{2028}c\u{202e}d\u{e9}");
        assert_eq!(shown, "a\u{fffd}b\u{fffd}c\u{fffd}d\u{e9}");
    }
}
