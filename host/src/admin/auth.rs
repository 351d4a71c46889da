//! Who an operator is: by a token, by a session that a token opened, or by being
//! on the server's machine.
//!
//! Invariants:
//! - Tokens and sessions are kept as digests and compared in constant time.
//! - What is wrong about a token is not said, and no log line holds one.

mod failures;
mod sessions;

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hookbox_core::verify::Secrets;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, StatusCode};
use tracing::warn;

use self::failures::Failures;
use self::sessions::Sessions;
use super::App;
use super::connection::Peer;
use super::problem::Problem;
use crate::config;

/// An operator's name in what is noted: that of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Actor(pub(super) String);

impl Actor {
    /// Whoever is on the machine.
    pub(super) fn local() -> Self {
        Self("local".to_owned())
    }
}

/// Who is let in over the network.
pub(super) struct Access {
    tokens: Option<Secrets>,
    hosts: Vec<String>,
    secure: bool,
    sessions: Sessions,
    failures: Failures,
}

/// Why someone is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// No token, or a wrong one, or a session that is over.
    Unknown,
    /// Too many wrong ones.
    TooMany,
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unknown => Self::unauthorized(
                "a token is needed: send `Authorization: Bearer <token>`, or log in at /login",
            ),
            Denied::TooMany => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many",
                "too many wrong tokens came from there; try again in a second",
            ),
        }
    }
}

impl Access {
    /// `secure`: whether it is HTTPS.
    pub(super) fn new(operators: &config::Operators, secure: bool) -> Self {
        Self {
            tokens: operators.tokens.clone(),
            hosts: operators.hosts.clone(),
            secure,
            sessions: Sessions::default(),
            failures: Failures::default(),
        }
    }

    /// Names of this server.
    pub(super) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// Whether a token is asked for.
    pub(super) fn asks(&self) -> bool {
        self.tokens.is_some()
    }

    /// Who has that token.
    pub(super) fn token(&self, token: &str, peer: Peer) -> Result<Actor, Denied> {
        let Some(tokens) = &self.tokens else { return Ok(Actor::local()) };
        let address = match peer {
            Peer::Remote(address) => address,
            Peer::Local => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        if !self.failures.may_try(address) {
            return Err(Denied::TooMany);
        }
        match tokens.matching(token) {
            Some(name) => Ok(Actor(name.to_owned())),
            None => {
                self.failures.note(address);
                warn!(peer = %address, "an operator's token is wrong");
                Err(Denied::Unknown)
            }
        }
    }

    /// Opens a session, and returns its cookie. None: the system has no random
    /// bytes.
    pub(super) fn open(&self, actor: &Actor) -> Option<String> {
        let id = self.sessions.open(actor)?;
        Some(self.cookie(&id, Sessions::AGE_MAX.as_secs()))
    }

    /// Ends the sessions that a request has, and returns the cookie's end.
    pub(super) fn close(&self, headers: &HeaderMap) -> String {
        cookies(headers).for_each(|id| self.sessions.close(id));
        self.cookie("", 0)
    }

    fn cookie(&self, id: &str, age_s: u64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{COOKIE_NAME}={id}; HttpOnly; SameSite=Strict; Path=/; Max-Age={age_s}{secure}")
    }

    fn who(&self, headers: &HeaderMap, peer: Peer) -> Result<Actor, Denied> {
        if let Some(given) = headers.get(AUTHORIZATION) {
            let token = given.to_str().ok().and_then(bearer).unwrap_or_default();
            return self.token(token, peer);
        }
        self.visitor(headers)
    }

    /// By a session alone.
    fn visitor(&self, headers: &HeaderMap) -> Result<Actor, Denied> {
        if self.tokens.is_none() {
            return Ok(Actor::local());
        }
        cookies(headers).find_map(|id| self.sessions.find(id)).ok_or(Denied::Unknown)
    }
}

/// The session's cookie.
const COOKIE_NAME: &str = "hookbox_session";

/// RFC 6750, section 2.1.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (name, id) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME).then_some(id)
    })
}

/// Whether a path is served to whoever asks. They decide themselves what they
/// show to whom.
fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/login" | "/logout" | "/healthz" | "/readyz")
        || path.starts_with("/assets/")
}

/// Finds out who it is, and keeps out who may not.
pub(super) async fn layer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::Local);
    let path = request.uri().path();
    let open = is_open(path);
    let who = match &app.access {
        None => Ok(Actor::local()),
        // There a token would be tried for nothing.
        Some(access) if open && path != "/readyz" => access.visitor(request.headers()),
        Some(access) => access.who(request.headers(), peer),
    };
    match who {
        Ok(actor) => {
            request.extensions_mut().insert(actor);
        }
        Err(_) if open => {}
        Err(denied) => return Problem::from(denied).into_response(),
    }
    next.run(request).await
}
