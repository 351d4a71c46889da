//! One request to a server's webhook listener, over HTTP or HTTPS.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// From the connection to the end of the answer. A server commits within it,
/// or answers that it cannot.
const EXCHANGE_MAX: Duration = Duration::from_secs(60);

/// Bytes of an answer; it has a few hundred.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {message}")]
pub(super) struct PostError {
    url: String,
    message: String,
    /// Nobody listens there.
    pub(super) nobody: bool,
}

/// The answer's status and body.
pub(super) async fn post(url: &url::Url, body: String) -> Result<(u16, Bytes), PostError> {
    let failed = |message: String, nobody| PostError { url: url.to_string(), message, nobody };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(failed("it has no host".to_owned(), false));
    };
    let plain_host = host.trim_start_matches('[').trim_end_matches(']');
    let sending = async {
        let stream = TcpStream::connect((plain_host, port))
            .await
            .map_err(|error| failed(error.to_string(), true))?;
        let answer = match url.scheme() {
            "http" => exchange(TokioIo::new(stream), url, body).await,
            "https" => {
                let stream = secured(stream, plain_host)
                    .await
                    .map_err(|error| failed(error.to_string(), false))?;
                exchange(TokioIo::new(stream), url, body).await
            }
            other => Err(format!("{other} is neither http nor https").into()),
        };
        answer.map_err(|error| failed(error.to_string(), false))
    };
    tokio::time::timeout(EXCHANGE_MAX, sending)
        .await
        .unwrap_or_else(|_| Err(failed("no answer within 60 s".to_owned(), false)))
}

/// Trusts what the system trusts; `SSL_CERT_FILE` names other certificates.
async fn secured(
    stream: TcpStream,
    host: &str,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn exchange<S: Read + Write + Unpin + Send + 'static>(
    stream: S,
    url: &url::Url,
    body: String,
) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let request = Request::post(path)
        .header(HOST, host)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(Full::new(Bytes::from(body)))?;
    let (mut sender, connection) = http1::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    connection.abort();
    Ok((status, body?.to_bytes()))
}
