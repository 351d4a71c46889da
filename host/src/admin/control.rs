//! The control socket: the API, and questions and operations as the command line
//! of the same version puts them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use http::StatusCode;
use rustix::process::geteuid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::warn;

use super::auth::Actor;
use super::connection::{self, Peer};
use super::problem::Problem;
use super::{Backend, HEALTH, OPERATE, QUERY, REQUEST_BYTES_MAX, Socket, extract, perform};
use crate::shutdown::Ending;
use crate::store::Health;
use crate::store::records::{Operation, Report};

/// Connections at once; more wait. Beside commands there are streams.
pub(super) const CONNECTIONS_MAX: usize = 32;

/// For answers that are under way when the server ends.
const DRAIN: Duration = Duration::from_secs(2);

/// After an error that only time can mend, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until the server is ending; what is under way then is answered, for
/// two seconds at most. One request for each connection.
pub(super) async fn serve(socket: Socket, router: Router, mut ending: Ending) {
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
                let (router, ending) = (router.clone(), ending.clone());
                connections.spawn(async move {
                    let _permit = permit;
                    connection::serve(stream, Peer::Local, router, false, ending).await;
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

/// What is on the socket only.
pub(super) fn router(backend: &Arc<dyn Backend>) -> Router {
    Router::new()
        .route(QUERY, post(query))
        .route(OPERATE, post(operate))
        .route(HEALTH, get(health))
        .with_state(Arc::clone(backend))
}

async fn query(
    State(backend): State<Arc<dyn Backend>>,
    request: Request,
) -> Result<Response, Problem> {
    Ok(Json(backend.query(body(request).await?).await?).into_response())
}

async fn operate(
    State(backend): State<Arc<dyn Backend>>,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Result<Json<Report>, Problem> {
    let operation: Operation = body(request).await?;
    Ok(Json(perform::operate(&backend, &actor, operation).await?))
}

async fn body<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let bytes = extract::read(request, REQUEST_BYTES_MAX).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem::invalid(format!("the body is no request: {error}")))
}

#[derive(Serialize)]
struct HealthBody {
    health: &'static str,
    since_ms: Option<u64>,
    error: Option<String>,
}

async fn health(State(backend): State<Arc<dyn Backend>>) -> Response {
    match backend.health() {
        Health::Good => {
            Json(HealthBody { health: "good", since_ms: None, error: None }).into_response()
        }
        Health::Failing { since_ms, error } => {
            let body =
                HealthBody { health: "failing", since_ms: Some(since_ms), error: Some(error) };
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}
