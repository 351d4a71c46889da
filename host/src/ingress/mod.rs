//! Webhooks over HTTP: from a connection to a body, and from an answer to a
//! response. What a body means is not known here: that is [`Receive`]'s.
//!
//! Invariants:
//! - Nothing of a connection is unbounded: head, body, time, their number.
//! - No response quotes what was sent.

mod accept;
mod body;
mod connections;
mod respond;
pub mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use accept::serve;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
pub use respond::Answer;
use tokio::sync::Semaphore;

use crate::config::Server;
use crate::telemetry::traces::Arrival;

/// What becomes of bodies.
pub trait Receive: Send + Sync + 'static {
    /// Whether a source of that name is configured now.
    fn knows(&self, source: &str) -> bool;

    /// Takes a body that came to a source.
    fn receive(
        &self,
        source: &str,
        peer: SocketAddr,
        arrival: Arrival,
        body: Vec<u8>,
    ) -> impl Future<Output = Answer> + Send;

    /// Whether events are accepted now.
    fn is_ready(&self) -> bool;

    /// Told of each request that never got so far, so that none is silent.
    fn refused(&self, source: &str, peer: SocketAddr, arrival: &Arrival, answer: &Answer);

    /// Told of each answer to a request for a webhook, as long after its head was
    /// read.
    fn answered(&self, source: &str, answer: &Answer, elapsed: Duration);
}

/// Bounds of requests.
#[derive(Debug, Clone)]
pub struct Limits {
    body_bytes_max: usize,
    /// One permit for each byte of a body that is on its way in.
    bodies_bytes: Arc<Semaphore>,
    header_timeout: Duration,
    body_timeout: Duration,
    connections_max: usize,
    drain: Duration,
    /// Whether health is told here too.
    health: bool,
}

impl Limits {
    /// `connections_max`: how many the system allows, up to the configured one.
    pub fn new(server: &Server, connections_max: usize) -> Self {
        Self {
            body_bytes_max: server.body_bytes_max,
            bodies_bytes: Arc::new(Semaphore::new(server.bodies_bytes_max)),
            header_timeout: Duration::from_millis(server.header_timeout_ms),
            body_timeout: Duration::from_millis(server.body_timeout_ms),
            connections_max,
            drain: Duration::from_millis(server.drain_ms),
            health: server.health_on_public,
        }
    }
}

/// `POST /hooks/<source>`
const PATH: &str = "/hooks/";

/// For whatever restarts services: the process answers.
const ALIVE: &str = "/healthz";

/// For load balancers: events are accepted.
const READY: &str = "/readyz";

/// One request.
async fn handle<R: Receive>(
    receive: Arc<R>,
    limits: Limits,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let began = Instant::now();
    let version = request.version();
    let (head, body) = request.into_parts();
    if limits.health && matches!(head.method, Method::GET | Method::HEAD) {
        match head.uri.path() {
            ALIVE => return Ok(respond::health(true)),
            READY => return Ok(respond::health(receive.is_ready())),
            _ => {}
        }
    }
    let arrival = Arrival::now(&head.headers);
    let source = head.uri.path().strip_prefix(PATH).unwrap_or_default();
    let early = if !receive.knows(source) {
        Some(Answer::UnknownSource)
    } else if head.method != Method::POST {
        Some(Answer::MethodNotAllowed)
    } else {
        None
    };
    let answer = match early {
        Some(answer) => {
            receive.refused(source, peer, &arrival, &answer);
            answer
        }
        None => match body::read(&head.headers, body, &limits).await {
            Ok((bytes, _held)) => receive.receive(source, peer, arrival, bytes).await,
            Err(answer) => {
                receive.refused(source, peer, &arrival, &answer);
                answer
            }
        },
    };
    receive.answered(source, &answer, began.elapsed());
    Ok(respond::response(&answer, version))
}
