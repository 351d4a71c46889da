//! Deliveries over all events, and one dead one owed again or given up.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::{ask, limit, time_ms};
use crate::admin::App;
use crate::admin::auth::Actor;
use crate::admin::extract::{Name, Nothing, Parameters};
use crate::admin::perform;
use crate::admin::problem::Problem;
use crate::store::records::State as Stands;
use crate::store::records::{DeliveryRecord, Filter, Operation, Page, Query, Report};

/// Which deliveries. All that is given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The plugin that it is for.
    #[param(required = false)]
    plugin: Option<String>,
    /// Where it stands.
    #[param(required = false)]
    state: Option<Stands>,
    /// The event's name, such as `sd_encoded`.
    #[param(required = false)]
    event: Option<String>,
    /// The event's source.
    #[param(required = false)]
    source: Option<String>,
    /// The event was received then or later.
    #[serde(default, deserialize_with = "time_ms")]
    #[param(required = false)]
    since_ms: Option<u64>,
    /// The event was received before then.
    #[serde(default, deserialize_with = "time_ms")]
    #[param(required = false)]
    until_ms: Option<u64>,
    /// Items on a page.
    #[serde(default = "limit")]
    #[param(required = false, minimum = 1, maximum = 1000, default = 50)]
    limit: u32,
    /// `next` of the page before.
    #[param(required = false)]
    cursor: Option<String>,
}

/// Deliveries, those of the newest event first.
#[utoipa::path(
    get,
    path = "/api/v1/deliveries",
    tag = "deliveries",
    params(Which),
    responses((status = 200, description = "A page of deliveries", body = Page<DeliveryRecord>))
)]
pub(super) async fn list(
    State(app): State<App>,
    Parameters(which): Parameters<Which>,
) -> Result<Json<Value>, Problem> {
    let filter = Filter {
        plugin: which.plugin,
        state: which.state,
        event: which.event,
        source: which.source,
        since_ms: which.since_ms,
        until_ms: which.until_ms,
        ..Filter::default()
    };
    ask(&app, Query::Deliveries { filter, limit: which.limit, after: which.cursor }).await.map(Json)
}

/// A dead delivery is owed again, with as many attempts as a fresh one.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/{id}/redrive",
    tag = "deliveries",
    params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 200, description = "How many it concerned", body = Report))
)]
pub(super) async fn redrive(
    _: Parameters<Nothing>,
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Name(id): Name,
) -> Result<Json<Report>, Problem> {
    let filter = Filter { ids: vec![id], ..Filter::default() };
    let operation = Operation::Redrive { filter, dry_run: false, after: None };
    Ok(Json(perform::operate(&app.backend, &actor, operation).await?))
}

/// A dead delivery is not wanted any more.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/{id}/discard",
    tag = "deliveries",
    params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 200, description = "How many it concerned", body = Report))
)]
pub(super) async fn discard(
    _: Parameters<Nothing>,
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Name(id): Name,
) -> Result<Json<Report>, Problem> {
    let filter = Filter { ids: vec![id], ..Filter::default() };
    let operation = Operation::Discard { filter, dry_run: false, after: None };
    Ok(Json(perform::operate(&app.backend, &actor, operation).await?))
}
