//! What became of a trial, as it is shown: without values of secrets.

use hookbox_core::effects::{CalledBody, StateChange, StateValue};
use hookbox_core::outcome::{FailureKind, Outcome};
use serde::Serialize;

use super::state::Shown;
use super::{Sent, Tried};
use crate::telemetry::Redactor;

/// How a call ended, beside the codes of failures.
pub const HANDLED: &str = "handled";

/// A trial, as `--json` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct TriedView {
    /// `handled`, or the code of a failure.
    pub outcome: &'static str,
    /// Whose doing a failure was: `plugin`, `guest` or `host`.
    pub blame: Option<&'static str>,
    /// Why it failed.
    pub reason: Option<String>,
    /// Where the plugin asked to be called again after a time.
    pub retry_after_ms: Option<u64>,
    /// From entering the plugin's code to its end.
    pub duration_us: u64,
    /// Processor time.
    pub cpu_us: Option<u64>,
    /// The most bytes of all linear memories together.
    pub memory_bytes: u64,
    /// What it logged.
    pub log: Vec<LogLine>,
    /// What it changed in its state.
    pub changes: Vec<ChangeView>,
    /// The requests that it sent, in order.
    pub calls: Vec<SentView>,
}

/// A line of a call's log.
#[derive(Debug, Clone, Serialize)]
pub struct LogLine {
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// The line.
    pub text: String,
}

/// A change of one key.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeView {
    /// The key.
    pub key: String,
    /// `set`, `delete` or `add`.
    pub change: &'static str,
    /// The value that it has now.
    pub value: Option<Shown>,
    /// By how much it was counted up.
    pub by: Option<u64>,
}

/// A request.
#[derive(Debug, Clone, Serialize)]
pub struct SentView {
    /// Its method.
    pub method: String,
    /// Its URL; with the query where a script answered.
    pub url: String,
    /// Its header fields, where a script answered.
    pub headers: Vec<(String, String)>,
    /// Its body, as far as it was kept.
    pub body: Option<Shown>,
    /// Bytes of it.
    pub bytes: u64,
    /// Status of the response.
    pub status: Option<u16>,
    /// Code of a failure.
    pub code: Option<&'static str>,
    /// Why it failed.
    pub error: Option<String>,
    /// Body of the response, as far as it was kept.
    pub response: Option<Shown>,
    /// Bytes of it.
    pub response_bytes: u64,
    /// How long it took.
    pub duration_us: u64,
}

impl Tried {
    /// For people and programs.
    pub fn view(&self) -> TriedView {
        let attempt = &self.attempt;
        let (outcome, failure) = match &attempt.outcome {
            Outcome::Handled => (HANDLED, None),
            Outcome::Failed(failure) => (failure.kind.code(), Some(failure)),
        };
        let micros =
            |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let retry_after = failure.and_then(|failure| match failure.kind {
            FailureKind::RetryAfter(time) => u64::try_from(time.as_millis()).ok(),
            _ => None,
        });
        let lines = attempt.log.lines().zip(&attempt.log_levels);
        TriedView {
            outcome,
            blame: failure.map(|failure| failure.kind.blame().code()),
            reason: failure.map(|failure| failure.message.clone()),
            retry_after_ms: retry_after,
            duration_us: micros(attempt.duration),
            cpu_us: attempt.used.cpu.map(micros),
            memory_bytes: attempt.used.memory_bytes,
            log: lines.map(|(text, level)| line(text, *level)).collect(),
            changes: attempt.changes.iter().map(|change| self.change(change)).collect(),
            calls: self.sent.iter().map(|sent| sent.view(&self.redactor)).collect(),
        }
    }

    fn change(&self, StateChange { key, value }: &StateChange) -> ChangeView {
        let text = |text: &str| self.redactor.text(text).into_owned();
        let (change, by) = match value {
            StateValue::Set(_) => ("set", None),
            StateValue::Delete => ("delete", None),
            StateValue::Add { by, .. } => ("add", Some(*by)),
        };
        let shown = |value: &Vec<u8>| Shown::new(&self.redactor.bytes(value), str::to_owned);
        let value = self.state.get(key).map(shown);
        ChangeView { key: text(key), change, value, by }
    }
}

/// A record of `wasi:logging` begins with its level, which is shown beside it.
fn line(text: &str, level: tracing::Level) -> LogLine {
    let own = text.strip_prefix(level.as_str()).and_then(|rest| rest.strip_prefix(' '));
    let name = match level {
        tracing::Level::TRACE => "trace",
        tracing::Level::DEBUG => "debug",
        tracing::Level::INFO => "info",
        tracing::Level::WARN => "warn",
        tracing::Level::ERROR => "error",
    };
    LogLine { level: name, text: own.unwrap_or(text).to_owned() }
}

impl Sent {
    /// For people and programs.
    pub fn view(&self, redactor: &Redactor) -> SentView {
        let text = |text: &str| redactor.text(text).into_owned();
        let call = &self.call;
        let recorded =
            |body: &CalledBody| body.kept.as_deref().map(|kept| Shown::new(kept, str::to_owned));
        let url = self.asked.as_ref().map_or_else(|| call.url.clone(), |asked| text(&asked.url));
        let body = match &self.asked {
            Some(asked) if asked.body.is_empty() => None,
            Some(asked) => Some(Shown::new(&redactor.bytes(&asked.body), str::to_owned)),
            None => recorded(&call.request),
        };
        let headers = self.asked.iter().flat_map(|asked| &asked.headers);
        let headers = headers.map(|(name, value)| {
            (name.to_string(), text(&String::from_utf8_lossy(value.as_bytes())))
        });
        SentView {
            method: call.method.clone(),
            url,
            headers: headers.collect(),
            body,
            bytes: call.request.bytes,
            status: call.status,
            code: call.error.as_ref().map(|(code, _)| *code),
            error: call.error.as_ref().map(|(_, message)| message.clone()),
            response: recorded(&call.response),
            response_bytes: call.response.bytes,
            duration_us: u64::try_from(call.duration.as_micros()).unwrap_or(u64::MAX),
        }
    }
}
