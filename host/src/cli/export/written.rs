//! A case as it is written from a stored event: in the shape that
//! `trial::case::file` reads.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cli::show::escaped;
use crate::config::Grants;
use crate::store::records::{AttemptRecord, BodyRecord, CallRecord, Content, EventView};
use crate::trial::script::FAILURES;
use crate::trial::view::HANDLED;

/// How secrets are shown in all that is kept of a plugin.
const MARK: &str = "[secret ";

/// In the place of an origin that is in no record.
const UNKNOWN: &str = "https://secret.example";

/// Outcomes that a case can expect.
const OUTCOMES: [&str; 8] =
    [HANDLED, "retry", "retry-after", "rejected", "trap", "deadline", "cpu", "memory"];

/// Bytes of a reason that are expected: what is long changes more easily.
const REASON_BYTES_MAX: usize = 200;

/// A file. Plain values come before tables.
#[derive(Serialize)]
pub(super) struct Written {
    body: String,
    delivery: Delivery,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    config: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    answer: Vec<Answer>,
    expect: Expect,
}

#[derive(Serialize)]
struct Delivery {
    id: Option<String>,
    event_id: String,
    source: String,
    attempt: u32,
    replay: bool,
    received_at_ms: u64,
}

#[derive(Serialize)]
struct Answer {
    method: String,
    url: String,
    status: Option<u16>,
    body: Option<String>,
    fails: Option<String>,
}

#[derive(Serialize)]
struct Expect {
    outcome: String,
    reason_contains: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calls: Vec<Call>,
}

#[derive(Serialize)]
struct Call {
    method: String,
    url: String,
    body: Option<String>,
    status: Option<u16>,
    fails: Option<String>,
}

/// What stood around the call, as far as it is known.
pub(super) struct Around {
    config: BTreeMap<String, String>,
    /// By name, what stands in the place of each.
    secrets: BTreeMap<String, String>,
    /// Requests whose end no answer can repeat.
    lost: BTreeSet<String>,
    unknown_outcome: bool,
    /// Answers had bodies of which not all was kept.
    no_bodies: bool,
}

impl Around {
    /// `grants`: what the configuration grants, where it can be read.
    pub(super) fn new(attempt: Option<&AttemptRecord>, grants: Option<&Grants>) -> Self {
        let mut names: BTreeSet<String> = BTreeSet::new();
        names.extend(grants.iter().flat_map(|grants| grants.secret_names()).map(str::to_owned));
        let mut as_url = BTreeSet::new();
        for text in attempt.into_iter().flat_map(texts) {
            names.extend(marked(text));
        }
        for call in attempt.iter().flat_map(|attempt| &attempt.calls) {
            as_url.extend(marked(&call.url).filter(|_| call.url.starts_with(MARK)).take(1));
        }
        // A grant is no secret.
        let granted = grants.and_then(|grants| grants.http().first());
        let origin = granted.map_or_else(|| UNKNOWN.to_owned(), |grant| grant.origin.to_string());
        let secrets = names.into_iter().map(|name| {
            // Where the whole address was the secret, it must be one.
            let value = match as_url.contains(&name) {
                true => format!("{origin}/placeholder-{name}"),
                false => format!("placeholder-{name}"),
            };
            (name, value)
        });
        let calls = attempt.iter().flat_map(|attempt| &attempt.calls);
        let lost = calls.filter(|call| call.status.is_none()).filter_map(|call| {
            let code = call.code.as_deref()?;
            (!can_fail(code)).then(|| code.to_owned())
        });
        let calls = attempt.iter().flat_map(|attempt| &attempt.calls);
        let mut responses = calls.map(|call| &call.response);
        let no_bodies = responses.any(|body| body.bytes > 0 && whole(body).is_none());
        let unknown = attempt.filter(|attempt| !OUTCOMES.contains(&attempt.outcome.as_str()));
        Self {
            config: grants.map(|grants| grants.plain_settings().clone()).unwrap_or_default(),
            lost: lost.collect(),
            no_bodies,
            unknown_outcome: unknown.is_some(),
            secrets: secrets.collect(),
        }
    }

    /// What whoever uses the case has to know.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.secrets.is_empty() {
            notes.push("Secrets are placeholders: put values there that will do.".to_owned());
        }
        for code in &self.lost {
            notes.push(format!("A request ended as {code}, which no answer repeats."));
        }
        if self.no_bodies {
            notes.push(
                "Bodies of answers were not kept: http_bodies_kept_bytes_max says how much is."
                    .to_owned(),
            );
        }
        if self.unknown_outcome {
            notes.push(
                "That is no outcome of the plugin's, so what is expected is a guess.".to_owned(),
            );
        }
        notes
    }

    /// The case.
    pub(super) fn case(&self, event: &EventView, attempt: Option<&AttemptRecord>) -> Written {
        let summary = &event.summary;
        let of_attempt = |delivery: &&crate::store::records::DeliverySummary| {
            attempt.is_some_and(|attempt| attempt.delivery == delivery.id)
        };
        let delivery = summary.deliveries.iter().find(of_attempt);
        let calls = || attempt.iter().flat_map(|attempt| &attempt.calls);
        Written {
            // Within JSON such characters can be escapes.
            body: escaped(&event.document).into_owned(),
            delivery: Delivery {
                id: attempt.map(|attempt| attempt.delivery.clone()),
                event_id: summary.id.clone(),
                source: summary.source.clone(),
                attempt: attempt.map_or(1, |attempt| attempt.number),
                replay: delivery.is_some_and(|delivery| delivery.replay),
                received_at_ms: summary.received_at_ms,
            },
            config: self.config.clone(),
            secrets: self.secrets.clone(),
            answer: calls().filter_map(|call| self.answer(call)).collect(),
            expect: Expect {
                outcome: match attempt {
                    Some(attempt) if !self.unknown_outcome => attempt.outcome.clone(),
                    _ => HANDLED.to_owned(),
                },
                reason_contains: attempt
                    // A plugin's own words can be about an answer.
                    .filter(|_| !self.unknown_outcome && !self.no_bodies)
                    .and_then(|attempt| attempt.error.as_deref())
                    .and_then(|error| reason(&self.named(error))),
                calls: calls().map(|call| self.call(call)).collect(),
            },
        }
    }

    fn answer(&self, call: &CallRecord) -> Option<Answer> {
        let code = call.code.as_deref().filter(|_| call.status.is_none());
        if code.is_some_and(|code| !can_fail(code)) {
            return None;
        }
        Some(Answer {
            method: call.method.clone(),
            url: self.named(&call.url),
            status: call.status,
            body: whole(&call.response).map(|body| self.named(body)),
            fails: code.map(str::to_owned),
        })
    }

    fn call(&self, call: &CallRecord) -> Call {
        Call {
            method: call.method.clone(),
            url: self.named(&call.url),
            body: whole(&call.request).map(|body| self.named(body)),
            status: call.status,
            fails: call.code.clone().filter(|_| call.status.is_none()),
        }
    }

    /// A text with the placeholders of secrets in the place of their names.
    fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.secrets {
            text = text.replace(&format!("{MARK}{name}]"), value);
        }
        text
    }
}

fn can_fail(code: &str) -> bool {
    FAILURES.iter().any(|(known, _)| *known == code)
}

/// All that is kept of an attempt.
fn texts(attempt: &AttemptRecord) -> impl Iterator<Item = &str> {
    let calls = attempt.calls.iter().flat_map(|call| {
        let bodies = [whole(&call.request), whole(&call.response)];
        std::iter::once(call.url.as_str()).chain(bodies.into_iter().flatten())
    });
    attempt.error.as_deref().into_iter().chain(attempt.log.as_deref()).chain(calls)
}

/// The names of the secrets that stood in a text. Names that no configuration has
/// are what a plugin made up.
fn marked(text: &str) -> impl Iterator<Item = String> {
    text.split(MARK).skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once(']')?;
        let is_key = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        (!name.is_empty() && name.len() <= 256 && name.chars().all(is_key)).then(|| name.to_owned())
    })
}

/// A body that was kept from its beginning to its end.
fn whole(body: &BodyRecord) -> Option<&str> {
    match &body.kept {
        // A secret or something hidden within makes it another length.
        Some(Content::Text(text)) if text.len() as u64 == body.bytes => Some(text),
        Some(Content::Text(text)) if text.contains(MARK) && body.sha256.is_some() => {
            (text.len() as u64 >= body.bytes).then_some(text)
        }
        _ => None,
    }
}

/// What of a reason stays the same: its first line, without the way to a trap.
fn reason(error: &str) -> Option<String> {
    let first = error.lines().next()?;
    let cause = first.split(", in ").next().unwrap_or(first);
    let short = cause.get(..cause.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or(cause);
    (!short.is_empty()).then(|| short.to_owned())
}
