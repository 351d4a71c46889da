//! Outgoing HTTP.
//!
//! Each origin has to be granted by the operator. Name one that is known when
//! the plugin is built by [`Want::Http`](crate::Want::Http) in
//! [`Plugin::wants`](crate::Plugin::wants); one that comes from a setting is
//! checked when it is called.
//!
//! ```
//! use hookbox_sdk::http::Request;
//! use hookbox_sdk::{Delivery, Event, Failure, Plugin, Want};
//!
//! struct Purge;
//! impl Plugin for Purge {
//!     fn wants() -> Vec<Want> {
//!         vec![Want::Http("https://cdn.example.com".into())]
//!     }
//!
//!     fn handle(event: Event, delivery: Delivery) -> Result<(), Failure> {
//!         Request::post("https://cdn.example.com/purge")
//!             .header("Content-Type", "application/json")
//!             .header("Idempotency-Key", delivery.id)
//!             .body(event.document)
//!             .send()?
//!             .success()?;
//!         Ok(())
//!     }
//! }
//!
//! # use hookbox_sdk::testing::{delivery, sample, Answer, FakeHost};
//! let host = FakeHost::new().answer(Answer::status(204));
//! assert_eq!(host.deliver::<Purge>(sample("edit_video"), delivery()), Ok(()));
//! assert_eq!(host.requests()[0].url, "https://cdn.example.com/purge");
//!
//! let host = FakeHost::new().answer(Answer::status(429).header("Retry-After", "7"));
//! let later = host.deliver::<Purge>(sample("edit_video"), delivery());
//! assert!(matches!(later, Err(Failure::RetryAfter(later)) if later.after_ms == 7_000));
//! ```
//!
//! A call that failed half-way may have reached the other side, and is tried
//! again: give it [`Delivery::id`](crate::Delivery::id) as its idempotency key.
//!
//! Redirects are not followed: an answer such as 301 is handed over as it is.

mod response;
mod url;

use std::time::Duration;

pub use response::Response;
pub(crate) use url::Target;

use crate::Failure;

/// A request's time where it does not set one.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest body of an answer where the request does not set it, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// A request, to be sent once.
///
/// Scheme, host and path are taken from the address as they are: what belongs
/// to a query has to be percent-encoded.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "it is not sent yet"]
pub struct Request {
    /// `POST` and the like.
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Duration,
    pub(crate) body_bytes_max: usize,
    /// Set where no header field says what the body is.
    content_type: Option<&'static str>,
    /// Why it cannot be sent.
    fault: Option<String>,
}

impl Request {
    /// A request of any method, written in capitals.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: TIMEOUT,
            body_bytes_max: BODY_BYTES_MAX,
            content_type: None,
            fault: None,
        }
    }

    /// A `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A `POST`.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// A `PUT`.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// A `PATCH`.
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new("PATCH", url)
    }

    /// A `DELETE`.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// Adds a header field. `Host` and `Content-Length` are set without being
    /// asked for; the host refuses those that belong to the connection.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body, which is empty at first.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.content_type = None;
        self.fault = None;
        self
    }

    /// Sets the body to a value, written as JSON, and `Content-Type` to
    /// `application/json` unless a header field says otherwise. Feature `json`.
    ///
    /// A value that cannot be written as JSON, such as a map whose keys are no
    /// text, makes [`Request::send`] fail with [`ErrorKind::Request`].
    ///
    /// ```
    /// use hookbox_sdk::http::Request;
    /// use hookbox_sdk::json::json;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Posted {
    ///     id: u64,
    /// }
    ///
    /// # use hookbox_sdk::testing::{Answer, FakeHost};
    /// # let host = FakeHost::new().answer(Answer::status(201).json(&json!({"id": 7})));
    /// let posted: Posted = Request::post("https://chat.example.com/messages")
    ///     .json(&json!({ "text": "A video is ready." }))
    ///     .send()?
    ///     .success()?
    ///     .json()?;
    /// # assert_eq!(posted.id, 7);
    /// # let sent = host.requests();
    /// # assert_eq!(sent[0].text(), r#"{"text":"A video is ready."}"#);
    /// # assert_eq!(sent[0].header("content-type"), Some("application/json"));
    /// # Ok::<(), hookbox_sdk::Failure>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self = self.body(body),
            Err(error) => {
                self.fault = Some(format!("the body cannot be written as JSON: {error}"));
            }
        }
        self.content_type = Some("application/json");
        self
    }

    /// Sets how long sending, waiting and reading the answer may take together:
    /// [`TIMEOUT`] at first. The call's own deadline holds besides.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many bytes the answer's body may have: [`BODY_BYTES_MAX`] at
    /// first.
    pub fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.body_bytes_max = bytes;
        self
    }

    /// Sends it, and reads the whole answer. Any status is an answer:
    /// [`Response::success`] tells good from bad.
    ///
    /// # Errors
    /// Where no whole answer came. `?` turns it into [`Failure::Retry`].
    pub fn send(mut self) -> Result<Response, Error> {
        let target = Target::of(&self.url)
            .map_err(|why| Error::new(ErrorKind::Request, "the address", why))?;
        if let Some((name, _)) = self.headers.iter().find(|(name, value)| !is_field(name, value)) {
            let why = format!("the header field {name:?} has characters that no field may have");
            return Err(Error::new(ErrorKind::Request, target.origin(), why));
        }
        if let Some(why) = self.fault {
            return Err(Error::new(ErrorKind::Request, target.origin(), why));
        }
        if let Some(content_type) = self.content_type.filter(|_| !self.has("content-type")) {
            self.headers.push(("Content-Type".to_owned(), content_type.to_owned()));
        }
        // Else the host sends the body in chunks, which not every service takes.
        if !self.body.is_empty() && !self.has("content-length") {
            self.headers.push(("Content-Length".to_owned(), self.body.len().to_string()));
        }
        crate::host::http::send(&self, &target)
    }

    fn has(&self, field: &str) -> bool {
        self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(field))
    }
}

/// Leaves out all that may be secret: the address, the values, the body.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Whether the field is one by RFC 9110, sections 5.1 and 5.5.
fn is_field(name: &str, value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_text = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    !name.is_empty() && name.bytes().all(is_token) && value.bytes().all(is_text)
}

/// What kept a request from a whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// It cannot be sent as it is: no address of HTTP, a bad header field.
    Request,
    /// The operator has not granted this origin, or not the network address
    /// that it has.
    Denied,
    /// It took too long.
    Timeout,
    /// No connection, or it broke: name resolution, TLS, refused, cut off.
    Connection,
    /// The answer's body is larger than it may be.
    BodyTooLarge,
    /// The other side did not speak HTTP, or something else went wrong.
    Protocol,
}

/// A request that got no whole answer.
///
/// Its text names the origin and never the rest of the address, which may be
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {detail}")]
pub struct Error {
    kind: ErrorKind,
    origin: String,
    detail: String,
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        origin: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self { kind, origin: origin.into(), detail: detail.into() }
    }

    pub(crate) fn denied(target: &Target) -> Self {
        let origin = target.origin();
        let detail = format!(
            "outgoing HTTP is not granted: the operator can grant {origin} by `http` in this \
             plugin's section of the configuration"
        );
        Self::new(ErrorKind::Denied, origin, detail)
    }

    pub(crate) fn timeout(target: &Target, timeout: Duration) -> Self {
        let detail = format!("no whole answer within {} ms", timeout.as_millis());
        Self::new(ErrorKind::Timeout, target.origin(), detail)
    }

    pub(crate) fn body_too_large(target: &Target, bytes_max: usize) -> Self {
        let detail = format!("the answer's body has more than {bytes_max} bytes");
        Self::new(ErrorKind::BodyTooLarge, target.origin(), detail)
    }

    /// What kept it from an answer.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// Tried again, whatever it was: connections mend, and so does the operator
/// grants and settings.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Retry(error.to_string())
    }
}

#[cfg(test)]
mod tests;
