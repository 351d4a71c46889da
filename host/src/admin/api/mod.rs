//! `/api/v1`: what programs and the dashboard ask for, and its description
//! (OpenAPI 3.1), which is made from the same lines as the routes.

mod dead;
mod deliveries;
mod describe;
mod events;
mod plugins;
mod review;
mod server;
mod stream;

use axum::Json;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::extract::{Nothing, Parameters};
use super::problem::Problem;
use crate::store::records::{Query, RequestError};

/// Items on a page where nothing else is asked for.
const LIMIT: u32 = 50;

fn limit() -> u32 {
    LIMIT
}

/// A time that may be given, in milliseconds since the Unix epoch. The
/// description says `int64`, and the journal keeps no later ones.
fn time_ms<'de, D: Deserializer<'de>>(given: D) -> Result<Option<u64>, D::Error> {
    match Option::<u64>::deserialize(given)? {
        Some(ms) if i64::try_from(ms).is_err() => {
            Err(D::Error::custom(format!("a time must be at most {} ms", i64::MAX)))
        }
        time => Ok(time),
    }
}

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(describe::beginning())
        .routes(routes!(events::list))
        .routes(routes!(events::one))
        .routes(routes!(events::reveal))
        .routes(routes!(events::replay))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::redrive))
        .routes(routes!(deliveries::discard))
        .routes(routes!(dead::list))
        .routes(routes!(dead::redrive))
        .routes(routes!(dead::discard))
        .routes(routes!(review::refusals))
        .routes(routes!(review::changes))
        .routes(routes!(plugins::list))
        .routes(routes!(plugins::one))
        .routes(routes!(plugins::pause))
        .routes(routes!(plugins::resume))
        .routes(routes!(plugins::forget))
        .routes(routes!(server::status))
        .routes(routes!(server::stats))
        .routes(routes!(server::log_level, server::set_log_level))
        .routes(routes!(server::metrics))
        .routes(routes!(stream::stream))
        .routes(routes!(described))
}

/// The description of the API.
pub fn document() -> OpenApi {
    let (_, document) = router().split_for_parts();
    describe::completed(document)
}

/// The description of the API itself.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "server",
    responses((status = 200, description = "This document", body = serde_json::Value))
)]
async fn described(_: Parameters<Nothing>) -> Json<OpenApi> {
    Json(document())
}

/// What the store answers.
async fn ask<T: DeserializeOwned>(app: &App, query: Query) -> Result<T, Problem> {
    let answer = app.backend.query(query).await.map_err(problem)?;
    serde_json::from_value(answer)
        .map_err(|error| RequestError::unavailable(format!("the journal's answer: {error}")).into())
}

/// Where a page begins is called `after` within the program.
fn problem(mut error: RequestError) -> Problem {
    error.message = error.message.replace("`after`", "`cursor`");
    error.into()
}
