//! `/healthz`: the process answers. `/readyz`: webhooks are accepted.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use http::StatusCode;
use serde::Serialize;

use super::App;
use super::auth::Actor;
use super::views::PartView;

#[derive(Serialize)]
struct Body {
    status: &'static str,
    /// For operators only: it names errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<PartView>>,
}

pub(super) fn router() -> Router<App> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready))
}

async fn alive() -> Response {
    Json(Body { status: "ok", parts: None }).into_response()
}

async fn ready(State(app): State<App>, actor: Option<Extension<Actor>>) -> Response {
    let parts = app.backend.parts().await;
    let good = parts.iter().all(|part| part.good);
    let (code, status) =
        if good { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "failing") };
    (code, Json(Body { status, parts: actor.map(|_| parts) })).into_response()
}
