//! Requests to the collector: OTLP over HTTP/1.1, bodies in protobuf.
//!
//! The address is the operator's own, and is not judged as those of plugins
//! are. No proxy is used, and no redirect is followed.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::export::Export;
use crate::config;

/// Encodes spans and sends them.
///
/// `runtime`: carries the requests. `export`: told why one fails.
pub(super) fn exporter(
    settings: &config::Traces,
    endpoint: &str,
    runtime: Handle,
    tls: Option<TlsConnector>,
    export: &Arc<Export>,
) -> Result<SpanExporter, ExporterBuildError> {
    let timeout = Duration::from_millis(settings.timeout_ms);
    let collector = Collector {
        client: HyperClient::new(Connector { tls }, timeout, None),
        runtime,
        headers: settings.header_values.0.clone(),
        export: Arc::clone(export),
    };
    SpanExporter::builder()
        .with_http()
        .with_endpoint(endpoint)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(timeout)
        .with_headers(HashMap::new())
        .with_http_client(collector)
        .build()
}

/// Hands each request to the runtime, since who sends is a thread without one.
#[derive(Debug)]
struct Collector {
    client: HyperClient<Connector>,
    runtime: Handle,
    /// Marked as sensitive, so that none is ever shown.
    headers: HeaderMap,
    export: Arc<Export>,
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Collector {
    // As the macro of the trait's crate writes it.
    fn send_bytes<'client, 'sending>(
        &'client self,
        mut request: Request<Bytes>,
    ) -> Sending<'sending>
    where
        'client: 'sending,
        Self: 'sending,
    {
        request.headers_mut().extend(self.headers.clone());
        let client = self.client.clone();
        // The client has a timeout of its own, for all of the exchange.
        let sending = self.runtime.spawn(async move { client.send_bytes(request).await });
        Box::pin(async move {
            let answer = sending.await.unwrap_or_else(|error| Err(error.into()));
            match &answer {
                Ok(response) if !response.status().is_success() => {
                    self.export.set_reason(format!("the collector answered {}", response.status()));
                }
                Ok(_) => {}
                Err(error) => self.export.set_reason(chain(&**error)),
            }
            answer
        })
    }
}

/// An error with what it comes from.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// Makes connections.
#[derive(Clone)]
struct Connector {
    tls: Option<TlsConnector>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("tls", &self.tls.is_some()).finish()
    }
}

impl Connector {
    async fn connect(self, to: Uri) -> io::Result<TokioIo<Box<dyn Io>>> {
        let secure = to.scheme_str() == Some("https");
        let host = to.host().unwrap_or_default();
        // A URL has brackets around addresses of IPv6.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = to.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await?;
        let _set_or_slower = stream.set_nodelay(true);
        if !secure {
            return Ok(TokioIo::new(Box::new(stream)));
        }
        let tls = self.tls.ok_or_else(|| io::Error::other("there is no certificate to trust"))?;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(TokioIo::new(Box::new(tls.connect(name, stream).await?)))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Io>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        Box::pin(self.clone().connect(to))
    }
}

/// A connection, in clear or over TLS.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Connection for Box<dyn Io> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
