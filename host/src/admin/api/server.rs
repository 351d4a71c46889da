//! The server itself.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::App;
use crate::admin::auth::Actor;
use crate::admin::extract::{Body, Nothing, Parameters};
use crate::admin::perform;
use crate::admin::problem::Problem;
use crate::admin::views::StatusView;
use crate::telemetry;
use crate::telemetry::stats::Stats;

/// The server in short.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    tag = "server",
    responses((status = 200, description = "The server in short", body = StatusView))
)]
pub(super) async fn status(
    _: Parameters<Nothing>,
    State(app): State<App>,
) -> Result<Json<StatusView>, Problem> {
    Ok(Json(app.backend.status().await?))
}

/// What was counted since the start.
#[utoipa::path(
    get,
    path = "/api/v1/stats",
    tag = "server",
    responses((status = 200, description = "What was counted", body = Stats))
)]
pub(super) async fn stats(_: Parameters<Nothing>, State(app): State<App>) -> Json<Stats> {
    Json(app.backend.stats())
}

/// Which log lines are written.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogLevel {
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter such as
    /// `info,hookbox::ingress=debug`.
    level: String,
}

/// The filter of log lines that is in force.
#[utoipa::path(
    get,
    path = "/api/v1/log-level",
    tag = "server",
    responses((status = 200, description = "The filter", body = LogLevel))
)]
pub(super) async fn log_level(_: Parameters<Nothing>, State(app): State<App>) -> Json<LogLevel> {
    Json(LogLevel { level: app.backend.log_level() })
}

/// Puts another filter of log lines in force, until the server ends.
#[utoipa::path(
    put,
    path = "/api/v1/log-level",
    tag = "server",
    request_body = LogLevel,
    responses((status = 200, description = "The filter that is in force now", body = LogLevel))
)]
pub(super) async fn set_log_level(
    _: Parameters<Nothing>,
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Body(wanted): Body<LogLevel>,
) -> Result<Json<LogLevel>, Problem> {
    let level = perform::set_log_level(&app.backend, &actor, wanted.level).await?;
    Ok(Json(LogLevel { level }))
}

/// All metrics, in the text format of OpenMetrics, which Prometheus reads.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "server",
    responses((
        status = 200,
        description = "Metrics",
        body = String,
        content_type = "application/openmetrics-text"
    ))
)]
pub(super) async fn metrics(
    _: Parameters<Nothing>,
    State(app): State<App>,
) -> Result<Response, Problem> {
    let text = app.backend.metrics().await?;
    let mut response = text.into_response();
    let media_type = HeaderValue::from_static(telemetry::metrics::CONTENT_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    Ok(response)
}
