//! How many log lines of a plugin are printed in a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(1);

/// Counts the lines of one plugin, over all its calls.
#[derive(Debug)]
pub struct LogRate {
    /// In a second.
    pub lines_max: u32,
    // Shared by all calls of the plugin, each of which holds it for the time of
    // an addition.
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    since: Option<Instant>,
    printed: u32,
    refused: u64,
}

/// What is to be done about a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Admission {
    /// Whether it is printed.
    pub admitted: bool,
    /// Whether it is the first of its second that is not.
    pub first_refused: bool,
    /// Lines of earlier seconds that were not printed, told once.
    pub refused_before: u64,
}

impl LogRate {
    /// `lines_max`: in a second.
    pub fn new(lines_max: u32) -> Self {
        Self { lines_max, window: Mutex::default() }
    }

    /// Counts a line.
    pub fn admit(&self, now: Instant) -> Admission {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let over = window.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW);
        let mut refused_before = 0;
        if over {
            refused_before = window.refused;
            *window = Window { since: Some(now), ..Window::default() };
        }
        if window.printed < self.lines_max {
            window.printed += 1;
            return Admission { admitted: true, first_refused: false, refused_before };
        }
        window.refused += 1;
        Admission { admitted: false, first_refused: window.refused == 1, refused_before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_rate_lines_are_counted_and_told_in_the_next_second() {
        let rate = LogRate::new(2);
        let start = Instant::now();
        let admitted = |at: Instant| rate.admit(at).admitted;
        assert!(admitted(start) && admitted(start));
        let third = rate.admit(start + WINDOW / 2);
        assert_eq!((third.admitted, third.first_refused), (false, true));
        let fourth = rate.admit(start + WINDOW / 2);
        assert_eq!((fourth.admitted, fourth.first_refused), (false, false));
        let next = rate.admit(start + WINDOW);
        assert_eq!(next, Admission { admitted: true, first_refused: false, refused_before: 2 });
        assert_eq!(rate.admit(start + WINDOW).refused_before, 0);
    }
}
