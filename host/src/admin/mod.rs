//! The operators' side of a running server: a socket in the data directory, for
//! the same user and nobody else, over which the command line asks and changes
//! what is in the journal.
//!
//! HTTP/1.1, one request for each connection:
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /v1/query` | [`Query`] | JSON, by the query |
//! | `POST /v1/operate` | [`Operation`] | [`Report`] of one step |
//! | `GET /v1/health` | – | [`Health`] |
//!
//! Every other answer is a problem document (RFC 9457) with a stable `code`.

pub mod client;
pub mod control;
mod socket;
pub mod sse;
pub mod views;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::socket::{Socket, SocketError};
use crate::store::Health;
use crate::store::records::{Operation, Query, Report, RequestError};

const QUERY: &str = "/v1/query";
const OPERATE: &str = "/v1/operate";
const HEALTH: &str = "/v1/health";

/// Bytes of a request's body. 500 ids take 20 KiB; values of a plugin's state,
/// as base64, take the most (`NewState::BYTES_MAX`).
const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of an answer. The largest is an event: a body of 64 MiB, which JSON can
/// double, and what plugins logged.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// From a connection to the end of its answer.
const EXCHANGE_MAX: Duration = Duration::from_secs(60);

/// What answers.
pub trait Backend: Send + Sync + 'static {
    /// Answers a question.
    fn query(&self, query: Query) -> impl Future<Output = Result<Value, RequestError>> + Send;

    /// Does one step of an operation.
    fn operate(
        &self,
        operation: Operation,
    ) -> impl Future<Output = Result<Report, RequestError>> + Send;

    /// Whether events can be kept.
    fn health(&self) -> Health;
}

/// RFC 9457, section 3.1, and `code`.
#[derive(Debug, Serialize, Deserialize)]
struct Problem {
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    code: String,
}

#[cfg(test)]
mod tests;
