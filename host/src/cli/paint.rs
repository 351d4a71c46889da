//! Colours, for a terminal. What prints in colour does so by `anstream`, which
//! leaves them out where nobody sees them, and follows `NO_COLOR` and
//! `CLICOLOR_FORCE`.

use anstyle::{AnsiColor, Style};

use crate::store::records::State;

/// The names of columns and parts.
pub(super) const HEAD: Style = Style::new().bold();
/// What need not be read.
pub(super) const DIM: Style = Style::new().dimmed();
/// What is as it should be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What waits, or was refused.
pub(super) const CARE: Style = AnsiColor::Yellow.on_default();
/// What failed.
pub(super) const BAD: Style = AnsiColor::Red.on_default();

pub(super) fn in_style(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// How a delivery's state is shown.
pub(super) fn state(state: State) -> Style {
    match state {
        State::Succeeded => GOOD,
        State::Dead => BAD,
        State::Waiting | State::Blocked | State::Parked => CARE,
        State::Pending | State::Running | State::Discarded | State::Unrouted => Style::new(),
    }
}
