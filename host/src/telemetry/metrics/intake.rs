//! Figures of requests and commits.

use std::collections::BTreeMap;
use std::time::Duration;

use super::buckets::{ACCEPT_S, Buckets, COMMIT_S, COMMIT_SIZE};
use super::{OTHER, Request};
use crate::telemetry::stats::{Counted, Rolling, Steps, Totals};

/// Sources that are counted apart. Their names are configured ones, which can
/// change while the server runs.
const SOURCES_MAX: usize = 200;

/// Where a request named no configured source.
const UNKNOWN: &str = "unknown";

/// See the module's text.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) totals: Totals,
    /// By source and answer.
    pub(super) requests: BTreeMap<Box<str>, BTreeMap<&'static str, u64>>,
    pub(super) accept: Buckets,
    pub(super) accept_recent: Rolling,
    pub(super) commit: Buckets,
    pub(super) commit_recent: Rolling,
    pub(super) commit_size: Buckets,
    pub(super) steps: Steps,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            totals: Totals::default(),
            requests: BTreeMap::new(),
            accept: Buckets::new(ACCEPT_S),
            accept_recent: Rolling::default(),
            commit: Buckets::new(COMMIT_S),
            commit_recent: Rolling::default(),
            commit_size: Buckets::new(COMMIT_SIZE),
            steps: Steps::default(),
        }
    }
}

impl Intake {
    pub(super) fn request(&mut self, at_ms: u64, request: Request<'_>, elapsed: Duration) {
        self.totals.received += 1;
        let counted = match request {
            Request::Accepted { .. } => {
                self.totals.accepted += 1;
                Counted::Received
            }
            Request::Duplicate { .. } => {
                self.totals.duplicate += 1;
                Counted::Received
            }
            Request::Refused { .. } => {
                self.totals.refused += 1;
                Counted::Refused
            }
        };
        self.steps.count(at_ms, counted);
        if matches!(counted, Counted::Received) {
            self.accept.add(elapsed.as_secs_f64());
            self.accept_recent.add(at_ms, elapsed);
        }
        let (source, answer) = match request {
            Request::Accepted { source } => (source, "accepted"),
            Request::Duplicate { source } => (source, "duplicate"),
            Request::Refused { source, code } => (source.unwrap_or(UNKNOWN), code),
        };
        self.count(source, answer);
    }

    fn count(&mut self, source: &str, answer: &'static str) {
        // Without a copy of the name where it is there, as it is nearly always.
        if let Some(answers) = self.requests.get_mut(source) {
            *answers.entry(answer).or_default() += 1;
            return;
        }
        let name = if self.requests.len() < SOURCES_MAX { source } else { OTHER };
        *self.requests.entry(name.into()).or_default().entry(answer).or_default() += 1;
    }

    pub(super) fn commit(&mut self, at_ms: u64, commands: usize, elapsed: Duration) {
        self.commit.add(elapsed.as_secs_f64());
        self.commit_recent.add(at_ms, elapsed);
        self.commit_size.add(commands as f64);
    }

    pub(super) fn call(&mut self, at_ms: u64, handled: bool) {
        let counted = if handled {
            self.totals.handled += 1;
            Counted::Handled
        } else {
            self.totals.failed += 1;
            Counted::Failed
        };
        self.steps.count(at_ms, counted);
    }
}
