//! The command line's side of the control socket: questions and operations, and
//! the API under `/api/v1`.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::problem::Problem;
use super::sse::{Parser, ServerEvent};
use super::{ANSWER_BYTES_MAX, EXCHANGE_MAX, OPERATE, QUERY, socket};
use crate::store::records::{Operation, Query, Report, RequestError};

/// Where a stream says nothing for so long, its server is gone: it ticks once a
/// second.
const SILENCE_MAX: Duration = Duration::from_secs(30);

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
        self.post(QUERY, query).await
    }

    /// Has one step of an operation done.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn operate(&self, operation: &Operation) -> Result<Report, ClientError> {
        serde_json::from_value(self.post(OPERATE, operation).await?).map_err(broken)
    }

    /// Gets a path with its query, such as `/api/v1/plugins`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Value, ClientError> {
        self.ask(Method::POST, path, json(body)?).await
    }

    /// Puts JSON.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn put(&self, path: &str, body: &impl Serialize) -> Result<Value, ClientError> {
        self.ask(Method::PUT, path, json(body)?).await
    }

    /// Opens a stream of server-sent events.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn stream(&self, path: &str) -> Result<Stream, ClientError> {
        let connection = self.connect().await?;
        let opening = async {
            let (response, connection) =
                exchange(connection, Method::GET, path, Bytes::new()).await?;
            if response.status().is_success() {
                return Ok(Stream {
                    body: response.into_body(),
                    parser: Parser::default(),
                    read: VecDeque::new(),
                    _connection: connection,
                });
            }
            Err(refused(&whole(response).await?))
        };
        in_time(opening).await
    }

    async fn connect(&self) -> Result<tokio::net::UnixStream, ClientError> {
        let path = || socket::path(&self.data_dir);
        socket::connect(&self.data_dir)
            .await
            .map_err(|error| ClientError::Nobody { path: path(), error })
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Value, ClientError> {
        let stream = self.connect().await?;
        in_time(async {
            let (response, _connection) = exchange(stream, method, path, body).await?;
            let done = response.status().is_success();
            let bytes = whole(response).await?;
            if done { serde_json::from_slice(&bytes).map_err(broken) } else { Err(refused(&bytes)) }
        })
        .await
    }
}

/// Server-sent events as they come. The connection ends when it is dropped.
#[derive(Debug)]
pub struct Stream {
    body: Incoming,
    parser: Parser,
    read: VecDeque<ServerEvent>,
    _connection: Connection,
}

impl Stream {
    /// The next event. None: the server has ended it.
    ///
    /// # Errors
    /// [`ClientError::Broken`], also after half a minute of silence.
    pub async fn next(&mut self) -> Result<Option<ServerEvent>, ClientError> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Ok(Some(event));
            }
            let frame = tokio::time::timeout(SILENCE_MAX, self.body.frame())
                .await
                .map_err(|_| broken("it has said nothing for 30 s"))?;
            let Some(frame) = frame else { return Ok(None) };
            if let Ok(bytes) = frame.map_err(broken)?.into_data() {
                self.read.extend(self.parser.push(&bytes).map_err(broken)?);
            }
        }
    }
}

/// What reads and writes a connection, ended when it is dropped.
#[derive(Debug)]
struct Connection(JoinHandle<hyper::Result<()>>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn in_time<T>(
    exchange: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    tokio::time::timeout(EXCHANGE_MAX, exchange)
        .await
        .unwrap_or_else(|_| Err(ClientError::Broken("it took too long".to_owned())))
}

fn json(body: &impl Serialize) -> Result<Bytes, ClientError> {
    serde_json::to_vec(body).map(Bytes::from).map_err(broken)
}

async fn exchange(
    stream: tokio::net::UnixStream,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(Response<Incoming>, Connection), ClientError> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, HeaderValue::from_static("localhost"));
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let request = request.body(Full::new(body)).map_err(broken)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let connection = Connection(tokio::spawn(connection));
    let response = sender.send_request(request).await.map_err(broken)?;
    Ok((response, connection))
}

async fn whole(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let bytes = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    Ok(bytes.map_err(broken)?.to_bytes())
}

fn refused(bytes: &[u8]) -> ClientError {
    match serde_json::from_slice::<Problem>(bytes) {
        Ok(problem) => RequestError { code: problem.code, message: problem.detail }.into(),
        Err(error) => broken(error),
    }
}

fn broken(error: impl std::fmt::Display) -> ClientError {
    ClientError::Broken(error.to_string())
}

#[cfg(test)]
mod tests;
