//! HTTPS from a certificate and a key file, changed without restart.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};

use crate::config::Tls;

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, or no PEM (RFC 7468) of the right kind.
    #[error("{path}: {error}; it must hold {wanted} in PEM")]
    File {
        /// The file.
        path: PathBuf,
        /// What it must hold.
        wanted: &'static str,
        /// Why it does not.
        error: pem::Error,
    },
    /// They do not belong together, or are of an unknown kind.
    #[error("server.tls_certificate and server.tls_key: certificate and key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// Reads certificate and key.
///
/// # Errors
/// See [`TlsError`].
pub fn read(files: &Tls) -> Result<Arc<ServerConfig>, TlsError> {
    let fail = |path: &PathBuf, wanted| {
        let path = path.clone();
        move |error| TlsError::File { path, wanted, error }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(fail(&files.certificate, "a certificate chain, the server's own first"))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(fail(&files.key, "a private key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
