//! What was measured in the last minutes: quantiles of times, and a rate.
//!
//! Time is an argument, in milliseconds since any fixed moment. It may come out
//! of order by as much as threads take turns.

use std::collections::VecDeque;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::Latency;

/// Times are kept in windows of that length, so that they go when they are old.
const WINDOW_MS: u64 = 60_000;

/// Five that are over, and the one that is not.
const WINDOWS_MAX: usize = 6;

/// Of a quantile: it is right to 1 in 100.
const DIGITS: u8 = 2;

/// Longer times count as this, so that a histogram stays below 14 KB.
const TIME_US_MAX: u64 = 3_600_000_000;

/// Seconds that a rate is taken over.
const RATE_S: u64 = 60;

/// Times of the last five to six minutes.
#[derive(Debug, Default)]
pub(in crate::telemetry) struct Rolling {
    /// Each with its number, oldest first. Made when there is something to be
    /// put into them.
    windows: VecDeque<(u64, Histogram<u32>)>,
}

impl Rolling {
    pub(in crate::telemetry) fn add(&mut self, at_ms: u64, time: Duration) {
        let number = at_ms / WINDOW_MS;
        if self.windows.back().is_none_or(|(last, _)| *last < number) {
            self.begin(number);
        }
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(TIME_US_MAX);
        if let Some((_, window)) = self.windows.back_mut() {
            // It grows with what is put into it, up to the largest time.
            let _always_fits = window.record(us);
        }
    }

    fn begin(&mut self, number: u64) {
        if self.windows.len() >= WINDOWS_MAX
            && let Some((_, mut window)) = self.windows.pop_front()
        {
            window.reset();
            self.windows.push_back((number, window));
        } else if let Ok(window) = Histogram::new(DIGITS) {
            self.windows.push_back((number, window));
        }
    }

    pub(in crate::telemetry) fn latency(&self, at_ms: u64) -> Latency {
        let now = at_ms / WINDOW_MS;
        let mut recent =
            self.windows.iter().filter(|(number, _)| number + (WINDOWS_MAX as u64) > now);
        let Some((_, first)) = recent.next() else { return Latency::default() };
        let mut all = first.clone();
        for (_, window) in recent {
            let _both_grow = all.add(window);
        }
        Latency {
            count: all.len(),
            p50_us: all.value_at_quantile(0.5),
            p99_us: all.value_at_quantile(0.99),
        }
    }
}

/// How many in each of the last seconds.
#[derive(Debug)]
pub(in crate::telemetry) struct Rate {
    /// By second, modulo their number.
    counts: [u32; RATE_S as usize],
    /// The latest second.
    second: u64,
}

impl Default for Rate {
    fn default() -> Self {
        Self { counts: [0; RATE_S as usize], second: 0 }
    }
}

impl Rate {
    pub(in crate::telemetry) fn add(&mut self, at_ms: u64) {
        self.advance(at_ms / 1_000);
        if let Some(count) = self.counts.get_mut((self.second % RATE_S) as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// A second, over the last minute, or over the time since 0 where that is
    /// shorter.
    pub(in crate::telemetry) fn per_s(&mut self, at_ms: u64) -> f64 {
        self.advance(at_ms / 1_000);
        let all: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        all as f64 / (self.second + 1).min(RATE_S) as f64
    }

    fn advance(&mut self, to: u64) {
        let passed = to.saturating_sub(self.second).min(RATE_S);
        self.second = self.second.max(to);
        for back in 0..passed {
            if let Some(count) = self.counts.get_mut(((self.second - back) % RATE_S) as usize) {
                *count = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    #[test]
    fn quantiles_are_of_the_last_minutes_and_older_times_go() {
        let mut rolling = Rolling::default();
        for _ in 0..99 {
            rolling.add(0, Duration::from_micros(100));
        }
        rolling.add(0, Duration::from_millis(10));
        let all = rolling.latency(4 * MINUTE);
        assert_eq!((all.count, all.p50_us, all.p99_us), (100, 100, 100));
        rolling.add(5 * MINUTE, Duration::from_millis(10));
        rolling.add(5 * MINUTE, Duration::from_millis(10));
        let all = rolling.latency(5 * MINUTE + 1);
        assert_eq!((all.count, all.p50_us), (102, 100));
        assert!((10_000..=10_100).contains(&all.p99_us), "{all:?}");
        assert_eq!(rolling.latency(6 * MINUTE).count, 2);
        assert_eq!(rolling.latency(11 * MINUTE), Latency::default());
    }

    #[test]
    fn windows_are_bounded_and_a_late_time_counts_in_the_latest() {
        let mut rolling = Rolling::default();
        for minute in 0..100 {
            rolling.add(minute * MINUTE, Duration::from_secs(1));
        }
        rolling.add(98 * MINUTE, Duration::MAX);
        assert_eq!(rolling.windows.len(), WINDOWS_MAX);
        let all = rolling.latency(99 * MINUTE);
        assert_eq!(all.count, 7);
        assert!(all.p99_us >= TIME_US_MAX, "{all:?}");
    }

    #[test]
    fn a_rate_is_of_the_last_minute() {
        let mut rate = Rate::default();
        for at_ms in [0, 500, 1_500] {
            rate.add(at_ms);
        }
        assert_eq!(rate.per_s(1_999), 1.5);
        assert_eq!(rate.per_s(59_000), 3.0 / 60.0);
        assert_eq!(rate.per_s(60_000), 1.0 / 60.0);
        // Out of order, and long after.
        rate.add(59_999);
        assert_eq!(rate.per_s(60_500), 2.0 / 60.0);
        assert_eq!(rate.per_s(1_000_000), 0.0);
    }
}
