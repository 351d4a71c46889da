//! `traceparent` and `tracestate` (W3C Trace Context, level 1): which trace a
//! request belongs to.
//!
//! Invariant: what is carried on was parsed and written anew, so that it is of
//! one form and length whatever was sent.

use std::collections::HashMap;
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The header fields, as they are sent.
pub(super) const TRACEPARENT: &str = "traceparent";
pub(super) const TRACESTATE: &str = "tracestate";

/// Bytes of `tracestate` that are taken. As many have to be (section 3.3.1.5).
const TRACESTATE_BYTES_MAX: usize = 512;

/// A request as it arrived: when, and of which trace it says it is.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub(super) at: SystemTime,
    pub(super) parent: Option<SpanContext>,
}

impl Arrival {
    /// Of a request that arrives now. What is malformed, or there twice, is
    /// passed over.
    pub fn now(headers: &HeaderMap) -> Self {
        Self { at: SystemTime::now(), parent: parent(headers) }
    }
}

fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let mut all = headers.get_all(TRACEPARENT).iter();
    let only = all.next().filter(|_| all.next().is_none())?;
    let context = parse(only.to_str().ok()?)?;
    let state: Vec<&str> =
        headers.get_all(TRACESTATE).iter().filter_map(|value| value.to_str().ok()).collect();
    let state = state.join(",");
    let state = match state.len() {
        1..=TRACESTATE_BYTES_MAX => state.parse().unwrap_or_default(),
        _ => TraceState::default(),
    };
    Some(with_state(&context, state))
}

fn with_state(context: &SpanContext, state: TraceState) -> SpanContext {
    SpanContext::new(
        context.trace_id(),
        context.span_id(),
        context.trace_flags(),
        context.is_remote(),
        state,
    )
}

/// The context that a `traceparent` names, where it is one.
pub(super) fn parse(traceparent: &str) -> Option<SpanContext> {
    // Else the propagator takes shorter numbers too, and signs before them.
    let digits = traceparent.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    let lengths = traceparent.split('-').map(str::len);
    if !digits || !lengths.take(4).eq([2, 32, 16, 2]) {
        return None;
    }
    let fields = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &fields);
    let context = context.span().span_context().clone();
    context.is_valid().then_some(context)
}

/// A context as `traceparent`, of version 00.
pub(super) fn write(context: &SpanContext) -> String {
    let mut fields = HashMap::new();
    let context = Context::new().with_remote_span_context(context.clone());
    TraceContextPropagator::new().inject_context(&context, &mut fields);
    fields.remove(TRACEPARENT).unwrap_or_default()
}

/// The same for a header field.
pub(super) fn header(context: &SpanContext) -> Option<HeaderValue> {
    HeaderValue::try_from(write(context)).ok().filter(|value| !value.is_empty())
}
