#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::outcome::Failure;

const POLICY: BreakerPolicy =
    BreakerPolicy { failures: 3, open_first_ms: 1_000, open_max_ms: 5_000 };

/// One whole call.
fn call(breaker: &mut Breaker, verdict: Verdict, now_ms: u64) -> Option<Change> {
    let permit = breaker.begin(now_ms).expect("a permit");
    breaker.end(permit, verdict, now_ms, &POLICY)
}

/// A breaker that opened at 0 and is open until 1 000.
fn open() -> Breaker {
    let mut breaker = Breaker::default();
    call(&mut breaker, Verdict::Failure, 0);
    call(&mut breaker, Verdict::Failure, 0);
    let change = call(&mut breaker, Verdict::Failure, 0);
    assert_eq!(change, Some(Change::Opened { until_ms: 1_000, consecutive: 3 }));
    breaker
}

#[test]
fn it_is_closed_at_first_and_permits_any_number_of_calls() {
    let mut breaker = Breaker::default();
    assert_eq!(breaker.state(0), BreakerState::Closed);
    assert_eq!(breaker.wakes_at_ms(), None);
    let permits: Vec<_> = (0..100).map(|_| breaker.begin(0)).collect();
    assert!(permits.iter().all(Option::is_some));
}

#[test]
fn failures_in_a_row_open_it() {
    let mut breaker = open();
    assert_eq!(breaker.state(999), BreakerState::Open { until_ms: 1_000 });
    assert_eq!(breaker.wakes_at_ms(), Some(1_000));
    assert!(!breaker.allows(999));
    assert!(breaker.begin(999).is_none());
}

#[test]
fn a_success_between_failures_keeps_it_closed() {
    let mut breaker = Breaker::default();
    for _ in 0..10 {
        assert_eq!(call(&mut breaker, Verdict::Failure, 0), None);
        assert_eq!(call(&mut breaker, Verdict::Failure, 0), None);
        assert_eq!(call(&mut breaker, Verdict::Success, 0), None);
    }
    assert_eq!(breaker.state(0), BreakerState::Closed);
}

#[test]
fn the_hosts_own_faults_neither_count_nor_reset_the_count() {
    let mut breaker = Breaker::default();
    call(&mut breaker, Verdict::Failure, 0);
    call(&mut breaker, Verdict::Failure, 0);
    for _ in 0..10 {
        assert_eq!(call(&mut breaker, Verdict::Neither, 0), None);
    }
    assert!(matches!(
        call(&mut breaker, Verdict::Failure, 0),
        Some(Change::Opened { consecutive: 3, .. })
    ));
}

#[test]
fn what_an_outcome_says_of_the_plugin() {
    use Verdict::{Failure as Failed, Neither, Success};
    assert_eq!(Verdict::from(&Outcome::Handled), Success);
    for (kind, verdict) in [
        (FailureKind::Rejected, Success),
        (FailureKind::Retry, Failed),
        (FailureKind::RetryAfter(Duration::from_secs(1)), Failed),
        (FailureKind::Trap, Failed),
        (FailureKind::Deadline, Failed),
        (FailureKind::Cpu, Failed),
        (FailureKind::Memory, Failed),
        (FailureKind::Host, Neither),
    ] {
        let outcome = Outcome::Failed(Failure { kind, message: String::new() });
        assert_eq!(Verdict::from(&outcome), verdict, "{kind}");
    }
}

#[test]
fn when_its_time_is_over_one_trial_at_a_time_is_permitted() {
    let mut breaker = open();
    assert_eq!(breaker.state(1_000), BreakerState::HalfOpen);
    let trial = breaker.begin(1_000).expect("the trial");
    assert_eq!(breaker.state(1_000), BreakerState::HalfOpen);
    assert_eq!(breaker.wakes_at_ms(), None, "the trial's end is waited for, not a time");
    assert!(!breaker.allows(1_000_000), "another one");
    assert!(breaker.begin(1_000_000).is_none());
    drop(trial);
}

#[test]
fn a_trial_that_succeeds_closes_it() {
    let mut breaker = open();
    assert_eq!(call(&mut breaker, Verdict::Success, 1_000), Some(Change::Closed));
    assert_eq!(breaker.state(1_000), BreakerState::Closed);
    assert_eq!(call(&mut breaker, Verdict::Failure, 1_000), None, "the count began anew");
    assert_eq!(call(&mut breaker, Verdict::Failure, 1_000), None);
    assert_eq!(
        call(&mut breaker, Verdict::Failure, 1_000),
        Some(Change::Opened { until_ms: 2_000, consecutive: 3 }),
        "and so did the open time"
    );
}

#[test]
fn each_trial_that_fails_doubles_the_open_time_up_to_its_maximum() {
    let mut breaker = open();
    let mut now_ms = 1_000;
    for (open_ms, failures) in [(2_000, 4), (4_000, 5), (5_000, 6), (5_000, 7)] {
        let until_ms = now_ms + open_ms;
        assert_eq!(
            call(&mut breaker, Verdict::Failure, now_ms),
            Some(Change::Opened { until_ms, consecutive: failures })
        );
        assert!(!breaker.allows(until_ms - 1));
        now_ms = until_ms;
    }
}

#[test]
fn a_trial_that_says_nothing_or_is_given_back_leaves_room_for_another() {
    let mut breaker = open();
    assert_eq!(call(&mut breaker, Verdict::Neither, 1_000), None);
    let trial = breaker.begin(1_000).expect("another trial");
    breaker.give_back(trial);
    assert_eq!(breaker.state(1_000), BreakerState::HalfOpen);
    assert_eq!(breaker.wakes_at_ms(), Some(1_000));
    assert_eq!(call(&mut breaker, Verdict::Success, 1_000), Some(Change::Closed));
}

#[test]
fn calls_that_began_before_it_opened_change_nothing() {
    let mut breaker = Breaker::default();
    let mut before: Vec<Permit> = (0..8).map(|_| breaker.begin(0).expect("a permit")).collect();
    let mut end = |breaker: &mut Breaker, verdict, now_ms| {
        breaker.end(before.pop().expect("a permit"), verdict, now_ms, &POLICY)
    };
    for _ in 0..2 {
        assert_eq!(end(&mut breaker, Verdict::Failure, 0), None);
    }
    assert!(end(&mut breaker, Verdict::Failure, 0).is_some());

    assert_eq!(end(&mut breaker, Verdict::Failure, 500), None, "does not extend it");
    assert_eq!(end(&mut breaker, Verdict::Success, 500), None, "does not close it");
    assert_eq!(breaker.state(500), BreakerState::Open { until_ms: 1_000 });

    let trial = breaker.begin(1_000).expect("the trial");
    assert_eq!(end(&mut breaker, Verdict::Success, 1_000), None, "is not the trial's");
    assert_eq!(end(&mut breaker, Verdict::Failure, 1_000), None);
    breaker.give_back(before.pop().expect("a permit"));
    assert!(!breaker.allows(1_000), "the trial still runs");
    assert_eq!(breaker.end(trial, Verdict::Success, 1_000, &POLICY), Some(Change::Closed));
}

#[test]
fn new_code_gets_a_fresh_chance() {
    let mut breaker = open();
    assert_eq!(breaker.reset(), Some(Change::Closed));
    assert_eq!(breaker.state(0), BreakerState::Closed);
    assert_eq!(breaker.reset(), None, "it was closed");

    call(&mut breaker, Verdict::Failure, 0);
    call(&mut breaker, Verdict::Failure, 0);
    breaker.reset();
    assert_eq!(call(&mut breaker, Verdict::Failure, 0), None, "the count began anew");
}

#[test]
fn calls_on_old_code_do_not_count_for_the_new() {
    let mut breaker = open();
    let trial = breaker.begin(1_000).expect("the trial");
    breaker.reset();
    let old: Vec<Permit> = (0..3).map(|_| breaker.begin(1_000).expect("a permit")).collect();
    breaker.reset();
    assert_eq!(breaker.end(trial, Verdict::Failure, 1_000, &POLICY), None);
    for permit in old {
        assert_eq!(breaker.end(permit, Verdict::Failure, 1_000, &POLICY), None);
    }
    assert_eq!(breaker.state(1_000), BreakerState::Closed);
}

#[test]
fn without_a_limit_it_never_opens() {
    let never = BreakerPolicy { failures: 0, ..POLICY };
    let mut breaker = Breaker::default();
    for _ in 0..100 {
        let permit = breaker.begin(0).expect("a permit");
        assert_eq!(breaker.end(permit, Verdict::Failure, 0, &never), None);
    }
    let mut breaker = open();
    let trial = breaker.begin(1_000).expect("the trial");
    assert_eq!(breaker.end(trial, Verdict::Failure, 1_000, &never), Some(Change::Closed));
}

#[test]
fn a_maximum_below_the_first_open_time_holds_from_the_start() {
    let policy = BreakerPolicy { failures: 1, open_first_ms: 1_000, open_max_ms: 10 };
    let mut breaker = Breaker::default();
    let permit = breaker.begin(0).expect("a permit");
    let change = breaker.end(permit, Verdict::Failure, 0, &policy);
    assert_eq!(change, Some(Change::Opened { until_ms: 10, consecutive: 1 }));
}

#[test]
fn a_clock_at_its_end_does_not_overflow() {
    let policy = BreakerPolicy { failures: 1, open_first_ms: u64::MAX, open_max_ms: u64::MAX };
    let mut breaker = Breaker::default();
    for consecutive in 1..4 {
        let permit = breaker.begin(u64::MAX).expect("a permit");
        assert_eq!(
            breaker.end(permit, Verdict::Failure, u64::MAX, &policy),
            Some(Change::Opened { until_ms: u64::MAX, consecutive })
        );
    }
}

#[derive(Debug, Clone)]
enum Step {
    Begin,
    End(prop::sample::Index, Verdict),
    GiveBack(prop::sample::Index),
    Wait(u64),
    Reset,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Failure),
        2 => Just(Verdict::Success),
        1 => Just(Verdict::Neither),
    ];
    let step = prop_oneof![
        8 => Just(Step::Begin),
        8 => (any::<prop::sample::Index>(), verdict).prop_map(|(at, verdict)| Step::End(at, verdict)),
        1 => any::<prop::sample::Index>().prop_map(Step::GiveBack),
        4 => (0..3_000_u64).prop_map(Step::Wait),
        1 => Just(Step::Reset),
    ];
    prop::collection::vec(step, 0..200)
}

/// The plainest breaker that does the same: it knows of each call when it
/// began, and looks for what it has to know in that.
#[derive(Default)]
struct Model {
    failures: u32,
    /// Until when it is open, for how long, and the running trial.
    open: Option<(u64, u64, Option<usize>)>,
    /// Calls before this one do not count.
    counts_from: usize,
    begun: usize,
}

impl Model {
    fn allows(&self, now_ms: u64) -> bool {
        self.open.is_none_or(|(until_ms, _, trial)| trial.is_none() && now_ms >= until_ms)
    }

    fn begin(&mut self) -> usize {
        let call = self.begun;
        self.begun += 1;
        if let Some((_, _, trial)) = &mut self.open {
            *trial = Some(call);
        }
        call
    }

    fn end(&mut self, call: usize, verdict: Option<Verdict>, now_ms: u64) -> Option<Change> {
        if call < self.counts_from {
            return None;
        }
        match verdict {
            Some(Verdict::Success) => {
                self.failures = 0;
                self.open.take().map(|_| Change::Closed)
            }
            Some(Verdict::Failure) => {
                self.failures += 1;
                let open_ms = match self.open {
                    Some((_, open_ms, _)) => (2 * open_ms).min(POLICY.open_max_ms),
                    None if self.failures >= POLICY.failures => POLICY.open_first_ms,
                    None => return None,
                };
                let until_ms = now_ms + open_ms;
                self.open = Some((until_ms, open_ms, None));
                self.counts_from = self.begun;
                Some(Change::Opened { until_ms, consecutive: self.failures })
            }
            Some(Verdict::Neither) | None => {
                if let Some((_, _, trial)) = &mut self.open {
                    *trial = None;
                }
                None
            }
        }
    }
}

proptest! {
    #[test]
    fn it_does_what_the_model_does(steps in steps()) {
        let mut breaker = Breaker::default();
        let mut model = Model::default();
        let mut running: Vec<(Permit, usize)> = Vec::new();
        let mut now_ms = 0;
        for step in steps {
            match step {
                Step::Begin => {
                    let permit = breaker.begin(now_ms);
                    prop_assert_eq!(permit.is_some(), model.allows(now_ms));
                    running.extend(permit.map(|permit| (permit, model.begin())));
                }
                Step::End(at, verdict) if !running.is_empty() => {
                    let (permit, call) = running.swap_remove(at.index(running.len()));
                    let change = breaker.end(permit, verdict, now_ms, &POLICY);
                    prop_assert_eq!(change, model.end(call, Some(verdict), now_ms));
                }
                Step::GiveBack(at) if !running.is_empty() => {
                    let (permit, call) = running.swap_remove(at.index(running.len()));
                    breaker.give_back(permit);
                    model.end(call, None, now_ms);
                }
                Step::End(..) | Step::GiveBack(_) => {}
                Step::Wait(ms) => now_ms += ms,
                Step::Reset => {
                    breaker.reset();
                    model = Model { counts_from: model.begun, begun: model.begun, ..Model::default() };
                }
            }
            prop_assert_eq!(breaker.allows(now_ms), model.allows(now_ms));
            let closed = breaker.state(now_ms) == BreakerState::Closed;
            prop_assert_eq!(closed, model.open.is_none());
        }
    }
}
