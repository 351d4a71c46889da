//! `wasi:http/outgoing-handler`: what the operator granted goes to
//! [`crate::outbound`], the rest is refused, and both are recorded.
//!
//! Invariants:
//! - Every request of a call counts, refused or not, and past the limit there
//!   is one record more for all that are refused.
//! - When the call has ended none of its requests is under way.
//! - The guest learns what happened as an error of the interface; the operator
//!   learns it as a line of the call's log.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookbox_core::effects::OutboundCall;
use hookbox_core::ids::PluginName;
use http_body_util::BodyExt as _;
use tokio::task::AbortHandle;
use tracing::Level;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

use crate::config;
use crate::outbound::Outbound;
use crate::outbound::exchange::{Exchange, Limits};
use crate::outbound::failure::{Failure, Kind, Stage};
use crate::outbound::pool::{Pool, shown};
use crate::outbound::record::Record;
use crate::plugin::output::{self, SharedLog};
use crate::telemetry::Redactor;
use crate::telemetry::traces::{self, Caller};

/// Bytes of bodies that one call's records may keep in all, so that many calls
/// with much to keep do not fill the memory. Past it bodies are not kept.
const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Requests of one call that have a record of their own, whatever the operator
/// lets it send.
const RECORDS_MAX: u32 = 10_000;

/// Bytes of a method that are shown; a guest may name any.
const METHOD_BYTES_MAX: usize = 64;

/// The requests of one call.
pub struct Requests {
    pool: Arc<Pool>,
    limits: Limits,
    calls_max: u32,
    kept_bytes_max: usize,
    redactor: Arc<Redactor>,
    caller: Caller,
    log: SharedLog,
    // Its streams and futures need shared access; never contended.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: u32,
    kept_bytes: usize,
    sent: Vec<Sent>,
    ended: bool,
}

struct Sent {
    record: Arc<Record>,
    /// None: it was told already.
    span: Option<traces::Outbound>,
    task: Option<AbortHandle>,
}

impl Requests {
    /// For a call of a plugin.
    ///
    /// `redactor`: what must not be in records and log lines.
    pub fn new(
        outbound: &Outbound,
        name: &PluginName,
        settings: &config::Plugin,
        redactor: &Arc<Redactor>,
        caller: &Caller,
        log: &SharedLog,
    ) -> Arc<Self> {
        let limits = Limits {
            timeout: Duration::from_millis(settings.http_timeout_ms),
            request_bytes_max: settings.http_request_bytes_max,
            response_bytes_max: settings.http_response_bytes_max,
            connect: None,
            first_byte: None,
            between_bytes: None,
        };
        Arc::new(Self {
            pool: outbound.pool(name, settings.grants.http(), settings.http_concurrency),
            limits,
            calls_max: settings.http_calls_max.min(RECORDS_MAX),
            kept_bytes_max: settings.http_bodies_kept_bytes_max,
            redactor: Arc::clone(redactor),
            caller: caller.clone(),
            log: SharedLog::clone(log),
            state: Mutex::default(),
        })
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call has ended: so do its requests.
    ///
    /// `answered`: whether the plugin came to the end of its work. A response
    /// that it did not read to the end then is one that it did not want.
    pub fn end(&self, answered: bool) {
        let mut state = self.locked();
        state.ended = true;
        for sent in &mut state.sent {
            let failure = (!answered || !sent.record.is_answered()).then(|| {
                Failure::new(Kind::CallEnded, "the call ended before the response was read")
            });
            sent.record.end(failure);
            if let Some(task) = sent.task.take() {
                task.abort();
            }
        }
    }

    /// What is to be known of them, in the order in which they were sent. With
    /// it their spans end.
    pub fn calls(&self) -> Vec<OutboundCall> {
        let mut state = self.locked();
        let told = state.sent.iter_mut().map(|sent| {
            let call = sent.record.call();
            if let Some(span) = sent.span.take() {
                span.ended(&call);
            }
            call
        });
        told.collect()
    }

    /// Begins a request, or refuses it.
    fn send(
        self: &Arc<Self>,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> std::result::Result<(Exchange, Reporter), Failure> {
        let (mut head, body) = request.into_parts();
        let (origin, path) = shown(&head.uri);
        let method = head.method.as_str();
        let shown = method.get(..method.len().min(METHOD_BYTES_MAX)).unwrap_or(method);
        let what = format!("{shown} {origin}");
        let reporter = Reporter { requests: Arc::clone(self), what };
        let mut state = self.locked();
        state.asked = state.asked.saturating_add(1);
        if state.asked > self.calls_max.saturating_add(1) {
            if let Some(last) = state.sent.last() {
                last.record.one_more();
            }
            return Err(self.too_many());
        }
        let kept = state.kept_bytes.saturating_add(2 * self.kept_bytes_max) <= KEPT_BYTES_MAX;
        let kept = if kept { self.kept_bytes_max } else { 0 };
        state.kept_bytes += 2 * kept;
        let url = format!("{origin}{path}");
        let record = Record::new(method, &url, kept, &self.redactor);
        // After the guest's own were checked: what is added here it never sees.
        let span = self.caller.request(state.asked, &mut head.headers);
        let allowed = if state.ended {
            Err(Failure::new(Kind::CallEnded, "the call has ended"))
        } else if state.asked > self.calls_max {
            Err(self.too_many())
        } else {
            self.pool.target(&head.method, &head.uri)
        };
        let begun = allowed.map(|target| {
            let body = body.map_err(Into::into).boxed_unsync();
            let limits = with(self.limits, options);
            self.pool.send(&target, head, body, limits, &record)
        });
        let task = begun.as_ref().ok().map(Exchange::abort_handle);
        if let Err(failure) = &begun {
            record.end(Some(failure.clone()));
        }
        state.sent.push(Sent { record, span: Some(span), task });
        drop(state);
        match begun {
            Ok(exchange) => Ok((exchange, reporter)),
            Err(failure) => Err(reporter.report(failure)),
        }
    }

    fn too_many(&self) -> Failure {
        let message = format!(
            "the call may send {} requests: {}",
            self.calls_max,
            self.pool.key("http_calls_max")
        );
        Failure::new(Kind::CallsLimit, message)
    }
}

/// The limits, where the plugin itself is not stricter.
fn with(limits: Limits, options: Option<RequestOptions>) -> Limits {
    let options = options.unwrap_or_default();
    Limits {
        connect: options.connect_timeout,
        first_byte: options.first_byte_timeout,
        between_bytes: options.between_bytes_timeout,
        ..limits
    }
}

/// Tells the operator what went wrong.
struct Reporter {
    requests: Arc<Requests>,
    what: String,
}

impl Reporter {
    fn report(&self, failure: Failure) -> Failure {
        if self.requests.locked().ended {
            // The log of the call is closed, and why it ended is said there.
            return failure;
        }
        let became = if failure.is_refusal() { "refused" } else { "failed" };
        let line =
            format!("outgoing request {became} ({}): {}: {failure}", failure.label(), self.what);
        output::record(&self.requests.log, Level::WARN, "", &line);
        failure
    }
}

/// What `wasi:http` asks when a guest sends a request.
pub(super) struct Hooks {
    /// None: the plugin describes itself, and nothing is granted.
    requests: Option<Arc<Requests>>,
    log: SharedLog,
}

impl Hooks {
    /// Refuses everything.
    pub(super) fn describing(log: &SharedLog) -> Self {
        Self { requests: None, log: SharedLog::clone(log) }
    }

    /// Sends what is granted.
    pub(super) fn sending(requests: &Arc<Requests>) -> Self {
        let log = SharedLog::clone(&requests.log);
        Self { requests: Some(Arc::clone(requests)), log }
    }
}

type Io = Box<dyn Future<Output = Result<()>> + Send>;
type Answer = Result<(http::Response<WasiBody>, Io)>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        // Whatever reads the response says nothing more by it.
        _read: Io,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let Some(requests) = &self.requests else {
            let (origin, _) = shown(request.uri());
            let line = format!(
                "outgoing request refused (not-granted): {} {origin}: nothing is granted while \
                 the plugin describes itself",
                request.method()
            );
            output::record(&self.log, Level::WARN, "", &line);
            return Box::new(async { Err(Error::HttpRequestDenied) });
        };
        match requests.send(request, options) {
            Ok((exchange, reporter)) => Box::new(answer(exchange, reporter)),
            Err(failure) => Box::new(async move { Err(error(&failure)) }),
        }
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        super::BODY_CHUNK_BYTES_MAX
    }
}

async fn answer(exchange: Exchange, reporter: Reporter) -> Answer {
    let response = exchange.response().await;
    let response = response.map_err(|failure| error(&reporter.report(failure)))?;
    let response = response
        .map(|body| body.map_err(move |failure| error(&reporter.report(failure))).boxed_unsync());
    Ok((response, Box::new(async { Ok(()) })))
}

/// As the interface says it.
fn error(failure: &Failure) -> Error {
    match failure.kind {
        Kind::NotGranted | Kind::MethodNotGranted | Kind::CallsLimit => Error::HttpRequestDenied,
        Kind::AddressForbidden(_) => Error::DestinationIpProhibited,
        Kind::Userinfo | Kind::BadAuthority => Error::HttpRequestUriInvalid,
        Kind::ConcurrencyLimit => Error::ConnectionLimitReached,
        Kind::RequestTooLarge(bytes_max) => Error::HttpRequestBodySize(Some(bytes_max)),
        Kind::ResponseTooLarge(bytes_max) => Error::HttpResponseBodySize(Some(bytes_max)),
        Kind::HeadTooLarge(bytes_max) => Error::HttpResponseHeaderSectionSize(Some(bytes_max)),
        Kind::Timeout(Stage::Connecting) => Error::ConnectionTimeout,
        Kind::Timeout(Stage::Waiting) => Error::HttpResponseTimeout,
        Kind::Timeout(Stage::Reading) => Error::ConnectionReadTimeout,
        Kind::ConnectFailed => Error::ConnectionRefused,
        Kind::DnsFailed => Error::DnsError { rcode: None, info_code: None },
        Kind::TlsFailed { certificate: true } => Error::TlsCertificateError,
        Kind::TlsFailed { certificate: false } => Error::TlsProtocolError,
        Kind::Broken | Kind::GivenUp | Kind::CallEnded | Kind::NoAnswer => {
            Error::ConnectionTerminated
        }
    }
}
