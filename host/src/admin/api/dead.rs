//! Dead letters: lists, and many at once owed again or given up.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{ask, limit, problem, time_ms};
use crate::admin::App;
use crate::admin::auth::Actor;
use crate::admin::extract::{Body, Nothing, Parameters};
use crate::admin::perform;
use crate::admin::problem::Problem;
use crate::store::records::State as Stands;
use crate::store::records::{DeadLetter, Filter, Operation, Page, Query, Report};

/// Which dead letters. All that is given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The plugin that it was for.
    #[param(required = false)]
    plugin: Option<String>,
    /// The event's name, such as `sd_encoded`.
    #[param(required = false)]
    event: Option<String>,
    /// The event's source.
    #[param(required = false)]
    source: Option<String>,
    /// `discarded`: those instead.
    #[param(required = false, inline)]
    state: Option<Given>,
    /// It died then or later.
    #[serde(default, deserialize_with = "time_ms")]
    #[param(required = false)]
    since_ms: Option<u64>,
    /// It died before then.
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

/// What became of a dead letter.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Given {
    /// It waits for an operator.
    Dead,
    /// The operator does not want it.
    Discarded,
}

/// Dead letters, newest first; without `state` those that were not discarded.
#[utoipa::path(
    get,
    path = "/api/v1/dead",
    tag = "deliveries",
    params(Which),
    responses((status = 200, description = "A page of dead letters", body = Page<DeadLetter>))
)]
pub(super) async fn list(
    State(app): State<App>,
    Parameters(which): Parameters<Which>,
) -> Result<Json<Value>, Problem> {
    let filter = Filter {
        plugin: which.plugin,
        event: which.event,
        source: which.source,
        state: which.state.map(|state| match state {
            Given::Dead => Stands::Dead,
            Given::Discarded => Stands::Discarded,
        }),
        since_ms: which.since_ms,
        until_ms: which.until_ms,
        ..Filter::default()
    };
    ask(&app, Query::Dead { filter, limit: which.limit, after: which.cursor }).await.map(Json)
}

/// Which dead letters an operation is about: all that is given must hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Selection {
    /// The plugin that it was for.
    #[serde(default)]
    plugin: Option<String>,
    /// The event's name, such as `sd_encoded`.
    #[serde(default)]
    event: Option<String>,
    /// The event's source.
    #[serde(default)]
    source: Option<String>,
    /// It died then or later.
    #[serde(default, deserialize_with = "time_ms")]
    since_ms: Option<u64>,
    /// It died before then.
    #[serde(default, deserialize_with = "time_ms")]
    until_ms: Option<u64>,
    /// Needed where nothing else is given: all of them.
    #[serde(default)]
    all: bool,
    /// Count only.
    #[serde(default)]
    dry_run: bool,
    /// `next` of the answer before.
    #[serde(default)]
    cursor: Option<String>,
}

impl Selection {
    fn filter(&self) -> Result<Filter, Problem> {
        let filter = Filter {
            plugin: self.plugin.clone(),
            event: self.event.clone(),
            source: self.source.clone(),
            since_ms: self.since_ms,
            until_ms: self.until_ms,
            ..Filter::default()
        };
        if filter.is_everything() && !self.all {
            let detail = "it must say which: give `plugin`, `event`, `source`, `since_ms` or \
                          `until_ms`, or `\"all\": true`";
            return Err(Problem::invalid(detail));
        }
        Ok(filter)
    }
}

/// Dead letters are owed again. In steps: where `next` is set, ask again with it
/// as `cursor`.
#[utoipa::path(
    post,
    path = "/api/v1/dead/redrive",
    tag = "deliveries",
    request_body = Selection,
    responses((status = 200, description = "How many this step concerned", body = Report))
)]
pub(super) async fn redrive(
    _: Parameters<Nothing>,
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Body(selection): Body<Selection>,
) -> Result<Json<Report>, Problem> {
    let filter = selection.filter()?;
    let Selection { dry_run, cursor: after, .. } = selection;
    let operation = Operation::Redrive { filter, dry_run, after };
    Ok(Json(perform::operate(&app.backend, &actor, operation).await.map_err(problem)?))
}

/// Dead letters are not wanted any more. In steps: where `next` is set, ask
/// again with it as `cursor`.
#[utoipa::path(
    post,
    path = "/api/v1/dead/discard",
    tag = "deliveries",
    request_body = Selection,
    responses((status = 200, description = "How many this step concerned", body = Report))
)]
pub(super) async fn discard(
    _: Parameters<Nothing>,
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Body(selection): Body<Selection>,
) -> Result<Json<Report>, Problem> {
    let filter = selection.filter()?;
    let Selection { dry_run, cursor: after, .. } = selection;
    let operation = Operation::Discard { filter, dry_run, after };
    Ok(Json(perform::operate(&app.backend, &actor, operation).await.map_err(problem)?))
}
