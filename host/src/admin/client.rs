//! The command line's side of the control socket.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::Value;

use super::problem::Problem;
use super::{ANSWER_BYTES_MAX, EXCHANGE_MAX, OPERATE, QUERY, socket};
use crate::store::records::{Operation, Query, Report, RequestError};

/// The server of a data directory.
#[derive(Debug, Clone)]
pub struct Client {
    data_dir: PathBuf,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("{}: {error}", .path.display())]
    Nobody {
        /// The socket.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The server says so.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It broke off, or is no answer.
    #[error(
        "the server's answer did not come or cannot be read ({0}); what was asked for may have been done"
    )]
    Broken(String),
}

impl Client {
    /// Whoever has the lock of that directory.
    pub fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned() }
    }

    /// Whether anyone listens.
    ///
    /// # Errors
    /// [`ClientError::Nobody`]
    pub async fn check(&self) -> Result<(), ClientError> {
        self.connect().await.map(drop)
    }

    /// Asks a question.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn query(&self, query: &Query) -> Result<Value, ClientError> {
        self.ask(QUERY, query).await
    }

    /// Has one step of an operation done.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn operate(&self, operation: &Operation) -> Result<Report, ClientError> {
        serde_json::from_value(self.ask(OPERATE, operation).await?).map_err(broken)
    }

    async fn connect(&self) -> Result<tokio::net::UnixStream, ClientError> {
        let path = || socket::path(&self.data_dir);
        socket::connect(&self.data_dir)
            .await
            .map_err(|error| ClientError::Nobody { path: path(), error })
    }

    async fn ask(&self, path: &str, body: &impl Serialize) -> Result<Value, ClientError> {
        let stream = self.connect().await?;
        tokio::time::timeout(EXCHANGE_MAX, exchange(stream, path, body))
            .await
            .unwrap_or_else(|_| Err(ClientError::Broken("it took too long".to_owned())))
    }
}

async fn exchange(
    stream: tokio::net::UnixStream,
    path: &str,
    body: &impl Serialize,
) -> Result<Value, ClientError> {
    let body = serde_json::to_vec(body).map_err(broken)?;
    let request = Request::post(path)
        .header(HOST, HeaderValue::from_static("hookbox"))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(Full::new(Bytes::from(body)))
        .map_err(broken)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends with the answer, since the server closes after one.
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    let bytes = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    connection.abort();
    let bytes = bytes.map_err(broken)?.to_bytes();
    if status == StatusCode::OK {
        return serde_json::from_slice(&bytes).map_err(broken);
    }
    let problem: Problem = serde_json::from_slice(&bytes).map_err(broken)?;
    Err(RequestError { code: problem.code, message: problem.detail }.into())
}

fn broken(error: impl std::fmt::Display) -> ClientError {
    ClientError::Broken(error.to_string())
}
