//! The operators' address.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::connection::{self, Peer};
use crate::shutdown::Ending;

/// Connections at once; more wait. A browser opens up to six.
const CONNECTIONS_MAX: usize = 64;

/// For a TLS handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// For answers that are under way when the server ends.
const DRAIN: Duration = Duration::from_secs(2);

/// After an error that only time can mend, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until the server is ending; what is under way then is answered, for
/// two seconds at most.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    router: Router,
    mut ending: Ending,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = ending.begun() => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let acceptor = tls.as_ref().map(|tls| acceptor(&tls.borrow()));
                let (router, ending) = (router.clone(), ending.clone());
                connections.spawn(async move {
                    let _permit = permit;
                    connect(stream, peer, acceptor, router, ending).await;
                });
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                warn!(%error, "no operator's connection can be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _cut_off = tokio::time::timeout(DRAIN, drained).await;
}

/// HTTP/1.1 only.
fn acceptor(config: &ServerConfig) -> TlsAcceptor {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    ending: Ending,
) {
    let _only_slower = stream.set_nodelay(true);
    let who = Peer::Remote(peer.ip());
    let Some(acceptor) = acceptor else {
        return connection::serve(stream, who, router, true, ending).await;
    };
    match tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => connection::serve(stream, who, router, true, ending).await,
        Ok(Err(error)) => debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => debug!(%peer, "TLS handshake took too long"),
    }
}
