//! Log lines with a level and a context, beside `println!`, whose lines are of
//! the level info.
//!
//! ```
//! use hookbox_sdk::log;
//!
//! log::warn("thumbnails", format_args!("video {} has none", 734392));
//! ```
//!
//! The same rules hold as for printed lines: the size per call is capped, and
//! secrets and stream keys do not belong into them.

use std::fmt::Display;

use crate::host::log as host;

/// How much a line matters, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Of use only when looking for a mistake.
    Debug,
    /// What happened.
    Info,
    /// Not as it should be, and not a failure.
    Warn,
    /// A failure.
    Error,
}

/// Logs a line of the level debug. `context` says which part of the plugin
/// speaks, and may be empty.
pub fn debug(context: &str, message: impl Display) {
    log(Level::Debug, context, message);
}

/// Logs a line of the level info: see [`debug`].
pub fn info(context: &str, message: impl Display) {
    log(Level::Info, context, message);
}

/// Logs a line of the level warn: see [`debug`].
pub fn warn(context: &str, message: impl Display) {
    log(Level::Warn, context, message);
}

/// Logs a line of the level error: see [`debug`].
pub fn error(context: &str, message: impl Display) {
    log(Level::Error, context, message);
}

/// Logs a line of a level that is known only at run time.
pub fn log(level: Level, context: &str, message: impl Display) {
    host::log(level, context, &message.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, LogLine};

    #[test]
    fn a_line_keeps_its_level_and_context() {
        let host = FakeHost::new();
        debug("", "a");
        info("sync", 5);
        warn("sync", format_args!("{}", 6));
        error("x", "b");
        let line = |level, context: &str, message: &str| LogLine {
            level,
            context: context.to_owned(),
            message: message.to_owned(),
        };
        let expected = vec![
            line(Level::Debug, "", "a"),
            line(Level::Info, "sync", "5"),
            line(Level::Warn, "sync", "6"),
            line(Level::Error, "x", "b"),
        ];
        assert_eq!(host.log(), expected);
    }
}
