//! Counts for each step of the last half hour.
//!
//! Time is an argument, in milliseconds since any fixed moment.

use std::collections::VecDeque;

use super::Series;

/// Length of a step.
const STEP_MS: u64 = 5_000;

/// Half an hour.
const STEPS_MAX: usize = 360;

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(in crate::telemetry) enum Counted {
    Received,
    Refused,
    Handled,
    Failed,
}

#[derive(Debug, Clone, Copy, Default)]
struct Step {
    received: u64,
    refused: u64,
    handled: u64,
    failed: u64,
    pending: u64,
}

/// See the module's text.
#[derive(Debug)]
pub(in crate::telemetry) struct Steps {
    /// Oldest first; never empty.
    steps: VecDeque<Step>,
    /// The number of the last one, which is not over.
    last: u64,
}

impl Default for Steps {
    fn default() -> Self {
        Self { steps: VecDeque::from([Step::default()]), last: 0 }
    }
}

impl Steps {
    pub(in crate::telemetry) fn count(&mut self, at_ms: u64, what: Counted) {
        self.advance(at_ms);
        let Some(step) = self.steps.back_mut() else { return };
        match what {
            Counted::Received => step.received += 1,
            Counted::Refused => step.refused += 1,
            Counted::Handled => step.handled += 1,
            Counted::Failed => step.failed += 1,
        }
    }

    /// From now on so many deliveries are owed.
    pub(in crate::telemetry) fn pending(&mut self, at_ms: u64, owed: u64) {
        self.advance(at_ms);
        if let Some(step) = self.steps.back_mut() {
            step.pending = owed;
        }
    }

    /// Steps that are over keep what was owed then, and new ones begin with it.
    fn advance(&mut self, at_ms: u64) {
        let now = at_ms / STEP_MS;
        let passed = now.saturating_sub(self.last);
        self.last = self.last.max(now);
        let pending = self.steps.back().map_or(0, |step| step.pending);
        for _ in 0..passed.min(STEPS_MAX as u64) {
            if self.steps.len() >= STEPS_MAX {
                self.steps.pop_front();
            }
            self.steps.push_back(Step { pending, ..Step::default() });
        }
    }

    /// `unix_ms`: the same moment as `at_ms`.
    pub(in crate::telemetry) fn series(&mut self, at_ms: u64, unix_ms: u64) -> Series {
        self.advance(at_ms);
        let left_ms = ((self.last + 1) * STEP_MS).saturating_sub(at_ms);
        let each = |part: fn(&Step) -> u64| self.steps.iter().map(part).collect();
        Series {
            step_ms: STEP_MS,
            end_ms: unix_ms + left_ms,
            received: each(|step| step.received),
            refused: each(|step| step.refused),
            handled: each(|step| step.handled),
            failed: each(|step| step.failed),
            pending: each(|step| step.pending),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_in_the_step_of_its_time() {
        let mut steps = Steps::default();
        steps.count(0, Counted::Received);
        steps.count(4_999, Counted::Refused);
        steps.count(5_000, Counted::Handled);
        steps.count(12_000, Counted::Failed);
        let series = steps.series(12_500, 1_000_000);
        assert_eq!(series.received, [1, 0, 0]);
        assert_eq!(series.refused, [1, 0, 0]);
        assert_eq!(series.handled, [0, 1, 0]);
        assert_eq!(series.failed, [0, 0, 1]);
        assert_eq!((series.step_ms, series.end_ms), (5_000, 1_002_500));
    }

    #[test]
    fn each_step_keeps_what_was_owed_at_its_end() {
        let mut steps = Steps::default();
        steps.pending(100, 7);
        steps.pending(200, 5);
        steps.pending(10_100, 9);
        assert_eq!(steps.series(15_000, 0).pending, [5, 5, 9, 9]);
    }

    #[test]
    fn half_an_hour_is_kept_however_long_nothing_happens() {
        let mut steps = Steps::default();
        steps.count(0, Counted::Received);
        steps.pending(0, 3);
        let series = steps.series(u64::MAX / 4, 0);
        assert_eq!(series.received, [0; STEPS_MAX]);
        assert_eq!(series.pending, [3; STEPS_MAX]);
        // A time from before counts in the last step.
        steps.count(0, Counted::Received);
        assert_eq!(steps.series(0, 0).received.last(), Some(&1));
    }
}
