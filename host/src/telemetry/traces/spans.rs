//! The spans of an event, each with what it may say.

use std::time::{Duration, SystemTime};

use hookbox_core::effects::OutboundCall;
use hookbox_core::ids::{DeliveryId, Digest, EventId, PluginName};
use hookbox_core::outcome::Outcome;
use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanContext, SpanKind, Status, TraceId};
use opentelemetry_sdk::trace::Span;

use super::context::{self, Arrival, TRACEPARENT, TRACESTATE};
use super::{Start, Traces};
use crate::telemetry::shown;

/// Bytes of an error's words in a span; the journal has more of them.
const ERROR_BYTES_MAX: usize = 1_024;

/// Requests of one call that have a span of their own, so that a plugin that
/// sends without end does not crowd out the spans of others.
const REQUESTS_MAX: u32 = 100;

/// An event that is being received.
#[derive(Debug)]
pub struct Received {
    span: Option<Span>,
    traces: Traces,
    /// The sender's, where there are no spans.
    passed: Option<SpanContext>,
}

/// A part of something that takes time; it ends when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Step(#[expect(dead_code, reason = "its drop ends it")] Option<Span>);

impl Traces {
    /// A request with a body that was verified.
    pub fn received(&self, arrival: &Arrival, source: &str, event: &str) -> Received {
        let span = self.on.is_some().then(|| {
            let attributes = vec![
                KeyValue::new("hookbox.source", source.to_owned()),
                KeyValue::new("hookbox.event.name", shown(event)),
            ];
            let parent = arrival.parent.as_ref();
            self.span("receive", SpanKind::Server, Start { at: arrival.at, parent, attributes })
        });
        let span = span.flatten();
        let passed = arrival.parent.clone().filter(|_| span.is_none() && self.propagate);
        Received { span, traces: self.clone(), passed }
    }

    /// A request that was refused before it was verified: a trace of its own,
    /// since what it says of itself can be anything.
    ///
    /// `source`: as it was asked for. `code`: why, as in the log.
    pub fn refused(&self, arrival: &Arrival, source: &str, status: u16, code: &'static str) {
        if self.on.is_none() {
            return;
        }
        let attributes = vec![KeyValue::new("hookbox.source", shown(source))];
        let start = Start { at: arrival.at, parent: None, attributes };
        let span = self.span("receive", SpanKind::Server, start);
        Received { span, traces: self.clone(), passed: None }.refused(status, code);
    }

    /// A call of a plugin that is about to begin.
    ///
    /// `trace`: what the store keeps of the event's.
    pub fn attempt(&self, trace: Option<&str>, about: &Attempted<'_>) -> Attempt {
        let parent = trace.and_then(context::parse);
        let span = self.on.is_some().then(|| {
            let attributes = vec![
                KeyValue::new("hookbox.event.id", about.event.to_string()),
                KeyValue::new("hookbox.event.name", shown(about.name)),
                KeyValue::new("hookbox.delivery.id", about.delivery.to_string()),
                KeyValue::new("hookbox.plugin", about.plugin.to_string()),
                KeyValue::new("hookbox.plugin.digest", about.digest.short()),
                KeyValue::new("hookbox.plugin.generation", number(about.generation)),
                KeyValue::new("hookbox.attempt", i64::from(about.attempt)),
            ];
            let start = Start { at: SystemTime::now(), parent: parent.as_ref(), attributes };
            self.span("attempt", SpanKind::Internal, start)
        });
        let span = span.flatten();
        let context = span.as_ref().map(|span| span.span_context().clone()).or(parent);
        Attempt { span, caller: Caller { traces: self.clone(), context } }
    }
}

impl Received {
    /// What the store is to keep of it: a `traceparent`.
    pub fn trace(&self) -> Option<String> {
        let own = self.span.as_ref().map(Span::span_context);
        own.or(self.passed.as_ref()).map(context::write)
    }

    /// The trace's id, where traces are on.
    pub fn id(&self) -> Option<TraceId> {
        self.span.as_ref().map(|span| span.span_context().trace_id())
    }

    /// From handing the event to the store until it is durable.
    pub fn commit(&self) -> Step {
        let span = self.span.as_ref().and_then(|span| {
            let parent = Some(span.span_context());
            let start = Start { at: SystemTime::now(), parent, attributes: Vec::new() };
            self.traces.span("commit", SpanKind::Internal, start)
        });
        Step(span)
    }

    /// It was accepted, or known already.
    pub fn accepted(self, event: EventId, duplicate: bool) {
        let Some(mut span) = self.span else { return };
        span.set_attribute(KeyValue::new("hookbox.event.id", event.to_string()));
        span.set_attribute(KeyValue::new("hookbox.duplicate", duplicate));
        span.set_attribute(KeyValue::new("http.response.status_code", 200));
        span.end();
    }

    /// It was not. `code`: why, as in the log.
    pub fn refused(self, status: u16, code: &'static str) {
        let Some(mut span) = self.span else { return };
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        span.set_attribute(KeyValue::new("error.type", code));
        span.set_status(Status::error(code));
        span.end();
    }
}

/// Which call it is.
#[derive(Debug)]
#[expect(missing_docs, reason = "as in the journal")]
pub struct Attempted<'a> {
    pub event: EventId,
    pub name: &'a str,
    pub delivery: DeliveryId,
    pub plugin: &'a PluginName,
    pub digest: Digest,
    pub generation: u64,
    pub attempt: u32,
}

/// A call of a plugin.
#[derive(Debug)]
pub struct Attempt {
    span: Option<Span>,
    caller: Caller,
}

impl Attempt {
    /// By which the call's requests belong to it.
    pub fn caller(&self) -> Caller {
        self.caller.clone()
    }

    /// The trace's id, where traces are on.
    pub fn id(&self) -> Option<TraceId> {
        self.span.as_ref().map(|span| span.span_context().trace_id())
    }

    /// It ended.
    ///
    /// `duration`: of the call alone; the span has the wait before it too.
    pub fn ended(self, outcome: &Outcome, duration: Duration) {
        let Some(mut span) = self.span.filter(Span::is_recording) else { return };
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        span.set_attribute(KeyValue::new("hookbox.call.duration_us", number(duration_us)));
        match outcome {
            Outcome::Handled => span.set_attribute(KeyValue::new("hookbox.outcome", "handled")),
            Outcome::Failed(failure) => {
                span.set_attribute(KeyValue::new("hookbox.outcome", failure.kind.code()));
                span.set_attribute(KeyValue::new("error.type", failure.kind.code()));
                span.set_status(Status::error(short(&failure.message)));
            }
        }
        span.end();
    }
}

/// What requests of one call belong to.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    traces: Traces,
    context: Option<SpanContext>,
}

impl Caller {
    /// A request of the call begins. It is told its trace, unless it names one
    /// itself.
    ///
    /// `number`: which request of the call, from 1.
    pub fn request(&self, number: u32, headers: &mut HeaderMap) -> Outbound {
        let span = self.context.as_ref().filter(|_| number <= REQUESTS_MAX).and_then(|parent| {
            let start =
                Start { at: SystemTime::now(), parent: Some(parent), attributes: Vec::new() };
            self.traces.span("outbound request", SpanKind::Client, start)
        });
        let own = headers.contains_key(TRACEPARENT) || headers.contains_key(TRACESTATE);
        if self.traces.propagate && !own {
            let context = span.as_ref().map(Span::span_context).or(self.context.as_ref());
            if let Some(value) = context.and_then(context::header) {
                headers.insert(TRACEPARENT, value);
            }
        }
        Outbound(span.map(|span| (SystemTime::now(), span)))
    }
}

/// A request of a plugin.
#[derive(Debug)]
pub struct Outbound(Option<(SystemTime, Span)>);

impl Outbound {
    /// It ended, and this is what the journal keeps of it.
    pub fn ended(self, call: &OutboundCall) {
        let Some((started, mut span)) = self.0.filter(|(_, span)| span.is_recording()) else {
            return;
        };
        span.set_attribute(KeyValue::new("http.request.method", call.method.clone()));
        span.set_attribute(KeyValue::new("url.full", call.url.clone()));
        if let Some(status) = call.status {
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        }
        if let Some((code, _)) = call.error {
            span.set_attribute(KeyValue::new("error.type", code));
            span.set_status(Status::error(code));
        }
        span.end_with_timestamp(started + call.duration);
    }
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn short(text: &str) -> String {
    text.get(..text.floor_char_boundary(ERROR_BYTES_MAX)).unwrap_or(text).to_owned()
}
