//! The server's side of the control socket.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::geteuid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::{Backend, EXCHANGE_MAX, HEALTH, OPERATE, Problem, QUERY, REQUEST_BYTES_MAX, Socket};
use crate::shutdown::Ending;
use crate::store::Health;
use crate::store::records::RequestError;

/// Connections at once; more wait.
pub(super) const CONNECTIONS_MAX: usize = 16;

/// For a request's head, and again for its body.
const READ_MAX: Duration = Duration::from_secs(5);

/// Bytes of a request's head: hyper's least.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Header fields of a request.
const HEADERS_MAX: usize = 32;

/// For answers that are under way when the server ends.
const DRAIN: Duration = Duration::from_secs(2);

/// After an error that only time can mend, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until the server is ending; what is under way then is answered, for
/// two seconds at most.
pub async fn serve<B: Backend>(socket: Socket, backend: Arc<B>, mut ending: Ending) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, socket.listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = ending.begun() => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) if is_ours(&stream) => {
                let backend = Arc::clone(&backend);
                connections.spawn(async move {
                    let _permit = permit;
                    if tokio::time::timeout(EXCHANGE_MAX, exchange(stream, backend)).await.is_err()
                    {
                        warn!("an operator's request took too long and was cut off");
                    }
                });
            }
            Ok(_) => warn!("another user's process tried the control socket"),
            Err(error) => {
                warn!(%error, "the control socket accepts no connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(socket);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _cut_off = tokio::time::timeout(DRAIN, drained).await;
}

/// The socket's mode lets nobody else in already.
fn is_ours(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == geteuid().as_raw())
}

async fn exchange<B: Backend>(stream: UnixStream, backend: Arc<B>) {
    let service = service_fn(|request| handle(Arc::clone(&backend), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        debug!(%error, "an operator's connection ended");
    }
}

async fn handle<B: Backend>(
    backend: Arc<B>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let method = match request.uri().path() {
        QUERY | OPERATE => Method::POST,
        HEALTH => Method::GET,
        path => {
            let error = RequestError::not_found(format!("there is no {path:?} here"));
            return Ok(refusal(&error, status(&error)));
        }
    };
    if *request.method() != method {
        let error = RequestError::invalid(format!("this is asked for by {method}"));
        let mut response = refusal(&error, StatusCode::METHOD_NOT_ALLOWED);
        if let Ok(allowed) = HeaderValue::from_str(method.as_str()) {
            response.headers_mut().insert(ALLOW, allowed);
        }
        return Ok(response);
    }
    let answer = match request.uri().path() {
        QUERY => match body(request).await {
            Ok(query) => backend.query(query).await.map(|answer| json(&answer, StatusCode::OK)),
            Err(error) => Err(error),
        },
        OPERATE => match body(request).await {
            Ok(operation) => {
                backend.operate(operation).await.map(|report| json(&report, StatusCode::OK))
            }
            Err(error) => Err(error),
        },
        _ => Ok(health(backend.health())),
    };
    Ok(answer.unwrap_or_else(|error| refusal(&error, status(&error))))
}

async fn body<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, RequestError> {
    let reading = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect();
    let bytes = match tokio::time::timeout(READ_MAX, reading).await {
        Ok(Ok(bytes)) => bytes.to_bytes(),
        Ok(Err(error)) => return Err(RequestError::invalid(format!("the body: {error}"))),
        Err(_) => return Err(RequestError::invalid("the body did not come in time")),
    };
    serde_json::from_slice(&bytes)
        .map_err(|error| RequestError::invalid(format!("the body is no request: {error}")))
}

#[derive(Serialize)]
struct HealthBody {
    health: &'static str,
    since_ms: Option<u64>,
    error: Option<String>,
}

fn health(health: Health) -> Response<Full<Bytes>> {
    match health {
        Health::Good => {
            json(&HealthBody { health: "good", since_ms: None, error: None }, StatusCode::OK)
        }
        Health::Failing { since_ms, error } => {
            let body =
                HealthBody { health: "failing", since_ms: Some(since_ms), error: Some(error) };
            json(&body, StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

fn status(error: &RequestError) -> StatusCode {
    match error.code.as_str() {
        RequestError::NOT_FOUND => StatusCode::NOT_FOUND,
        RequestError::INVALID => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn refusal(error: &RequestError, status: StatusCode) -> Response<Full<Bytes>> {
    let problem = Problem {
        r#type: "about:blank".to_owned(),
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        detail: error.message.clone(),
        code: error.code.clone(),
    };
    response(&problem, status, "application/problem+json")
}

fn json(value: &impl Serialize, status: StatusCode) -> Response<Full<Bytes>> {
    response(value, status, "application/json")
}

fn response(
    value: &impl Serialize,
    status: StatusCode,
    media_type: &'static str,
) -> Response<Full<Bytes>> {
    // None of these types can fail to be written.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
