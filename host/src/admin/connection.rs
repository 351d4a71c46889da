//! One connection of an operator, over the socket or the network: HTTP/1.1 with
//! bounds on each part.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tower_service::Service as _;
use tracing::{debug, warn};

use super::EXCHANGE_MAX;
use crate::shutdown::Ending;

/// For a request's head.
const HEAD_MAX: Duration = Duration::from_secs(5);

/// Bytes of a request's head. Cookies of other servers on the same host come
/// along with a browser's.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Header fields of a request.
const HEADERS_MAX: usize = 64;

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Peer {
    /// A process of the server's own user.
    Local,
    /// Whoever has that address.
    Remote(IpAddr),
}

/// What a connection does, shared with the streams on it.
#[derive(Debug)]
pub(super) struct Activity {
    /// When the last request began.
    begun: Mutex<Instant>,
    streams: AtomicUsize,
}

impl Activity {
    fn new() -> Arc<Self> {
        Arc::new(Self { begun: Mutex::new(Instant::now()), streams: AtomicUsize::new(0) })
    }

    fn begin(&self) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Until when it may go on as it is.
    fn until(&self) -> Instant {
        if self.streams.load(Ordering::Relaxed) > 0 {
            return Instant::now() + EXCHANGE_MAX;
        }
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) + EXCHANGE_MAX
    }

    /// Has no limit of time until what is returned is dropped.
    pub(super) fn stream(self: &Arc<Self>) -> Streaming {
        self.streams.fetch_add(1, Ordering::Relaxed);
        Streaming(Arc::clone(self))
    }
}

/// A stream that goes on.
pub(super) struct Streaming(Arc<Activity>);

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.begin();
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves one to its end. Once the server is ending, what is under way is
/// answered, and no more.
///
/// `keep_alive`: whether more than one request may come.
pub(super) async fn serve<S>(
    stream: S,
    peer: Peer,
    router: Router,
    keep_alive: bool,
    mut ending: Ending,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new();
    let service = service_fn(|mut request: Request<Incoming>| {
        activity.begin();
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(Arc::clone(&activity));
        router.clone().call(request)
    });
    let mut http = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .keep_alive(keep_alive)
            .serve_connection(TokioIo::new(stream), service)
    );
    let mut is_ending = false;
    loop {
        let until = activity.until();
        tokio::select! {
            done = http.as_mut() => {
                if let Err(error) = done {
                    debug!(?peer, %error, "an operator's connection ended");
                }
                return;
            }
            () = tokio::time::sleep_until(until) => {
                if Instant::now() >= activity.until() {
                    warn!(?peer, "an operator's request took too long and was cut off");
                    return;
                }
            }
            () = ending.begun(), if !is_ending => {
                is_ending = true;
                http.as_mut().graceful_shutdown();
            }
        }
    }
}
