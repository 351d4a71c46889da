//! Answers that stand in for servers, and what was asked of them.
//!
//! A request gets the first answer that fits it and was not given yet. One that
//! fits none fails, and is kept by name.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hookbox_core::grants::AddressRule;
use http::{HeaderMap, Response, StatusCode};

use crate::outbound::failure::{Failure, Kind, Stage};
use crate::outbound::script::{Asked, Script};
use crate::telemetry::Redactor;

/// An answer, and to what.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Only to this method.
    pub method: Option<String>,
    /// Only to this URL; where it has no query, whatever the query is.
    pub url: Option<String>,
    /// To all requests that it fits, and not to one.
    pub repeat: bool,
    /// The response, or how the request fails.
    pub gives: Gives,
}

/// What a request gets.
#[derive(Debug, Clone)]
pub enum Gives {
    /// A response.
    Response {
        /// Its status.
        status: StatusCode,
        /// Its header fields.
        headers: HeaderMap,
        /// Its body.
        body: Bytes,
    },
    /// A failure.
    Failure(Kind),
}

/// How a scripted request can fail: the codes that records have too.
pub const FAILURES: [(&str, Kind); 9] = [
    ("timeout", Kind::Timeout(Stage::Waiting)),
    ("denied", Kind::NotGranted),
    ("not-granted", Kind::NotGranted),
    ("method-not-granted", Kind::MethodNotGranted),
    ("address-forbidden", Kind::AddressForbidden(AddressRule::Private)),
    ("connect-failed", Kind::ConnectFailed),
    ("dns-failed", Kind::DnsFailed),
    ("tls-failed", Kind::TlsFailed { certificate: true }),
    ("broken", Kind::Broken),
];

/// The answers of one trial.
pub struct Answers {
    // Shared by connections, each of which is a task.
    state: Mutex<State>,
}

struct State {
    /// For URLs as secrets are shown in them, which those of a recorded case have.
    redactor: Arc<Redactor>,
    answers: Vec<(Answer, u64)>,
    asked: Vec<Asked>,
    unanswered: Vec<String>,
}

impl Answers {
    /// For one trial, which says what must not be shown: [`Answers::hide`].
    pub fn new(answers: Vec<Answer>) -> Self {
        let answers = answers.into_iter().map(|answer| (answer, 0)).collect();
        let redactor = Arc::default();
        let state = State { redactor, answers, asked: Vec::new(), unanswered: Vec::new() };
        Self { state: Mutex::new(state) }
    }

    /// From now on by the trial's own redactor.
    pub(super) fn hide(&self, redactor: &Arc<Redactor>) {
        self.locked().redactor = Arc::clone(redactor);
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was asked, in the order in which it came, and of that what had
    /// no answer.
    pub(super) fn take(&self) -> (Vec<Asked>, Vec<String>) {
        let mut state = self.locked();
        (std::mem::take(&mut state.asked), std::mem::take(&mut state.unanswered))
    }

    /// Answers that nothing asked for, counted from 1.
    pub fn unused(&self) -> Vec<usize> {
        let state = self.locked();
        let numbered = state.answers.iter().enumerate();
        numbered.filter(|(_, (_, given))| *given == 0).map(|(index, _)| index + 1).collect()
    }
}

impl Answer {
    fn fits(&self, method: &str, url: &str, redacted: &str) -> bool {
        self.method.as_deref().is_none_or(|own| own == method)
            && self.url.as_deref().is_none_or(|own| same_url(own, url) || same_url(own, redacted))
    }
}

/// Whether a URL is the expected one; one without a query stands for all queries,
/// since records have none.
pub(super) fn same_url(expected: &str, url: &str) -> bool {
    if expected.contains('?') {
        return expected == url;
    }
    let whole = |url: &str| {
        let url = url.split('?').next().unwrap_or_default();
        url.strip_suffix('/').unwrap_or(url).to_owned()
    };
    whole(expected) == whole(url)
}

impl Script for Answers {
    fn answer(&self, asked: Asked) -> Result<Response<Bytes>, Failure> {
        let (method, url) = (asked.method.to_string(), asked.url.clone());
        let redactor = Arc::clone(&self.locked().redactor);
        // Outside of the lock, which other connections wait for.
        let redacted = redactor.text(&url).into_owned();
        let mut state = self.locked();
        state.asked.push(asked);
        let fitting = state.answers.iter_mut().find(|(answer, given)| {
            (answer.repeat || *given == 0) && answer.fits(&method, &url, &redacted)
        });
        let Some((answer, given)) = fitting else {
            let what = format!("{method} {redacted}");
            let message = format!("there is no scripted answer to {what}");
            state.unanswered.push(what);
            return Err(Failure::new(Kind::NoAnswer, message));
        };
        *given += 1;
        match &answer.gives {
            Gives::Response { status, headers, body } => {
                let mut response = Response::new(body.clone());
                *response.status_mut() = *status;
                *response.headers_mut() = headers.clone();
                Ok(response)
            }
            Gives::Failure(kind) => {
                Err(Failure::new(*kind, format!("{redacted}: it fails by the case")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::same_url;

    #[test]
    fn a_url_without_a_query_stands_for_all_queries() {
        assert!(same_url("https://a.example/x", "https://a.example/x?y=1"));
        assert!(same_url("https://a.example", "https://a.example/"));
        assert!(same_url("https://a.example/x?y=1", "https://a.example/x?y=1"));
        assert!(!same_url("https://a.example/x?y=1", "https://a.example/x"));
        assert!(!same_url("https://a.example/x", "https://a.example/xy"));
    }
}
