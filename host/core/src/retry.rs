//! What becomes of a delivery after an attempt: [`Outcome`] → [`Next`].
//!
//! Failed attempts are repeated with exponential backoff and full jitter
//! (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015):
//! the wait is drawn evenly from zero to a cap that doubles with each attempt,
//! so that deliveries which failed together do not come back together.
//!
//! Invariants:
//! - A delivery is never tried again before the time that its plugin asked for.
//! - No input overflows: times stop at `u64::MAX`.
//!
//! Not here: when a plugin gets no calls at all, which is
//! [`breaker`](crate::breaker)'s.

use std::fmt;
use std::time::Duration;

use crate::outcome::{FailureKind, Outcome};

/// The longest wait that a plugin can ask for; more is taken as this. A slip
/// in a unit would otherwise put a delivery off for years, unseen.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(7 * 24);

/// How a plugin's failed deliveries are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts that a delivery has in all, the first among them. 0 is as 1,
    /// since a limit can be seen only after an attempt.
    pub attempts_max: u32,
    /// The longest wait after the first attempt, in milliseconds.
    pub backoff_first_ms: u64,
    /// The longest wait after any attempt, in milliseconds, unless the plugin
    /// asks for more. Where it is below [`RetryPolicy::backoff_first_ms`], it
    /// holds for the first attempt too.
    pub backoff_max_ms: u64,
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The plugin handled it; it is done.
    Succeeded,
    /// It is tried again.
    Retry {
        /// Not before then: milliseconds on the clock of the `now_ms` that was
        /// given.
        at_ms: u64,
    },
    /// It is not tried again unless the operator says so.
    Dead(DeadReason),
}

/// Why a delivery is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadReason {
    /// The plugin refused the event for good.
    Rejected,
    /// The last attempt that the policy grants has failed.
    AttemptsExhausted,
    /// Too much waited for the plugin already, so it was never tried.
    BacklogFull,
    /// What the journal keeps of the event cannot be read any more, so no
    /// attempt can be made.
    Unreadable,
}

impl RetryPolicy {
    /// Decides after an attempt.
    ///
    /// `attempt` counts from 1. `now_ms`: milliseconds on any clock. `random`:
    /// evenly drawn from all of `u64`, anew for each decision.
    ///
    /// A time that the plugin asked for is a lower bound of the drawn one and
    /// not spread itself; see also [`RETRY_AFTER_MAX`].
    pub fn after(&self, outcome: &Outcome, attempt: u32, now_ms: u64, random: u64) -> Next {
        let kind = match outcome {
            Outcome::Handled => return Next::Succeeded,
            Outcome::Failed(failure) => failure.kind,
        };
        if kind == FailureKind::Rejected {
            return Next::Dead(DeadReason::Rejected);
        }
        if attempt >= self.attempts_max {
            return Next::Dead(DeadReason::AttemptsExhausted);
        }
        let asked_ms = match kind {
            FailureKind::RetryAfter(wait) => whole_ms(wait.min(RETRY_AFTER_MAX)),
            _ => 0,
        };
        let wait_ms = between_zero_and(self.backoff_cap_ms(attempt), random).max(asked_ms);
        Next::Retry { at_ms: now_ms.saturating_add(wait_ms) }
    }

    /// The longest wait after that attempt.
    fn backoff_cap_ms(&self, attempt: u32) -> u64 {
        let factor = 2_u64.saturating_pow(attempt.saturating_sub(1));
        self.backoff_first_ms.saturating_mul(factor).min(self.backoff_max_ms)
    }
}

/// Scales a number drawn from all of `u64` to `0..=max`. Unlike a remainder,
/// the product favours no number noticeably, and it takes the high bits.
fn between_zero_and(max: u64, random: u64) -> u64 {
    let scaled = (u128::from(random) * (u128::from(max) + 1)) >> u64::BITS;
    u64::try_from(scaled).unwrap_or(max)
}

/// Rounded up, so that it is not less than what was asked for.
fn whole_ms(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl DeadReason {
    /// A stable code for logs and the journal.
    pub fn code(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::AttemptsExhausted => "attempts-exhausted",
            Self::BacklogFull => "backlog-full",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests;
