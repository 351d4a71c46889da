//! Connections of one plugin.
//!
//! Invariants:
//! - A name is looked up once for each connection, each address is judged by
//!   itself, and the connection is made to exactly an address that was judged:
//!   nothing is looked up in between.
//! - No connection is made to an origin that is not granted, be it to a script.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hookbox_core::grants::{AddressRule, Origin, Scheme, forbidden};
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;
use tower_service::Service;
use url::Host;

use super::failure::{Failure, Kind, Stage};
use super::resolve::Resolve;
use super::script::{self, Script};
use super::trust::Trust;
use crate::config::HttpGrant;

/// Lookups of one plugin at once. Each can hold a thread for as long as the
/// system's resolver waits for an answer, even when nobody wants it any more.
const LOOKUPS_MAX: usize = 8;

/// Addresses of a name that are looked at.
const ADDRESSES_MAX: usize = 32;

/// The address that a connection was made to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote(pub(super) IpAddr);

/// What connections are made of.
#[derive(Clone)]
pub(super) enum Via {
    /// What names lead to, and whose certificates are believed.
    Network { resolver: Arc<dyn Resolve>, trust: Trust },
    /// Something that stands in for all servers. No address is looked up.
    Script(Arc<dyn Script>),
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector(Arc<Parts>);

pub(super) struct Parts {
    /// For messages.
    pub(super) plugin: String,
    pub(super) grants: Vec<HttpGrant>,
    pub(super) via: Via,
    pub(super) timeout: Duration,
    pub(super) lookups: Arc<Semaphore>,
    /// Of all plugins together.
    pub(super) all_lookups: Arc<Semaphore>,
}

impl Parts {
    pub(super) fn lookups() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(LOOKUPS_MAX))
    }

    async fn connect(&self, to: Uri) -> Result<Stream, Failure> {
        let (grant, host) = self.grant(&to)?;
        let (resolver, trust) = match &self.via {
            Via::Network { resolver, trust } => (resolver, trust),
            Via::Script(script) => {
                let io = Io::Script(script::connection(script, &grant.origin));
                return Ok(TokioIo::new(Checked { io, address: None }));
            }
        };
        let limit = Instant::now() + self.timeout;
        let late = || {
            let message = format!(
                "no connection to {} within {} ms: outbound.connect_timeout_ms",
                grant.origin,
                self.timeout.as_millis()
            );
            Failure::new(Kind::Timeout(Stage::Connecting), message)
        };
        let found = timeout_at(limit, self.find(resolver, grant)).await.map_err(|_| late())??;
        let addresses = self.allowed(grant, &found)?;
        let (stream, address) = self.reach(grant, &addresses, limit).await?;
        // A request goes out in few pieces, and each waits for an answer.
        let _set_or_slower = stream.set_nodelay(true);
        let io = match grant.origin.scheme() {
            Scheme::Http => Io::Plain(stream),
            Scheme::Https => {
                let secured = timeout_at(limit, trust.secure(&host, stream));
                Io::Tls(Box::new(secured.await.map_err(|_| late())??))
            }
        };
        Ok(TokioIo::new(Checked { io, address: Some(address) }))
    }

    /// The grant of where a request goes.
    fn grant(&self, to: &Uri) -> Result<(&HttpGrant, String), Failure> {
        let scheme = match to.scheme_str() {
            Some("http") => Some(Scheme::Http),
            Some("https") => Some(Scheme::Https),
            _ => None,
        };
        let origin = scheme
            .zip(to.authority())
            .and_then(|(scheme, authority)| Origin::of_authority(scheme, authority.as_str()).ok());
        let grant = self.grants.iter().find(|grant| Some(&grant.origin) == origin.as_ref());
        let grant = grant.ok_or_else(|| {
            let message = format!("it is not granted: plugin.{}.http", self.plugin);
            Failure::new(Kind::NotGranted, message)
        })?;
        Ok((grant, grant.origin.host().to_string()))
    }

    async fn find(
        &self,
        resolver: &Arc<dyn Resolve>,
        grant: &HttpGrant,
    ) -> Result<Vec<IpAddr>, Failure> {
        let name = match grant.origin.host() {
            Host::Ipv4(address) => return Ok(vec![(*address).into()]),
            Host::Ipv6(address) => return Ok(vec![(*address).into()]),
            Host::Domain(name) => name,
        };
        let fail = |why: String| Failure::new(Kind::DnsFailed, format!("{name}: {why}"));
        let turn = Arc::clone(&self.lookups).acquire_owned().await;
        let turn = turn.map_err(|error| fail(error.to_string()))?;
        let of_all = Arc::clone(&self.all_lookups).acquire_owned().await;
        let of_all = of_all.map_err(|error| fail(error.to_string()))?;
        let looking = resolver.resolve(name);
        // Nobody can call a lookup back, so its turn ends when it does.
        let looking = tokio::spawn(async move {
            let found = looking.await;
            drop((turn, of_all));
            found
        });
        let found = match looking.await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return Err(fail(error.to_string())),
            Err(_) => return Err(fail("the lookup broke off".to_owned())),
        };
        if found.is_empty() {
            return Err(fail("it has no address".to_owned()));
        }
        Ok(found)
    }

    /// Those of the addresses that may be used.
    fn allowed(&self, grant: &HttpGrant, found: &[IpAddr]) -> Result<Vec<IpAddr>, Failure> {
        let rule = |address: IpAddr| match grant.addresses.contains(address) {
            true => None,
            false => forbidden(address),
        };
        let found = || found.iter().copied().take(ADDRESSES_MAX);
        let allowed: Vec<IpAddr> = found().filter(|address| rule(*address).is_none()).collect();
        if !allowed.is_empty() {
            return Ok(allowed);
        }
        let refused = found().find_map(|address| Some((address, rule(address)?)));
        let (leads, rule) = match refused {
            Some((address, rule)) => (format!("leads to {address}"), rule),
            None => ("leads nowhere".to_owned(), AddressRule::Reserved),
        };
        let message =
            format!("{} {leads}; plugin.{}.http addresses", grant.origin.host(), self.plugin);
        Err(Failure::new(Kind::AddressForbidden(rule), message))
    }

    /// Tries addresses one after another. Each may take its share of the time
    /// that is left.
    async fn reach(
        &self,
        grant: &HttpGrant,
        addresses: &[IpAddr],
        limit: Instant,
    ) -> Result<(TcpStream, IpAddr), Failure> {
        let mut last = None;
        for (tried, address) in addresses.iter().enumerate() {
            let left = limit.saturating_duration_since(Instant::now());
            let shares = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            let share = Instant::now() + left / shares;
            let to = SocketAddr::new(*address, grant.origin.port());
            match timeout_at(share, TcpStream::connect(to)).await {
                Ok(Ok(stream)) => return Ok((stream, *address)),
                Ok(Err(error)) => {
                    let message = format!("{}: {to}: {error}", grant.origin);
                    last = Some(Failure::new(Kind::ConnectFailed, message));
                }
                Err(_) => {
                    let message = format!(
                        "{}: {to}: no answer in time: outbound.connect_timeout_ms is {}",
                        grant.origin,
                        self.timeout.as_millis()
                    );
                    last = Some(Failure::new(Kind::Timeout(Stage::Connecting), message));
                }
            }
        }
        Err(last.unwrap_or_else(|| Failure::new(Kind::ConnectFailed, "no address was tried")))
    }
}

impl Connector {
    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let parts = Arc::clone(&self.0);
        Box::pin(async move { parts.connect(to).await })
    }
}

/// A connection, as hyper wants it.
pub(super) type Stream = TokioIo<Checked>;

/// A connection to an address that was judged.
pub(super) struct Checked {
    io: Io,
    /// None: it leads to a script.
    address: Option<IpAddr>,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Script(script::Connection),
}

impl Connection for Checked {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        match self.address {
            Some(address) => connected.extra(Remote(address)),
            None => connected,
        }
    }
}

impl AsyncRead for Checked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Io::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Io::Script(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Checked {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Io::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Io::Script(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Io::Script(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Script(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
