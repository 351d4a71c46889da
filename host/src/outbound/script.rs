//! What stands in for the network where a plugin is tried out: a connection in
//! memory, behind which a [`Script`] answers.
//!
//! It is the lowest place at which that can be done. Grants, limits, timeouts,
//! records and redaction are above it and the same as ever, and so is HTTP/1.1
//! itself: what a script sees has been written to a connection and read from it.
//!
//! Invariants:
//! - Nothing leaves the process.
//! - A request that the script cannot answer fails with its failure.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hookbox_core::grants::Origin;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::failure::Failure;

/// Bytes that wait on the way between the two sides.
const PIPE_BYTES: usize = 64 * 1024;

/// A request as a server would get it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its method.
    pub method: Method,
    /// Its whole URL, with the query.
    pub url: String,
    /// Its header fields, `host` among them.
    pub headers: HeaderMap,
    /// Its body, within the limit of the plugin's requests.
    pub body: Bytes,
}

/// Answers requests in the place of all servers.
pub trait Script: Send + Sync + 'static {
    /// The response to a request, or how it fails.
    ///
    /// # Errors
    /// What the plugin is to see as if the network had done it.
    fn answer(&self, asked: Asked) -> Result<Response<Bytes>, Failure>;
}

/// The client's side of a connection to a script.
pub(super) struct Connection {
    stream: DuplexStream,
    /// Set before the stream ends, where a request fails by the script.
    failure: Arc<OnceLock<Failure>>,
}

/// Connects to the script as to a server of that origin. It must be called on
/// the runtime that carries the exchange.
pub(super) fn connection(script: &Arc<dyn Script>, origin: &Origin) -> Connection {
    let (stream, other) = tokio::io::duplex(PIPE_BYTES);
    let failure = Arc::default();
    let server = Server {
        script: Arc::clone(script),
        origin: origin.to_string(),
        failure: Arc::clone(&failure),
    };
    tokio::spawn(async move {
        let service = service_fn(|request| server.serve(request));
        // It ends with the other side, or by a failure that is kept.
        let mut server = http1::Builder::new();
        // The response is what the script says and no more.
        server.auto_date_header(false);
        let _ended = server.serve_connection(TokioIo::new(other), service).await;
    });
    Connection { stream, failure }
}

struct Server {
    script: Arc<dyn Script>,
    origin: String,
    failure: Arc<OnceLock<Failure>>,
}

/// The connection is to end without a response.
#[derive(Debug, thiserror::Error)]
#[error("the request fails by the script")]
struct Fails;

impl Server {
    async fn serve(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Fails> {
        let (head, body) = request.into_parts();
        // It broke off: the other side knows why.
        let body = body.collect().await.map_err(|_| Fails)?.to_bytes();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let url = format!("{}{path}", self.origin);
        let asked = Asked { method: head.method, url, headers: head.headers, body };
        match self.script.answer(asked) {
            Ok(response) => Ok(response.map(Full::new)),
            Err(failure) => {
                let _only_here = self.failure.set(failure);
                Err(Fails)
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let ended = buffer.filled().len() == before;
        Poll::Ready(match self.failure.get() {
            Some(failure) if ended => Err(io::Error::other(failure.clone())),
            _ => read,
        })
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
