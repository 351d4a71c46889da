//! The operators' side of a running server: an API in JSON, the dashboard,
//! metrics and health, at an address of their own; and the same on a socket in
//! the data directory, for the server's own user and nobody else, which the
//! command line uses.
//!
//! | path | for |
//! |---|---|
//! | `/api/v1/…` | programs and the dashboard: see `docs/openapi.json` |
//! | `/metrics` | Prometheus |
//! | `/healthz`, `/readyz` | whatever restarts services and sends them load |
//! | `/`, `/login`, `/logout`, `/assets/…` | browsers |
//! | `/v1/query`, `/v1/operate`, `/v1/health` | the command line of the same version, on the socket only |
//!
//! Every refusal is a problem document (RFC 9457) with a stable `code`.
//!
//! Invariants:
//! - Nothing but health, the login page and the dashboard's files is served to
//!   whoever has no token, where tokens are configured.
//! - A page of another site can neither read nor change anything, whatever name
//!   it reaches the server by.
//! - Nothing of a connection is unbounded: head, body, time, their number.
//! - What operators change is noted in the journal; what they reveal is noted
//!   before they see it.

#[allow(unused_qualifications, reason = "what utoipa makes of a route names types in full")]
mod api;
mod assets;
mod auth;
mod backend;
pub mod client;
mod connection;
mod control;
mod extract;
mod guard;
mod health;
mod network;
mod pages;
mod perform;
mod problem;
mod socket;
pub mod sse;
#[cfg(test)]
mod tests;
mod ticks;
pub mod views;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

pub use self::api::document;
use self::auth::Access;
pub use self::backend::{Answer, Backend};
pub use self::socket::{Socket, SocketError};
use self::ticks::Ticks;
use crate::config;
use crate::shutdown::Ending;

const QUERY: &str = "/v1/query";
const OPERATE: &str = "/v1/operate";
const HEALTH: &str = "/v1/health";

/// Bytes of a request's body on the socket. 500 ids take 20 KiB; values of a
/// plugin's state, as base64, take the most (`NewState::BYTES_MAX`).
const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of an answer. The largest is an event: a body of 64 MiB, which JSON can
/// double, and what plugins logged.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// From a request to the end of its answer, but for streams.
const EXCHANGE_MAX: Duration = Duration::from_secs(60);

/// Streams at once, over all connections. Each is woken by every notice.
const STREAMS_MAX: usize = 16;

/// Events that are looked at closely at once, over all connections. One of
/// 64 MiB takes several times that and a second of a processor, which are for
/// webhooks first.
const EVENTS_MAX: usize = 2;

/// Serves operators.
pub struct Admin {
    backend: Arc<dyn Backend>,
    ending: Ending,
    // One count of each for both ways in.
    streams: Arc<Semaphore>,
    events: Arc<Semaphore>,
    ticks: Ticks,
}

/// What all requests of one way in share.
struct Shared {
    backend: Arc<dyn Backend>,
    /// None: the socket, where the system has checked who it is.
    access: Option<Access>,
    ending: Ending,
    streams: Arc<Semaphore>,
    events: Arc<Semaphore>,
    ticks: Ticks,
}

type App = Arc<Shared>;

impl Admin {
    /// Serves until the server is ending. To be called on a runtime.
    pub fn new(backend: Arc<dyn Backend>, ending: Ending) -> Self {
        let ticks = Ticks::start(Arc::clone(&backend), ending.clone());
        let streams = Arc::new(Semaphore::new(STREAMS_MAX));
        let events = Arc::new(Semaphore::new(EVENTS_MAX));
        Self { backend, ending, streams, events, ticks }
    }

    /// On the control socket.
    pub async fn on_socket(&self, socket: Socket) {
        let router = router(self.shared(None)).merge(control::router(&self.backend));
        control::serve(socket, layered(router, self.shared(None)), self.ending.clone()).await;
    }

    /// At an address.
    ///
    /// `tls`: HTTPS with what is in it now; none is HTTP.
    pub async fn on_network(
        &self,
        listener: TcpListener,
        tls: Option<watch::Receiver<Arc<ServerConfig>>>,
        operators: &config::Operators,
    ) {
        let shared = self.shared(Some(Access::new(operators, tls.is_some())));
        let router = layered(router(Arc::clone(&shared)), shared);
        network::serve(listener, tls, router, self.ending.clone()).await;
    }

    fn shared(&self, access: Option<Access>) -> App {
        Arc::new(Shared {
            backend: Arc::clone(&self.backend),
            access,
            ending: self.ending.clone(),
            streams: Arc::clone(&self.streams),
            events: Arc::clone(&self.events),
            ticks: self.ticks.clone(),
        })
    }
}

fn router(app: App) -> Router {
    let (api, _) = api::router().split_for_parts();
    api.merge(health::router()).merge(pages::router()).with_state(app)
}

/// What each request goes through, in the order of the lines from below.
fn layered(router: Router, app: App) -> Router {
    router
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&app), auth::layer))
        .layer(from_fn_with_state(app, guard::origin))
        .layer(from_fn(guard::time))
        .layer(from_fn(guard::headers))
}

/// Milliseconds since the Unix epoch.
fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
