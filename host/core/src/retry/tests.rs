#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;
use crate::outcome::Failure;

const POLICY: RetryPolicy =
    RetryPolicy { attempts_max: 8, backoff_first_ms: 1_000, backoff_max_ms: 60_000 };

const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

fn failed(kind: FailureKind) -> Outcome {
    Outcome::Failed(Failure { kind, message: String::new() })
}

fn at_ms(next: Next) -> u64 {
    match next {
        Next::Retry { at_ms } => at_ms,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_handled_is_done_even_at_the_last_attempt() {
    assert_eq!(POLICY.after(&Outcome::Handled, 1, 0, 0), Next::Succeeded);
    assert_eq!(POLICY.after(&Outcome::Handled, u32::MAX, 0, 0), Next::Succeeded);
}

#[test]
fn a_rejection_is_dead_at_once() {
    let rejected = failed(FailureKind::Rejected);
    assert_eq!(POLICY.after(&rejected, 1, 0, 0), Next::Dead(DeadReason::Rejected));
    assert_eq!(
        POLICY.after(&rejected, 8, 0, 0),
        Next::Dead(DeadReason::Rejected),
        "the plugin's own word says more than that it was the last attempt"
    );
}

#[test]
fn each_other_failure_is_retried_until_the_attempts_are_exhausted() {
    for kind in [
        FailureKind::Retry,
        FailureKind::RetryAfter(Duration::from_millis(1)),
        FailureKind::Trap,
        FailureKind::Deadline,
        FailureKind::Cpu,
        FailureKind::Memory,
        FailureKind::Host,
    ] {
        let outcome = failed(kind);
        assert!(matches!(POLICY.after(&outcome, 7, 0, 0), Next::Retry { .. }), "{kind}");
        assert_eq!(
            POLICY.after(&outcome, 8, 0, 0),
            Next::Dead(DeadReason::AttemptsExhausted),
            "{kind}"
        );
    }
}

#[test]
fn without_further_attempts_the_first_failure_is_dead() {
    for attempts_max in [0, 1] {
        let policy = RetryPolicy { attempts_max, ..POLICY };
        let next = policy.after(&failed(FailureKind::Trap), 1, 0, 0);
        assert_eq!(next, Next::Dead(DeadReason::AttemptsExhausted));
    }
}

#[test]
fn the_longest_wait_doubles_up_to_the_cap() {
    let longest =
        |attempt| at_ms(POLICY.after(&failed(FailureKind::Retry), attempt, 5, u64::MAX)) - 5;
    let waits: Vec<u64> = (1..8).map(longest).collect();
    assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
}

#[test]
fn the_shortest_wait_is_none() {
    assert_eq!(POLICY.after(&failed(FailureKind::Retry), 7, 5, 0), Next::Retry { at_ms: 5 });
}

#[test]
fn a_cap_below_the_first_backoff_holds_from_the_start() {
    let policy = RetryPolicy { backoff_max_ms: 10, ..POLICY };
    let next = policy.after(&failed(FailureKind::Retry), 1, 0, u64::MAX);
    assert_eq!(next, Next::Retry { at_ms: 10 });
}

#[test]
fn a_plugin_that_asks_for_a_time_gets_exactly_that_where_it_is_the_later_one() {
    let after = |ms, random| {
        let kind = FailureKind::RetryAfter(Duration::from_millis(ms));
        at_ms(POLICY.after(&failed(kind), 1, 100, random))
    };
    assert_eq!(after(5_000, 0), 5_100);
    assert_eq!(after(5_000, u64::MAX), 5_100);
    assert_eq!(after(300, 0), 400);
    assert_eq!(after(300, u64::MAX), 1_100, "the backoff is later");
}

#[test]
fn parts_of_a_millisecond_are_rounded_up() {
    let kind = FailureKind::RetryAfter(Duration::from_nanos(5_000_000_001));
    assert_eq!(at_ms(POLICY.after(&failed(kind), 1, 0, 0)), 5_001);
}

#[test]
fn no_plugin_can_ask_for_more_than_a_week() {
    assert_eq!(RETRY_AFTER_MAX.as_millis(), u128::from(WEEK_MS));
    for wait in [Duration::from_millis(u64::MAX), Duration::MAX] {
        let next = POLICY.after(&failed(FailureKind::RetryAfter(wait)), 1, 100, 0);
        assert_eq!(next, Next::Retry { at_ms: WEEK_MS + 100 });
    }
}

#[test]
fn over_many_draws_the_mean_wait_is_half_the_cap() {
    const DRAWS: u64 = 20_000;
    // SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), with a fixed seed.
    let draw = |n: u64| {
        let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let outcome = failed(FailureKind::Retry);
    for (attempt, cap) in [(1, 1_000), (4, 8_000), (7, 60_000)] {
        let waits: Vec<u64> =
            (1..=DRAWS).map(|n| at_ms(POLICY.after(&outcome, attempt, 0, draw(n)))).collect();
        let mean = waits.iter().sum::<u64>() / DRAWS;
        assert!(mean.abs_diff(cap / 2) < cap / 50, "mean {mean} of 0..={cap}");
        let low = waits.iter().filter(|wait| **wait < cap / 4).count();
        assert!(low.abs_diff(5_000) < 400, "{low} of {DRAWS} in the lowest quarter of {cap}");
    }
}

/// All of `u64`, its ends often.
fn extreme() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(u64::MAX - 1),
        Just(1 << 63),
        any::<u64>(),
        0..100_000_u64,
    ]
}

fn policies() -> impl Strategy<Value = RetryPolicy> {
    let attempts = prop_oneof![Just(0), Just(u32::MAX), any::<u32>()];
    (attempts, extreme(), extreme()).prop_map(|(attempts_max, backoff_first_ms, backoff_max_ms)| {
        RetryPolicy { attempts_max, backoff_first_ms, backoff_max_ms }
    })
}

fn attempts() -> impl Strategy<Value = u32> {
    prop_oneof![0..70_u32, Just(u32::MAX), any::<u32>()]
}

proptest! {
    #[test]
    fn a_retry_is_between_what_was_asked_for_and_the_cap(
        policy in policies(),
        attempt in attempts(),
        now_ms in extreme(),
        random in extreme(),
        asked_ms in prop::option::of(extreme()),
    ) {
        let kind = asked_ms.map_or(FailureKind::Retry, |ms| {
            FailureKind::RetryAfter(Duration::from_millis(ms))
        });
        match policy.after(&failed(kind), attempt, now_ms, random) {
            Next::Retry { at_ms } => {
                prop_assert!(attempt < policy.attempts_max);
                let asked_ms = asked_ms.unwrap_or(0).min(WEEK_MS);
                let latest_ms = policy.backoff_max_ms.max(asked_ms);
                prop_assert!(at_ms >= now_ms.saturating_add(asked_ms), "too early");
                prop_assert!(at_ms <= now_ms.saturating_add(latest_ms), "too late");
            }
            next => {
                prop_assert!(attempt >= policy.attempts_max);
                prop_assert_eq!(next, Next::Dead(DeadReason::AttemptsExhausted));
            }
        }
    }

    #[test]
    fn the_longest_wait_never_shrinks_from_one_attempt_to_the_next(
        policy in policies(),
        attempt in attempts(),
    ) {
        let cap = policy.backoff_cap_ms(attempt);
        prop_assert!(cap <= policy.backoff_cap_ms(attempt.saturating_add(1)));
        prop_assert!(cap <= policy.backoff_max_ms);
    }

    #[test]
    fn a_later_draw_never_waits_less(max in extreme(), a in extreme(), b in extreme()) {
        let (low, high) = (a.min(b), a.max(b));
        prop_assert!(between_zero_and(max, low) <= between_zero_and(max, high));
        prop_assert_eq!(between_zero_and(max, 0), 0);
        prop_assert_eq!(between_zero_and(max, u64::MAX), max);
    }
}
