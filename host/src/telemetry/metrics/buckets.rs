//! Counts by size, as Prometheus takes them: how many were at most so large, and
//! their sum.

/// Seconds from a request's head to its answer: a commit alone takes about a
/// millisecond, and senders wait for some seconds.
pub(super) const ACCEPT_S: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Seconds of a commit.
pub(super) const COMMIT_S: &[f64] =
    &[0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// Changes in one commit.
pub(super) const COMMIT_SIZE: &[f64] =
    &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 4_096.0];

/// Seconds of a call: some 20 microseconds where a plugin does next to nothing,
/// a minute where it waits for others.
pub(super) const CALL_S: &[f64] = &[
    0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Seconds of a request that a plugin sends.
pub(super) const OUTBOUND_S: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// See the module's text.
#[derive(Debug, Clone)]
pub(super) struct Buckets {
    bounds: &'static [f64],
    /// One for each bound, and one for what is larger than all.
    counts: Vec<u64>,
    sum: f64,
}

impl Buckets {
    /// `bounds`: ascending.
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    pub(super) fn add(&mut self, value: f64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum += value;
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum
    }

    /// Each bound with what is between it and the one before; the last is
    /// infinite.
    pub(super) fn by_bound(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_below_the_first_bound_that_it_does_not_pass() {
        let mut buckets = Buckets::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 3.0] {
            buckets.add(value);
        }
        assert_eq!(buckets.by_bound(), [(1.0, 2), (2.0, 1), (f64::INFINITY, 1)]);
        assert_eq!((buckets.count(), buckets.sum()), (4, 6.0));
    }
}
