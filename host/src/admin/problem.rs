//! Refusals: problem documents (RFC 9457) with a stable `code`.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::records::RequestError;

/// The media type of problem documents.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was refused (RFC 9457, section 3.1, and `code`).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: the status and `code` say what it is.
    pub(super) r#type: String,
    /// The status in words.
    pub(super) title: String,
    /// The status code.
    pub(super) status: u16,
    /// For people: what is wrong, and what to do.
    pub(super) detail: String,
    /// For programs; stable: `not-found`, `invalid`, `unavailable`,
    /// `unauthorized`, `forbidden`, `method-not-allowed`, `too-large`, `too-many`.
    pub(super) code: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            r#type: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
        }
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, RequestError::INVALID, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, RequestError::NOT_FOUND, detail)
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, RequestError::UNAVAILABLE, detail)
    }

    pub(super) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(super) fn too_large(bytes_max: usize) -> Self {
        let detail = format!("the body has over {bytes_max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let status = match error.code.as_str() {
            RequestError::NOT_FOUND => StatusCode::NOT_FOUND,
            RequestError::INVALID => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, &error.code, error.message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        // Texts and a number can always be written.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        match status {
            // RFC 9110, section 11.6.1, and RFC 6750, section 3.
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static("Bearer realm=\"hookbox\"");
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// Bytes of a path that an answer quotes.
const PATH_BYTES_MAX: usize = 200;

pub(super) async fn no_such_path(uri: Uri) -> Problem {
    let path = uri.path();
    let path = path.get(..path.floor_char_boundary(PATH_BYTES_MAX)).unwrap_or_default();
    Problem::not_found(format!("there is no {path:?} here"))
}

pub(super) async fn method_not_allowed(method: Method) -> Problem {
    let detail = format!("this is not asked for by {method}; `Allow` says by what");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}
