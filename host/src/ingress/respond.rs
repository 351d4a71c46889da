//! The one table from an answer to a status. Refusals are problem documents
//! (RFC 9457) of the type `about:blank`, with a stable `code` of ours.

use bytes::Bytes;
use hookbox_core::ids::EventId;
use hookbox_core::verify::Refusal;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode, Version};
use http_body_util::Full;
use serde::Serialize;

/// Seconds after which a sender should try again.
const RETRY_AFTER_S: &str = "5";

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Accepted.
    Accepted {
        /// The event's id.
        event_id: EventId,
        /// Whether the same body came before; then it is that one's id.
        duplicate: bool,
    },
    /// No such source, or no such path.
    UnknownSource,
    /// Not a POST.
    MethodNotAllowed,
    /// Too many bytes.
    BodyTooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// The body took too long to come.
    BodyTooSlow,
    /// The body broke off.
    BodyBroken,
    /// Not genuine, or not JSON.
    Refused(Refusal),
    /// No room; to be tried again.
    Busy,
    /// Too much is owed to plugins; to be tried again.
    Full,
    /// It cannot be made durable; to be tried again.
    Unwritable,
    /// The server is ending; to be tried again.
    Ending,
}

impl Answer {
    /// The status code (RFC 9110).
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Accepted { .. } => StatusCode::OK,
            Self::UnknownSource => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Refused(Refusal::SecretMissing | Refusal::SecretWrong) => {
                StatusCode::UNAUTHORIZED
            }
            Self::BodyBroken | Self::Refused(_) => StatusCode::BAD_REQUEST,
            Self::Busy | Self::Full | Self::Unwritable | Self::Ending => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::UnknownSource => "unknown-source",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::BodyTooLarge { .. } => "body-too-large",
            Self::BodyTooSlow => "body-too-slow",
            Self::BodyBroken => "body-broken",
            Self::Refused(refusal) => refusal.code(),
            Self::Busy => "busy",
            Self::Full => "too-much-owed",
            Self::Unwritable => "unwritable",
            Self::Ending => "ending",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Accepted { .. } => String::new(),
            Self::UnknownSource => {
                "there is no such source; webhooks go to /hooks/<source>".to_owned()
            }
            Self::MethodNotAllowed => "webhooks are sent by POST".to_owned(),
            Self::BodyTooLarge { bytes_max } => format!("the body has over {bytes_max} bytes"),
            Self::BodyTooSlow => "the body did not come in time".to_owned(),
            Self::BodyBroken => "the body broke off".to_owned(),
            Self::Refused(refusal) => refusal.to_string(),
            Self::Busy => "too many events wait; try again later".to_owned(),
            Self::Full => "too many events wait for plugins; try again later".to_owned(),
            Self::Unwritable => "events cannot be stored now; try again later".to_owned(),
            Self::Ending => "the server is ending; try again later".to_owned(),
        }
    }

    /// Whether the rest of the request may still be on its way, so that the
    /// connection is of no further use.
    fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge { .. } | Self::BodyTooSlow | Self::BodyBroken | Self::Ending
        )
    }
}

#[derive(Serialize)]
struct AcceptedBody {
    id: String,
    duplicate: bool,
}

/// RFC 9457, section 3.1, and `code`.
#[derive(Serialize)]
struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
}

/// The answer of `GET /healthz` and `GET /readyz`. It says no more than a
/// stranger may know.
pub(super) fn health(healthy: bool) -> Response<Full<Bytes>> {
    let (status, body) = if healthy {
        (StatusCode::OK, r#"{"status":"ok"}"#)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"failing"}"#)
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn response(answer: &Answer, version: Version) -> Response<Full<Bytes>> {
    let status = answer.status();
    let (media_type, body) = match answer {
        Answer::Accepted { event_id, duplicate } => {
            let body = AcceptedBody { id: event_id.to_string(), duplicate: *duplicate };
            ("application/json", serde_json::to_vec(&body))
        }
        refused => {
            let body = Problem {
                r#type: "about:blank",
                title: status.canonical_reason().unwrap_or_default(),
                status: status.as_u16(),
                detail: refused.detail(),
                code: refused.code(),
            };
            ("application/problem+json", serde_json::to_vec(&body))
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body.unwrap_or_default())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    match status {
        // RFC 9110, section 11.6.1 asks for a challenge. The vendor's scheme, a
        // member of the body, has no registered name.
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Body-Secret"));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        _ => {}
    }
    if answer.ends_connection() && version < Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
