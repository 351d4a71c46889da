//! What browsers ask for: the dashboard, its files, and logging in and out.

use std::sync::LazyLock;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use hookbox_core::ids::Digest;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH,
    LOCATION, SET_COOKIE,
};
use http::{HeaderMap, StatusCode};
use tracing::warn;

use super::App;
use super::assets::{ASSETS, Asset, INDEX, LOGIN};
use super::auth::{Actor, Denied};
use super::connection::Peer;
use super::extract::{self, Name};
use super::perform::{self, Deed};
use super::problem::Problem;
use crate::store::records::ChangeKind;

/// Nothing but this server's own files, and no text of an event runs as a
/// script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// Bytes of a login form.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// By what a browser knows that a file is the same: its digest.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    ASSETS.iter().map(|asset| format!("\"{}\"", Digest::of(asset.bytes).short())).collect()
});

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/", get(dashboard))
        .route("/login", get(login).post(log_in))
        .route("/logout", post(log_out))
        .route("/assets/{name}", get(asset))
}

async fn dashboard(actor: Option<Extension<Actor>>) -> Response {
    match actor {
        Some(_) => page(INDEX),
        None => to("/login"),
    }
}

async fn login(State(app): State<App>) -> Response {
    match &app.access {
        Some(access) if access.asks() => page(LOGIN),
        _ => to("/"),
    }
}

async fn log_in(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Response, Problem> {
    let Some(access) = &app.access else { return Ok(to("/")) };
    let by_form = wants_page(request.headers());
    let body = extract::read(request, FORM_BYTES_MAX).await?;
    let token = url::form_urlencoded::parse(&body)
        .find(|(name, _)| name == "token")
        .map(|(_, token)| token.into_owned());
    let token = token.ok_or_else(|| Problem::invalid("the form has no field `token`"))?;
    let actor = match access.token(&token, peer) {
        Ok(actor) => actor,
        Err(Denied::Unknown) if by_form => return Ok(to("/login?error=wrong-token")),
        Err(_) if by_form => return Ok(to("/login?error=too-many")),
        Err(Denied::Unknown) => return Err(Problem::unauthorized("the token is wrong")),
        Err(denied) => return Err(denied.into()),
    };
    let cookie = access
        .open(&actor)
        .and_then(|cookie| HeaderValue::from_str(&cookie).ok())
        .ok_or_else(|| Problem::unavailable("the system has no random bytes"))?;
    let deed = Deed {
        kind: ChangeKind::LoggedIn,
        plugin: None,
        subject: None,
        text: "opened a session of the dashboard".to_owned(),
    };
    if let Err(error) = perform::note(&*app.backend, &actor, deed).await {
        warn!(%error, "that an operator logged in cannot be noted in the journal");
    }
    let mut response = to("/");
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

async fn log_out(State(app): State<App>, headers: HeaderMap) -> Response {
    let mut response = to("/login");
    if let Some(access) = &app.access
        && let Ok(cookie) = HeaderValue::from_str(&access.close(&headers))
    {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

async fn asset(Name(name): Name, headers: HeaderMap) -> Result<Response, Problem> {
    let found = ASSETS.iter().zip(TAGS.iter()).find(|(asset, _)| asset.name == name);
    let (Asset { media_type, bytes, .. }, tag) =
        found.ok_or_else(|| Problem::not_found("there is no such file"))?;
    let has = |value: &HeaderValue| value.as_bytes() == tag.as_bytes();
    let mut response = if headers.get_all(IF_NONE_MATCH).iter().any(has) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (*bytes).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    // Asked for each time, answered without its contents where it is the same.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}

/// Whether a browser would show the answer.
fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn page(text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    (headers, text).into_response()
}

/// See other: asked for by GET.
fn to(path: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, HeaderValue::from_static(path))]).into_response()
}
