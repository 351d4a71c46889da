//! From a listener to requests: HTTP/1.1 and HTTP/2, in clear or over TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::connections::{Connection, Connections};
use super::{Limits, Receive};
use crate::shutdown::Ending;

/// Bytes of a request's head (HTTP/1) or header list (HTTP/2). hyper's least for
/// HTTP/1 is 8 KiB; senders of webhooks need less than one.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Header fields of a request.
const HEADERS_MAX: usize = 64;

/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 64;

/// After an error that only time can mend, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until the server is ending, then until each request under way is
/// answered, or the time for that is over.
///
/// `tls`: HTTPS with what is in it now; none is HTTP.
pub async fn serve<R: Receive>(
    listener: TcpListener,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    limits: Limits,
    receive: Arc<R>,
    mut ending: Ending,
) {
    let connections = Connections::new(limits.connections_max);
    let drain = limits.drain;
    let served = Served { receive, limits, tls, ending: ending.clone() };
    loop {
        let accepted = tokio::select! {
            () = ending.begun() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::select! {
                    () = ending.begun() => break,
                    () = connections.make_room() => {}
                }
                let connection = connections.open();
                tokio::spawn(served.clone().connection(stream, peer, connection));
            }
            // The peer is gone again already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                warn!(%error, open = connections.count(), "no connection can be accepted; raise the limit of open files, or lower server.connections_max");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let drained = async {
        while connections.count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(drain, drained).await.is_err() {
        warn!(
            open = connections.count(),
            "requests that took too long are cut off: server.drain_ms"
        );
    }
}

struct Served<R> {
    receive: Arc<R>,
    limits: Limits,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    ending: Ending,
}

impl<R> Clone for Served<R> {
    fn clone(&self) -> Self {
        Self {
            receive: Arc::clone(&self.receive),
            limits: self.limits.clone(),
            tls: self.tls.clone(),
            ending: self.ending.clone(),
        }
    }
}

impl<R: Receive> Served<R> {
    async fn connection(self, stream: TcpStream, peer: SocketAddr, connection: Arc<Connection>) {
        // Answers are small: without this they could wait for the peer's
        // acknowledgement of an earlier one.
        let _only_slower = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return self.http(stream, peer, connection).await;
        };
        let acceptor = TlsAcceptor::from(Arc::clone(&tls.borrow()));
        let handshake = tokio::select! {
            done = acceptor.accept(stream) => done,
            () = connection.unwanted(self.limits.header_timeout) => return,
        };
        match handshake {
            Ok(stream) => self.http(stream, peer, connection).await,
            Err(error) => debug!(%peer, %error, "TLS handshake failed"),
        }
    }

    async fn http<S>(mut self, stream: S, peer: SocketAddr, connection: Arc<Connection>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .max_concurrent_streams(STREAMS_MAX);
        let service = service_fn(|request| {
            let busy = connection.request();
            let handled =
                super::handle(Arc::clone(&self.receive), self.limits.clone(), peer, request);
            async move {
                let response = handled.await;
                drop(busy);
                response
            }
        });
        let mut http = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut ending = false;
        loop {
            tokio::select! {
                done = http.as_mut() => {
                    if let Err(error) = done {
                        debug!(%peer, %error, "connection ended");
                    }
                    return;
                }
                () = connection.unwanted(self.limits.header_timeout) => {
                    debug!(%peer, "connection closed: idle too long, or its place was needed");
                    return;
                }
                () = self.ending.begun(), if !ending => {
                    ending = true;
                    http.as_mut().graceful_shutdown();
                }
            }
        }
    }
}
