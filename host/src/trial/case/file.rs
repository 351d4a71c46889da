//! How a case is written: one shape in TOML and in JSON. Unknown keys are
//! mistakes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::{CaseError, failures};
use crate::config::{Text, explain};
use crate::trial::script::{Answer, FAILURES, Gives};
use crate::trial::state::Value;
use crate::trial::view::HANDLED;

/// What can become of an event, beside `handled`: the codes of failures, and
/// `reject` as authors write it.
const OUTCOMES: [&str; 10] = [
    HANDLED,
    "retry",
    "retry-after",
    "reject",
    "rejected",
    "trap",
    "deadline",
    "cpu",
    "memory",
    "host",
];

/// A file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Written {
    pub(super) description: Option<String>,
    pub(super) event: Option<String>,
    pub(super) event_file: Option<PathBuf>,
    pub(super) body: Option<Json>,
    pub(super) delivery: WrittenDelivery,
    pub(super) config: BTreeMap<String, Text>,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) grants: WrittenGrants,
    pub(super) state: BTreeMap<String, Value>,
    pub(super) answer: Vec<WrittenAnswer>,
    pub(super) expect: Expect,
}

/// `[delivery]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenDelivery {
    pub(super) id: Option<String>,
    pub(super) event_id: Option<String>,
    pub(super) source: Option<String>,
    pub(super) attempt: Option<u32>,
    pub(super) replay: bool,
    pub(super) received_at_ms: Option<u64>,
}

/// `[grants]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenGrants {
    pub(super) keyvalue: Option<bool>,
    pub(super) http: Option<Vec<String>>,
}

/// `[[answer]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenAnswer {
    method: Option<String>,
    url: Option<String>,
    repeat: bool,
    status: Option<u16>,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    json: Option<Json>,
    fails: Option<String>,
}

/// `[expect]`: what is to become of the event.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    pub(super) outcome: Option<String>,
    pub(super) retry_after_ms: Option<u64>,
    pub(super) reason_contains: Texts,
    pub(super) log_contains: Texts,
    pub(super) calls: Option<Vec<ExpectedCall>>,
    pub(super) state: Option<BTreeMap<String, Value>>,
    pub(super) state_has: BTreeMap<String, Value>,
    pub(super) state_lacks: Vec<String>,
    pub(super) memory_bytes_max: Option<u64>,
    pub(super) duration_ms_max: Option<u64>,
    pub(super) cpu_ms_max: Option<u64>,
}

/// `[[expect.calls]]`: a request that is to be sent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExpectedCall {
    pub(super) method: Option<String>,
    pub(super) url: Option<String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<String>,
    pub(super) json: Option<Json>,
    pub(super) status: Option<u16>,
    pub(super) fails: Option<String>,
}

/// A text, or several.
#[derive(Debug, Default)]
pub(super) struct Texts(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Texts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Texts, E> {
                Ok(Texts(vec![value.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

impl Written {
    /// By the file's ending.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, CaseError> {
        let file = path.display();
        let wrong = |line: Option<usize>, message: &str| CaseError::Written {
            place: line.map_or(file.to_string(), |line| format!("{file}, line {line}")),
            message: explain(message),
        };
        if path.extension().is_some_and(|ending| ending == "json") {
            return serde_json::from_str(text).map_err(|error| {
                let message = error.to_string();
                let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(m, _)| m);
                wrong(Some(error.line()), message)
            });
        }
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| {
                let before = text.get(..span.start).unwrap_or(text);
                before.matches('\n').count() + 1
            });
            wrong(line, error.message())
        })
    }
}

impl WrittenAnswer {
    pub(super) fn ready(&self) -> Result<Answer, String> {
        let gives = match &self.fails {
            Some(code) => {
                let others = self.status.is_some()
                    || self.body.is_some()
                    || self.json.is_some()
                    || !self.headers.is_empty();
                if others {
                    return Err("one that fails has no status, headers and body".to_owned());
                }
                let found = FAILURES.iter().find(|(known, _)| known == code);
                let (_, kind) =
                    found.ok_or_else(|| format!("fails: {code:?} is none of {}", failures()))?;
                Gives::Failure(*kind)
            }
            None => self.response()?,
        };
        let Self { method, url, repeat, .. } = self;
        Ok(Answer { method: method.clone(), url: url.clone(), repeat: *repeat, gives })
    }

    fn response(&self) -> Result<Gives, String> {
        let status = self.status.unwrap_or(200);
        let status = StatusCode::from_u16(status).ok().filter(|status| !status.is_informational());
        let status = status.ok_or("status: is none from 200 to 999")?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let named = HeaderName::from_bytes(name.as_bytes());
            let named = named.map_err(|error| format!("headers: {name:?}: {error}"))?;
            let value = HeaderValue::from_str(value);
            headers.append(named, value.map_err(|error| format!("headers.{name}: {error}"))?);
        }
        let body = match (&self.body, &self.json) {
            (Some(_), Some(_)) => return Err("give only one of body and json".to_owned()),
            (Some(body), None) => body.clone(),
            (None, Some(json)) => {
                let kind = HeaderValue::from_static("application/json");
                headers.entry(http::header::CONTENT_TYPE).or_insert(kind);
                json.to_string()
            }
            (None, None) => String::new(),
        };
        Ok(Gives::Response { status, headers, body: Bytes::from(body) })
    }
}

impl Expect {
    /// The key that is wrong, and why.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        if let Some(outcome) = &self.outcome
            && !OUTCOMES.contains(&outcome.as_str())
        {
            let known = OUTCOMES.join(", ");
            return Err(("outcome".to_owned(), format!("{outcome:?} is none of {known}")));
        }
        for (index, call) in self.calls.iter().flatten().enumerate() {
            if call.body.is_some() && call.json.is_some() {
                let key = format!("calls number {}", index + 1);
                return Err((key, "give only one of body and json".to_owned()));
            }
        }
        Ok(())
    }

    /// The code of the outcome.
    pub(super) fn outcome(&self) -> &str {
        match self.outcome.as_deref() {
            Some("reject") => "rejected",
            Some(outcome) => outcome,
            None => HANDLED,
        }
    }
}
