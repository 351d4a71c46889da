//! What goes for every request before anyone is asked who they are: it must be
//! meant for this server, and not be sent by another site's page.
//!
//! A browser sends what any page tells it to, with the cookies of the server, to
//! loopback addresses too. Three things keep such pages out:
//!
//! - `Host`: a page whose name was changed to lead here ("DNS rebinding") is of
//!   the same origin for the browser. Its name is not one of ours.
//! - `Origin`: browsers say which page sends a request that is not a plain
//!   visit; it must be one of this server's.
//! - `Sec-Fetch-Site`: the same where a browser leaves `Origin` out, as it does
//!   where a page asks for an image or a script. Only a link that somebody
//!   follows may come from elsewhere.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    CACHE_CONTROL, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderMap, Method};

use super::problem::Problem;
use super::{App, EXCHANGE_MAX};

/// Which site's page sends the request (Fetch Metadata Request Headers).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How its answer is used: `navigate` where it becomes a page.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What its answer becomes: `document` is a page of its own, none within another.
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Refuses what is meant for others or sent by others.
pub(super) async fn origin(State(app): State<App>, request: Request, next: Next) -> Response {
    if let Some(access) = &app.access
        && let Err(detail) = check(request.method(), request.headers(), access.hosts())
    {
        return Problem::forbidden(detail).into_response();
    }
    next.run(request).await
}

fn check(method: &Method, headers: &HeaderMap, hosts: &[String]) -> Result<(), &'static str> {
    let mut named = headers.get_all(HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
        _ => None,
    };
    let host = host
        .filter(|host| !host.as_str().contains('@'))
        .ok_or("the request must have one valid `Host`")?;
    if !is_ours(host.host(), hosts) {
        return Err("this server is not called so: names for it stand in server.admin_hosts");
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        if !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_str())) {
            return Err("the request comes from another site's page: `Origin` is not `Host`");
        }
    }
    let is = |name: &HeaderName, value: &[u8]| {
        headers.get(name).is_some_and(|found| found.as_bytes() == value)
    };
    let from_elsewhere = headers.contains_key(SEC_FETCH_SITE)
        && !is(&SEC_FETCH_SITE, b"same-origin")
        && !is(&SEC_FETCH_SITE, b"none");
    let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let followed = safe && is(&SEC_FETCH_MODE, b"navigate") && is(&SEC_FETCH_DEST, b"document");
    if from_elsewhere && !followed {
        return Err("the request comes from another site's page: only links may lead here");
    }
    Ok(())
}

fn is_ours(host: &str, hosts: &[String]) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok()
        || hosts.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// Ends what takes too long. Of a stream this is only its beginning.
pub(super) async fn time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(EXCHANGE_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("it took too long").into_response(),
    }
}

/// Nothing is kept on the way, nothing is guessed from contents, and no other
/// site learns the address of what was looked at.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests;
