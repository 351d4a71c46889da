//! Which certificates of servers are trusted: those that the system trusts, and
//! those that the operator adds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::info;

use super::failure::{Failure, Kind};

/// Why the operator's certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file is missing, or no PEM (RFC 7468) with certificates.
    #[error("outbound.certificates: {path}: {error}; it must hold certificates in PEM")]
    File {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        error: pem::Error,
    },
    /// A certificate in it is none.
    #[error("outbound.certificates: {path}: {error}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        error: rustls::Error,
    },
    /// TLS itself cannot be set up.
    #[error("TLS for outgoing requests: {0}")]
    Setup(rustls::Error),
}

/// What TLS connections of plugins are checked by.
#[derive(Clone)]
pub struct Trust {
    /// None: there is no certificate to trust.
    connector: Option<TlsConnector>,
}

impl Trust {
    /// Reads the system's certificates (`SSL_CERT_FILE` and `SSL_CERT_DIR` say
    /// where else they are) and those of a file. Reads files, so it is not for
    /// threads that serve.
    ///
    /// # Errors
    /// See [`TrustError`]. A system without certificates is no error: where
    /// TLS is then needed it fails, and says so.
    pub fn read(certificates: Option<&Path>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        let (_, unusable) = roots.add_parsable_certificates(system.certs);
        if unusable > 0 {
            info!(unusable, "some of the system's certificates cannot be used for TLS");
        }
        if roots.is_empty() {
            let errors: Vec<String> = system.errors.iter().map(ToString::to_string).collect();
            info!(
                errors = errors.join("; "),
                "the system has no certificates to trust; set SSL_CERT_FILE or outbound.certificates where plugins send requests by https"
            );
        }
        Self::with(roots, certificates)
    }

    /// Trusts what is in a file and nothing else.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn only(certificates: Option<&Path>) -> Result<Self, TrustError> {
        Self::with(RootCertStore::empty(), certificates)
    }

    fn with(mut roots: RootCertStore, certificates: Option<&Path>) -> Result<Self, TrustError> {
        if let Some(path) = certificates {
            let own = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .and_then(
                    |own| if own.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(own) },
                )
                .map_err(|error| TrustError::File { path: path.to_owned(), error })?;
            for certificate in own {
                roots
                    .add(certificate)
                    .map_err(|error| TrustError::Certificate { path: path.to_owned(), error })?;
            }
        }
        if roots.is_empty() {
            return Ok(Self { connector: None });
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TrustError::Setup)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { connector: Some(TlsConnector::from(Arc::new(config))) })
    }

    /// For connections that are not plugins'. None: there is no certificate to
    /// trust.
    pub fn connector(&self) -> Option<TlsConnector> {
        self.connector.clone()
    }

    /// Speaks TLS on a connection.
    pub(super) async fn secure(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let fail =
            |certificate, message: String| Failure::new(Kind::TlsFailed { certificate }, message);
        let Some(connector) = &self.connector else {
            let message = "there is no certificate to trust, neither of the system's nor in \
                           outbound.certificates; SSL_CERT_FILE can name the system's";
            return Err(fail(true, message.to_owned()));
        };
        // A URL has brackets around addresses of IPv6; a dot at the end is for
        // resolvers only.
        let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|error| fail(false, format!("{host}: {error}")))?;
        connector.connect(name, stream).await.map_err(|error| {
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match tls {
                Some(rustls::Error::InvalidCertificate(why)) => fail(
                    true,
                    format!(
                        "{host}: the server's certificate is not accepted: {why:?}; \
                         outbound.certificates can name further authorities"
                    ),
                ),
                Some(error) => fail(false, format!("{host}: {error}")),
                None => fail(false, format!("{host}: {error}")),
            }
        })
    }
}
