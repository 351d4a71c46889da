//! Refused requests, and what changed.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::{ask, limit, time_ms};
use crate::admin::App;
use crate::admin::extract::Parameters;
use crate::admin::problem::Problem;
use crate::store::records::{ChangeKind, ChangeRecord, Page, Query, RefusalRecord};

/// Which refused requests. All that is given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Refused {
    /// The source that it asked for.
    #[param(required = false)]
    source: Option<String>,
    /// The reason's code.
    #[param(required = false)]
    code: Option<String>,
    /// Then or later.
    #[serde(default, deserialize_with = "time_ms")]
    #[param(required = false)]
    since_ms: Option<u64>,
    /// Before then.
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

/// Webhooks that were refused, newest first, without their bodies.
#[utoipa::path(
    get,
    path = "/api/v1/refusals",
    tag = "review",
    params(Refused),
    responses((status = 200, description = "A page of refusals", body = Page<RefusalRecord>))
)]
pub(super) async fn refusals(
    State(app): State<App>,
    Parameters(which): Parameters<Refused>,
) -> Result<Json<Value>, Problem> {
    let Refused { source, code, since_ms, until_ms, limit, cursor: after } = which;
    ask(&app, Query::Refusals { source, code, since_ms, until_ms, limit, after }).await.map(Json)
}

/// Which changes. All that is given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Changed {
    /// The plugin that it concerns.
    #[param(required = false)]
    plugin: Option<String>,
    /// What kind.
    #[param(required = false)]
    kind: Option<ChangeKind>,
    /// Items on a page.
    #[serde(default = "limit")]
    #[param(required = false, minimum = 1, maximum = 1000, default = 50)]
    limit: u32,
    /// `next` of the page before.
    #[param(required = false)]
    cursor: Option<String>,
}

/// What changed, newest first: what runs, and what operators did.
#[utoipa::path(
    get,
    path = "/api/v1/changes",
    tag = "review",
    params(Changed),
    responses((status = 200, description = "A page of changes", body = Page<ChangeRecord>))
)]
pub(super) async fn changes(
    State(app): State<App>,
    Parameters(which): Parameters<Changed>,
) -> Result<Json<Value>, Problem> {
    let Changed { plugin, kind, limit, cursor: after } = which;
    ask(&app, Query::Changes { plugin, kind, limit, after }).await.map(Json)
}
