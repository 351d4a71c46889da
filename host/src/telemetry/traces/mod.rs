//! Traces: what became of one event, as spans that a collector of
//! OpenTelemetry's can show, and the context by which they are joined to those
//! of senders and of services that plugins call (W3C Trace Context).
//!
//! One trace for each event: `receive`, under it `commit` and an `attempt` for
//! each call of a plugin, under that an `outbound request` for each request that
//! the call sent. The context of `receive` is kept with the event, so that
//! attempts after a restart belong to the same trace.
//!
//! Invariants:
//! - No span holds a body, a header field, the query of a URL, or a secret that
//!   hookbox knows.
//! - Nothing waits for the collector: what cannot be kept for it is dropped and
//!   counted ([`export`]).
//! - Without an endpoint nothing is made, and only the sender's context is
//!   carried on.
//! - What a stranger says of its trace counts only once its body was verified.

mod collector;
mod context;
mod export;
mod spans;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{SpanBuilder, SpanContext, TraceContextExt as _, Tracer as _};
use opentelemetry::trace::{SpanKind, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span};
use tokio::runtime::Handle;
use tokio_rustls::TlsConnector;

pub use self::context::Arrival;
use self::export::Export;
pub use self::spans::{Attempt, Attempted, Caller, Outbound, Received, Step};
use crate::config;

/// What spans say made them.
const SCOPE: &str = "hookbox";

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// There is no certificate to trust.
    #[error(
        "traces.otlp_endpoint: it is https, and there is no certificate to trust, neither of the system's nor in outbound.certificates; SSL_CERT_FILE can name the system's"
    )]
    NoCertificates,
    /// OpenTelemetry's exporter refuses its settings, of which some come from
    /// the environment (`OTEL_EXPORTER_OTLP_…`).
    #[error("traces: {0}")]
    Exporter(String),
}

/// Makes spans, where traces are on. Cheap to clone.
#[derive(Clone, Default)]
pub struct Traces {
    on: Option<Arc<On>>,
    propagate: bool,
}

struct On {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
    export: Arc<Export>,
}

impl Traces {
    /// Sends none; the sender's context is passed on where `propagate`.
    pub fn off(propagate: bool) -> Self {
        Self { on: None, propagate }
    }

    /// By the settings.
    ///
    /// `runtime`: carries the requests to the collector; it must have time and
    /// I/O. `tls`: for a collector that is reached by HTTPS.
    ///
    /// # Errors
    /// See [`TracesError`].
    pub fn start(
        settings: &config::Traces,
        runtime: Handle,
        tls: Option<TlsConnector>,
    ) -> Result<Self, TracesError> {
        let Some(endpoint) = settings.endpoint() else {
            return Ok(Self::off(settings.propagate));
        };
        if endpoint.starts_with("https:") && tls.is_none() {
            return Err(TracesError::NoCertificates);
        }
        let export = Arc::new(Export::default());
        let collector = collector::exporter(settings, endpoint, runtime, tls, &export)
            .map_err(|error| TracesError::Exporter(error.to_string()))?;
        let processor = export::processor(collector, &export);
        let sampler = Sampler::TraceIdRatioBased(settings.sample_ratio);
        let resource = Resource::builder_empty()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(sampler)))
            .with_resource(resource)
            .with_span_processor(processor)
            .build();
        let on = On { tracer: provider.tracer(SCOPE), provider, export };
        Ok(Self { on: Some(Arc::new(on)), propagate: settings.propagate })
    }

    /// Hands over what waits, for a while at most. Nothing is sent after it.
    pub async fn end(&self) {
        let Some(on) = self.on.clone() else { return };
        // The collector is waited for on a thread that may wait.
        let ending = tokio::task::spawn_blocking(move || {
            let _told_already = on.provider.shutdown_with_timeout(on.export.end_max());
        });
        let _ended = ending.await;
    }

    fn span(&self, name: &'static str, kind: SpanKind, from: Start<'_>) -> Option<Span> {
        let on = self.on.as_ref()?;
        let builder = SpanBuilder::from_name(name)
            .with_kind(kind)
            .with_start_time(from.at)
            .with_attributes(from.attributes);
        let parent = match from.parent {
            Some(parent) => Context::new().with_remote_span_context(parent.clone()),
            None => Context::new(),
        };
        Some(on.tracer.build_with_context(builder, &parent))
    }
}

/// What a span begins with.
struct Start<'a> {
    at: SystemTime,
    parent: Option<&'a SpanContext>,
    attributes: Vec<KeyValue>,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces")
            .field("on", &self.on.is_some())
            .field("propagate", &self.propagate)
            .finish_non_exhaustive()
    }
}
