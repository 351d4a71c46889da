//! What the operators' side knows of the server: this trait, and no more.

use std::pin::Pin;

use serde_json::Value;

use super::views::{PartView, PluginView, StatusView};
use crate::store::Health;
use crate::store::records::{Operation, Query, Report, RequestError};
use crate::telemetry::live::Live;
use crate::telemetry::stats::Stats;

/// What comes later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What answers. A trait object, so that handlers are not generic, which the
/// description of the API could not express.
pub trait Backend: Send + Sync + 'static {
    /// Answers a question.
    fn query(&self, query: Query) -> Answer<'_, Result<Value, RequestError>>;

    /// Does one step of an operation.
    fn operate(&self, operation: Operation) -> Answer<'_, Result<Report, RequestError>>;

    /// Whether events can be kept.
    fn health(&self) -> Health;

    /// The parts that must work for webhooks to be accepted.
    fn parts(&self) -> Answer<'_, Vec<PartView>>;

    /// All plugins that are known, by name.
    fn plugins(&self) -> Answer<'_, Result<Vec<PluginView>, RequestError>>;

    /// The server in short.
    fn status(&self) -> Answer<'_, Result<StatusView, RequestError>>;

    /// What was counted.
    fn stats(&self) -> Stats;

    /// The same for Prometheus, in its text format.
    fn metrics(&self) -> Answer<'_, Result<String, RequestError>>;

    /// Where what happens is told.
    fn live(&self) -> &Live;

    /// The filter of log lines that is in force.
    fn log_level(&self) -> String;

    /// Puts another one in force, until the server ends.
    ///
    /// # Errors
    /// Where it cannot be understood.
    fn set_log_level(&self, level: &str) -> Result<(), RequestError>;
}
