//! Plugins: what runs, and holding one up.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::App;
use crate::admin::auth::Actor;
use crate::admin::extract::{Name, Nothing, Parameters};
use crate::admin::perform;
use crate::admin::problem::Problem;
use crate::admin::views::PluginView;
use crate::store::records::{Operation, Report};

/// All plugins.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Plugins {
    /// By name.
    items: Vec<PluginView>,
}

/// All plugins that are known: those that are live, have a file, or are owed
/// something.
#[utoipa::path(
    get,
    path = "/api/v1/plugins",
    tag = "plugins",
    responses((status = 200, description = "All plugins", body = Plugins))
)]
pub(super) async fn list(
    _: Parameters<Nothing>,
    State(app): State<App>,
) -> Result<Json<Plugins>, Problem> {
    Ok(Json(Plugins { items: app.backend.plugins().await? }))
}

/// One plugin.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name")),
    responses((status = 200, description = "The plugin", body = PluginView))
)]
pub(super) async fn one(
    _: Parameters<Nothing>,
    State(app): State<App>,
    Name(name): Name,
) -> Result<Json<PluginView>, Problem> {
    let all = app.backend.plugins().await?;
    all.into_iter()
        .find(|plugin| plugin.name == name)
        .map(Json)
        .ok_or_else(|| Problem::not_found("there is no plugin of that name"))
}

/// The plugin gets no calls, over restarts too, until it is resumed; its events
/// wait.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/pause",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name")),
    responses((status = 200, description = "Whether that changed anything", body = Report))
)]
pub(super) async fn pause(
    _: Parameters<Nothing>,
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Name(plugin): Name,
) -> Result<Json<Report>, Problem> {
    let operation = Operation::Pause { plugin };
    Ok(Json(perform::operate(&app.backend, &actor, operation).await?))
}

/// The end of a pause.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/resume",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name")),
    responses((status = 200, description = "Whether that changed anything", body = Report))
)]
pub(super) async fn resume(
    _: Parameters<Nothing>,
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Name(plugin): Name,
) -> Result<Json<Report>, Problem> {
    let operation = Operation::Resume { plugin };
    Ok(Json(perform::operate(&app.backend, &actor, operation).await?))
}

/// All that is owed to a plugin whose file is gone is given up and discarded.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/forget",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name")),
    responses((status = 200, description = "How many deliveries that concerned", body = Report))
)]
pub(super) async fn forget(
    _: Parameters<Nothing>,
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Name(plugin): Name,
) -> Result<Json<Report>, Problem> {
    let mut operation = Operation::Forget { plugin, dry_run: false, after: None };
    let mut count = 0;
    // Each step changes at most 500, and each request lasts a minute at most.
    loop {
        let step = perform::operate(&app.backend, &actor, operation.clone()).await?;
        count += step.count;
        match step.next {
            Some(next) => operation = operation.resumed(next),
            None => return Ok(Json(Report { count, next: None })),
        }
    }
}
