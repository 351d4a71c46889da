//! Spans on their way to the collector: a bounded queue, a thread that sends
//! them in batches, and what is said when that fails.
//!
//! The thread is the SDK's own (`BatchSpanProcessor`), which may wait. The HTTP
//! client needs a tokio runtime, which that thread is not part of, so that the
//! requests are handed to the one that serves ([`super::collector`]); the
//! thread waits for their answers, and whoever ends a span waits for nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter as Otlp;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};
use tracing::{info, warn};

/// Spans that wait. One has about a kilobyte, so that they take some megabytes
/// at most; past it they are dropped.
pub(super) const QUEUE_MAX: usize = 4_096;

/// Spans that are sent at once.
const BATCH_MAX: usize = 512;

/// Longest wait of a span for others to be sent with.
const DELAY: Duration = Duration::from_secs(1);

/// That a collector fails is said no more often.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// Longest wait for the collector when the server ends.
const END_MAX: Duration = Duration::from_secs(2);

/// How it goes.
#[derive(Debug, Default)]
pub(super) struct Export {
    /// Spans that wait. Counted here, since the SDK drops without a word.
    waiting: AtomicUsize,
    /// Spans that found no room since it was last said.
    dropped: AtomicU64,
    failing: AtomicBool,
    /// Why the last request failed. Held for as long as a text takes to copy.
    reason: Mutex<Option<String>>,
    /// Of the thread that sends alone.
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    at: Option<Instant>,
    /// Spans that could not be sent since then.
    lost: u64,
}

impl Export {
    /// How long the end of the server may wait: not at all for a collector that
    /// did not answer before.
    pub(super) fn end_max(&self) -> Duration {
        if self.failing.load(Ordering::Relaxed) { Duration::ZERO } else { END_MAX }
    }

    /// Why a request failed; what the SDK says of it is less.
    pub(super) fn set_reason(&self, reason: String) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// Whether there is room for one more.
    fn has_room(&self) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < QUEUE_MAX {
            return true;
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.dropped.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Whether a failure was said, which tests look at.
    fn sent(&self, count: usize, result: &OTelSdkResult) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = result.is_err();
        let failed_before = self.failing.swap(failed, Ordering::Relaxed);
        let due = said.at.is_none_or(|at| at.elapsed() >= SAID_EVERY);
        let dropped = self.dropped.load(Ordering::Relaxed);
        if failed {
            said.lost += count as u64;
        } else if failed_before {
            info!(lost = said.lost, dropped, "traces reach the collector again");
            *said = Said::default();
            self.dropped.store(0, Ordering::Relaxed);
            return false;
        }
        if !due || !(failed || dropped > 0) {
            return false;
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        let lost = std::mem::take(&mut said.lost);
        said.at = Some(Instant::now());
        match result {
            Err(error) => {
                let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner).take();
                let error = reason.unwrap_or_else(|| error.to_string());
                warn!(error, lost, dropped, "traces do not reach the collector and are lost");
            }
            Ok(()) => warn!(dropped, "traces are lost: there are more than the collector takes"),
        }
        true
    }
}

/// Takes spans that ended.
pub(super) fn processor(exporter: Otlp, export: &Arc<Export>) -> impl SpanProcessor + 'static {
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE_MAX)
        .with_max_export_batch_size(BATCH_MAX)
        .with_scheduled_delay(DELAY)
        .build();
    let sender = Sender { exporter, export: Arc::clone(export) };
    Queue { batches: BatchSpanProcessor::new(sender, config), export: Arc::clone(export) }
}

/// Before the SDK's own, which says nothing of what it drops.
#[derive(Debug)]
struct Queue {
    batches: BatchSpanProcessor,
    export: Arc<Export>,
}

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.export.has_room() {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// After the SDK's own.
#[derive(Debug)]
struct Sender {
    exporter: Otlp,
    export: Arc<Export>,
}

impl SpanExporter for Sender {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.export.waiting.fetch_sub(count, Ordering::Relaxed);
        let result = self.exporter.export(batch).await;
        self.export.sent(count, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;

    #[test]
    fn past_the_queue_spans_are_dropped_and_counted() {
        let export = Export::default();
        let taken = (0..QUEUE_MAX + 10).filter(|_| export.has_room()).count();
        assert_eq!(taken, QUEUE_MAX);
        assert_eq!(export.dropped.load(Ordering::Relaxed), 10);
        export.waiting.fetch_sub(1, Ordering::Relaxed);
        assert!(export.has_room() && !export.has_room());
    }

    #[test]
    fn a_collector_that_fails_is_said_once_in_a_while_and_the_end_does_not_wait_for_it() {
        let export = Export::default();
        let failed = || Err(OTelSdkError::InternalFailure("no answer".to_owned()));
        assert_eq!(export.end_max(), END_MAX);
        let said = (0..100).filter(|_| export.sent(3, &failed())).count();
        assert_eq!(said, 1);
        assert_eq!(export.end_max(), Duration::ZERO);
        export.sent(3, &Ok(()));
        assert_eq!(export.end_max(), END_MAX);
        assert!(export.sent(3, &failed()), "a new failure is said at once");
    }
}
