//! A circuit breaker for one plugin (M. Nygard, "Release It!"): after some
//! failures in a row the plugin gets no calls for a while, then one at a time
//! until one succeeds.
//!
//! ```text
//! closed ──failures in a row──▶ open ──its time is over──▶ half-open
//!   ▲                            ▲                             │
//!   │                            └──────the trial fails────────┤
//!   └───────────────────────────────────the trial succeeds─────┘
//! ```
//!
//! A call takes a [`Permit`] from [`Breaker::begin`] and brings it back to
//! [`Breaker::end`] or [`Breaker::give_back`]. The permit tells the breaker to
//! which of its periods the call belongs, so that the result of one that began
//! before the breaker opened, or on code that has been replaced since, neither
//! opens nor closes it.
//!
//! Invariants:
//! - Until its time is over, an open breaker permits nothing.
//! - From opening to closing, at most one call has a permit that counts.
//!
//! Not here: what becomes of the delivery, which is [`retry`](crate::retry)'s.

use crate::outcome::{FailureKind, Outcome};

/// When a plugin's breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row that open it. 0: it never opens.
    pub failures: u32,
    /// How long it is open at first, in milliseconds. It doubles with each
    /// trial that fails.
    pub open_first_ms: u64,
    /// How long it is open at most, in milliseconds. Where it is below
    /// [`BreakerPolicy::open_first_ms`], it holds from the start.
    pub open_max_ms: u64,
}

/// What an attempt says of the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It runs: it handled the event or, as it is made to, refused it for good.
    Success,
    /// It could not do its work, by its own fault or that of what it needs.
    Failure,
    /// Nothing: the host failed.
    Neither,
}

/// Leave to make one call; see the module's text. One that is dropped stands
/// for a call that never ends: if it was a trial, there is no other until
/// [`Breaker::reset`].
#[derive(Debug)]
#[must_use = "bring it back with `Breaker::end` or `Breaker::give_back`"]
pub struct Permit {
    period: u64,
}

/// What the result of a call changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It opened, for the first time or after a trial that failed.
    Opened {
        /// Until then: milliseconds on the clock of the `now_ms` that was given.
        until_ms: u64,
        /// Failures in a row so far, those of trials among them.
        consecutive: u32,
    },
    /// It closed: calls are permitted as before.
    Closed,
}

/// How a breaker stands, for people to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls are permitted.
    Closed,
    /// No call is permitted.
    Open {
        /// Until then: milliseconds on the caller's clock.
        until_ms: u64,
    },
    /// One call at a time is permitted.
    HalfOpen,
}

/// The breaker of one plugin; closed at first.
///
/// Every `now_ms` is in milliseconds on one clock of the caller's choice. One
/// that can be set back lengthens the open time by as much.
#[derive(Debug, Default)]
pub struct Breaker {
    /// Counts openings and resets. A permit of another period does not count.
    period: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Closed {
        consecutive: u32,
    },
    /// Half-open once the time is over: nothing has to happen for that.
    Open {
        until_ms: u64,
        open_ms: u64,
        consecutive: u32,
        trial: bool,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { consecutive: 0 }
    }
}

impl From<&Outcome> for Verdict {
    fn from(outcome: &Outcome) -> Self {
        let Outcome::Failed(failure) = outcome else { return Self::Success };
        match failure.kind {
            FailureKind::Rejected => Self::Success,
            FailureKind::Host => Self::Neither,
            FailureKind::Retry
            | FailureKind::RetryAfter(_)
            | FailureKind::Trap
            | FailureKind::Deadline
            | FailureKind::Cpu
            | FailureKind::Memory => Self::Failure,
        }
    }
}

impl Breaker {
    /// Whether [`Breaker::begin`] would permit a call.
    pub fn allows(&self, now_ms: u64) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until_ms, trial, .. } => !trial && now_ms >= until_ms,
        }
    }

    /// When to ask again, where only time is waited for: milliseconds, in the
    /// past once a trial is permitted. None while the breaker is closed, and
    /// while a trial runs, whose end is to be waited for.
    pub fn wakes_at_ms(&self) -> Option<u64> {
        match self.state {
            State::Open { until_ms, trial: false, .. } => Some(until_ms),
            _ => None,
        }
    }

    /// How it stands.
    pub fn state(&self, now_ms: u64) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until_ms, trial: false, .. } if now_ms < until_ms => {
                BreakerState::Open { until_ms }
            }
            State::Open { .. } => BreakerState::HalfOpen,
        }
    }

    /// Permits a call, if it may be made now. The first after the breaker's
    /// open time is the trial, and the only one until its permit is back.
    pub fn begin(&mut self, now_ms: u64) -> Option<Permit> {
        if !self.allows(now_ms) {
            return None;
        }
        if let State::Open { trial, .. } = &mut self.state {
            *trial = true;
        }
        Some(Permit { period: self.period })
    }

    /// Takes a call's result. What it changed, for the log.
    pub fn end(
        &mut self,
        permit: Permit,
        verdict: Verdict,
        now_ms: u64,
        policy: &BreakerPolicy,
    ) -> Option<Change> {
        if permit.period != self.period {
            return None;
        }
        match verdict {
            Verdict::Success => self.close(),
            Verdict::Failure => self.fail(now_ms, policy),
            Verdict::Neither => {
                self.give_back(permit);
                None
            }
        }
    }

    /// Takes the permit of a call that was not made, or that says nothing of
    /// the plugin. If it was the trial, another is permitted at once.
    pub fn give_back(&mut self, permit: Permit) {
        if permit.period != self.period {
            return;
        }
        if let State::Open { trial, .. } = &mut self.state {
            *trial = false;
        }
    }

    /// For when new code goes live: closes the breaker and forgets all
    /// failures. Calls that still run, on the old code, do not count.
    pub fn reset(&mut self) -> Option<Change> {
        self.period += 1;
        self.close()
    }

    fn close(&mut self) -> Option<Change> {
        let was_open = matches!(self.state, State::Open { .. });
        self.state = State::default();
        was_open.then_some(Change::Closed)
    }

    fn fail(&mut self, now_ms: u64, policy: &BreakerPolicy) -> Option<Change> {
        let (consecutive, open_ms) = match self.state {
            State::Closed { consecutive } => {
                let consecutive = consecutive.saturating_add(1);
                if policy.failures == 0 || consecutive < policy.failures {
                    self.state = State::Closed { consecutive };
                    return None;
                }
                (consecutive, policy.open_first_ms)
            }
            // The policy was changed since it opened.
            State::Open { .. } if policy.failures == 0 => return self.close(),
            State::Open { consecutive, open_ms, .. } => {
                (consecutive.saturating_add(1), open_ms.saturating_mul(2).max(policy.open_first_ms))
            }
        };
        let open_ms = open_ms.min(policy.open_max_ms);
        let until_ms = now_ms.saturating_add(open_ms);
        self.period += 1;
        self.state = State::Open { until_ms, open_ms, consecutive, trial: false };
        Some(Change::Opened { until_ms, consecutive })
    }
}

#[cfg(test)]
mod tests;
