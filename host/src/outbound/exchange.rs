//! One request and its response, on the runtime that serves.
//!
//! All of it is one task, so that every limit holds whether or not the plugin
//! reads what came; the plugin's side has the two ends of it, and to drop them
//! is to end the task.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::request;
use http::response::Parts;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::capture_connection;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::body::{Guard, PluginBody, RequestBody, ResponseBody};
use super::connect::Remote;
use super::failure::{Failure, Kind, Stage};
use super::pool::{HEAD_BYTES_MAX, Pool, Target};
use super::record::{Record, Side};

/// Pieces of a response that wait for the plugin. Each is at most what hyper
/// reads at once, [`HEAD_BYTES_MAX`].
const FRAMES_MAX: usize = 1;

/// What one exchange may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the wait for its turn to the end of the response.
    pub timeout: Duration,
    /// Of the request's body.
    pub request_bytes_max: u64,
    /// Of the response's body.
    pub response_bytes_max: u64,
    /// What the plugin itself asks for: to have its turn and a connection, for
    /// the head of the response after that, and for each piece of its body.
    pub connect: Option<Duration>,
    /// See `connect`.
    pub first_byte: Option<Duration>,
    /// See `connect`.
    pub between_bytes: Option<Duration>,
}

/// The plugin's side of an exchange. Dropped, the exchange ends.
#[must_use]
pub struct Exchange {
    head: oneshot::Receiver<Result<Parts, Failure>>,
    body: ResponseBody,
}

impl Exchange {
    /// Ends it from elsewhere.
    pub fn abort_handle(&self) -> AbortHandle {
        self.body.guard.task.clone()
    }

    /// Waits for the head of the response.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn response(self) -> Result<Response<ResponseBody>, Failure> {
        match self.head.await {
            Ok(head) => Ok(Response::from_parts(head?, self.body)),
            // The task ended without a word: it was ended from outside.
            Err(_) => Err(self
                .body
                .guard
                .record
                .failure()
                .unwrap_or_else(|| Failure::new(Kind::Broken, "the exchange was ended"))),
        }
    }
}

impl Pool {
    /// Begins an exchange. Its request has the head that the plugin made; host
    /// and URL are put in their place.
    pub fn send(
        self: &Arc<Self>,
        target: &Target,
        head: request::Parts,
        body: PluginBody,
        limits: Limits,
        record: &Arc<Record>,
    ) -> Exchange {
        let (head_sender, head_receiver) = oneshot::channel();
        let (frames_sender, frames) = mpsc::channel(FRAMES_MAX);
        let broken = Arc::default();
        let work = Work {
            // Here, so that turns are given in the order in which they are asked for.
            turn: self.turn_now(),
            broken: Arc::clone(&broken),
            pool: Arc::clone(self),
            limits,
            deadline: Instant::now() + limits.timeout,
            record: Arc::clone(record),
            frames: frames_sender,
        };
        let request = self.request(target, head, body, &limits, record);
        let task = self.runtime().spawn(async move { work.run(request, head_sender).await });
        let guard = Guard { record: Arc::clone(record), task: task.abort_handle() };
        Exchange { head: head_receiver, body: ResponseBody { frames, guard, broken, told: false } }
    }

    fn request(
        &self,
        target: &Target,
        mut head: request::Parts,
        body: PluginBody,
        limits: &Limits,
        record: &Arc<Record>,
    ) -> Result<Request<RequestBody>, Failure> {
        let length = head.headers.get(CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        let key = self.key("http_request_bytes_max");
        if length > Some(limits.request_bytes_max) {
            return Err(RequestBody::too_large(limits.request_bytes_max, &key));
        }
        let bad = |why: String| Failure::new(Kind::BadAuthority, why);
        let authority = target.origin.authority();
        head.uri = Uri::builder()
            .scheme(target.origin.scheme().as_str())
            .authority(authority.as_str())
            .path_and_query(target.path.clone())
            .build()
            .map_err(|error| bad(error.to_string()))?;
        let host = HeaderValue::from_str(&authority).map_err(|error| bad(error.to_string()))?;
        head.headers.insert(HOST, host);
        head.version = http::Version::HTTP_11;
        // None of what the plugin's side attached is for the connection.
        head.extensions.clear();
        let limit = (limits.request_bytes_max, key);
        Ok(Request::from_parts(head, RequestBody::new(body, record, limit, length)))
    }
}

struct Work {
    pool: Arc<Pool>,
    /// None: it has to wait.
    turn: Option<OwnedSemaphorePermit>,
    limits: Limits,
    deadline: Instant,
    record: Arc<Record>,
    frames: mpsc::Sender<Frame<Bytes>>,
    broken: Arc<OnceLock<Failure>>,
}

impl Work {
    async fn run(
        mut self,
        request: Result<Request<RequestBody>, Failure>,
        head: oneshot::Sender<Result<Parts, Failure>>,
    ) {
        let answered = match request {
            Ok(request) => {
                let connecting = self.until(self.limits.connect);
                match self.turn(connecting).await {
                    Some(turn) => self.head(request, connecting).await.map(|came| (came, turn)),
                    None => Err(self.no_turn()),
                }
            }
            Err(failure) => Err(failure),
        };
        // The turn is kept until the response was read.
        let (body, _turn) = match answered {
            Ok((response, turn)) => {
                let (parts, body) = response.into_parts();
                self.record.answered(parts.status.as_u16());
                if head.send(Ok(parts)).is_err() {
                    return;
                }
                (body, turn)
            }
            Err(failure) => {
                let first = self.record.end(Some(failure.clone())).unwrap_or(failure);
                let _given_up = head.send(Err(first));
                return;
            }
        };
        match self.body(body).await {
            Ok(()) => {
                self.record.end(None);
            }
            Err(failure) => {
                // What it failed by first may be that the request's body did.
                let first = self.record.end(Some(failure.clone())).unwrap_or(failure);
                // Before the plugin's side sees the end.
                let _only_here = self.broken.set(first);
            }
        }
    }

    /// Waits for its turn; none where it took too long.
    async fn turn(&mut self, until: Instant) -> Option<OwnedSemaphorePermit> {
        match self.turn.take() {
            Some(turn) => Some(turn),
            None => timeout_at(until, self.pool.turn()).await.ok().flatten(),
        }
    }

    /// Until the head of the response is there.
    ///
    /// `connecting`: until when there must be a connection.
    async fn head(
        &self,
        mut request: Request<RequestBody>,
        connecting: Instant,
    ) -> Result<Response<Incoming>, Failure> {
        let mut connection = capture_connection(&mut request);
        let sending = self.pool.client().request(request);
        tokio::pin!(sending);
        let answered = {
            tokio::select! {
                biased;
                answered = &mut sending => Some(answered),
                _ = connection.wait_for_connection_metadata() => None,
                () = tokio::time::sleep_until(connecting) => {
                    return Err(self.late(Stage::Connecting, self.limits.connect));
                }
            }
        };
        if let Some(connected) = connection.connection_metadata().as_ref() {
            let mut extras = http::Extensions::new();
            connected.get_extras(&mut extras);
            self.connected(&extras);
        }
        let answered = match answered {
            Some(answered) => answered,
            None => timeout_at(self.until(self.limits.first_byte), sending)
                .await
                .map_err(|_| self.late(Stage::Waiting, self.limits.first_byte))?,
        };
        let response = answered.map_err(|error| failed(&error))?;
        // Where a connection from before was dead, it is another one now.
        self.connected(response.extensions());
        Ok(response)
    }

    fn connected(&self, extras: &http::Extensions) {
        if let Some(Remote(address)) = extras.get() {
            let address: IpAddr = *address;
            self.record.connected(address);
        }
    }

    /// Hands over what comes.
    async fn body(&self, mut body: Incoming) -> Result<(), Failure> {
        let bytes_max = self.limits.response_bytes_max;
        loop {
            let frame = timeout_at(self.until(self.limits.between_bytes), body.frame())
                .await
                .map_err(|_| self.late(Stage::Reading, self.limits.between_bytes))?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| broken(&error))?;
            if let Some(data) = frame.data_ref()
                && self.record.passed(Side::Response, data) > bytes_max
            {
                let key = self.pool.key("http_response_bytes_max");
                let message = format!("the response's body has over {bytes_max} bytes: {key}");
                return Err(Failure::new(Kind::ResponseTooLarge(bytes_max), message));
            }
            let last = body.is_end_stream();
            if last {
                // Before the plugin sees it, which may then end its call.
                self.record.whole(Side::Response);
                self.record.end(None);
            }
            let handed = timeout_at(self.deadline, self.frames.send(frame)).await;
            let handed = handed.map_err(|_| self.late(Stage::Reading, None))?;
            if handed.is_err() || last {
                // Nobody reads it any more, or there is no more.
                return Ok(());
            }
        }
        self.record.whole(Side::Response);
        Ok(())
    }

    /// When a step must have ended.
    fn until(&self, own: Option<Duration>) -> Instant {
        own.map_or(self.deadline, |own| self.deadline.min(Instant::now() + own))
    }

    /// It took longer than the plugin itself, or the operator, let it.
    fn late(&self, stage: Stage, own: Option<Duration>) -> Failure {
        let doing = match stage {
            Stage::Connecting => "there was no connection",
            Stage::Waiting => "the response did not begin",
            Stage::Reading => "the response did not end",
        };
        let message = match own {
            Some(own) if Instant::now() < self.deadline => {
                format!("{doing} within the {} ms that the plugin gave it", own.as_millis())
            }
            _ => format!(
                "{doing} within {} ms: {}",
                self.limits.timeout.as_millis(),
                self.pool.key("http_timeout_ms")
            ),
        };
        Failure::new(Kind::Timeout(stage), message)
    }

    fn no_turn(&self) -> Failure {
        let timeout = self.limits.timeout;
        let waited = self.limits.connect.map_or(timeout, |own| own.min(timeout));
        let message = format!(
            "{} requests of the plugin were under way, and none ended within {} ms: {}",
            self.pool.concurrency(),
            waited.as_millis(),
            self.pool.key("http_concurrency")
        );
        Failure::new(Kind::ConcurrencyLimit, message)
    }
}

/// Why there is no response.
fn failed(error: &legacy::Error) -> Failure {
    if let Some(failure) = Failure::within(error) {
        return failure;
    }
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    match cause {
        Some(error) => broken(error),
        None => Failure::new(Kind::Broken, error.to_string()),
    }
}

/// Why it broke off.
fn broken(error: &hyper::Error) -> Failure {
    if let Some(failure) = Failure::within(error) {
        return failure;
    }
    if error.is_parse_too_large() {
        let message =
            format!("the response's head has over {HEAD_BYTES_MAX} bytes, or too many fields");
        let bytes_max = u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX);
        return Failure::new(Kind::HeadTooLarge(bytes_max), message);
    }
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    Failure::new(Kind::Broken, format!("{error}{}", cause.unwrap_or_default()))
}
