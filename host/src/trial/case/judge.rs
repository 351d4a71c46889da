//! Whether what became of an event is what was expected.
//!
//! Secrets and what is hidden of an event are replaced on both sides before they
//! are compared, so that no difference shows them, and a case can say
//! `[secret token]` where it does not know the value.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::file::{Expect, ExpectedCall, Texts};
use super::json;
use crate::telemetry::Redactor;
use crate::trial::script::{Answers, same_url};
use crate::trial::state::{Shown, Value};
use crate::trial::view::{SentView, TriedView};
use crate::trial::{Sent, Tried};

/// Differences of one case that are told.
const DIFFERENCES_MAX: usize = 50;

/// What is not as expected, in words; none: the case holds.
pub fn differences(expect: &Expect, tried: &Tried, answers: &Answers) -> Vec<String> {
    let view = tried.view();
    let redactor = &tried.redactor;
    let mut found = Vec::new();
    outcome(expect, &view, &mut found);
    for what in &tried.unanswered {
        found.push(format!("there is no [[answer]] to {}", redactor.text(what)));
    }
    for number in answers.unused() {
        found.push(format!("[[answer]] number {number} was not asked for"));
    }
    let reason = view.reason.iter().map(String::as_str);
    contains("reason", &expect.reason_contains, reason, redactor, &mut found);
    let lines = view.log.iter().map(|line| line.text.as_str());
    contains("log", &expect.log_contains, lines, redactor, &mut found);
    if let Some(expected) = &expect.calls {
        calls(expected, tried, &view, &mut found);
    }
    state(expect, &tried.state, redactor, &mut found);
    budgets(expect, &view, &mut found);
    let more = found.len().saturating_sub(DIFFERENCES_MAX);
    if more > 0 {
        found.truncate(DIFFERENCES_MAX);
        found.push(format!("and {more} more"));
    }
    found
}

fn outcome(expect: &Expect, view: &TriedView, found: &mut Vec<String>) {
    let expected = expect.outcome();
    if expected != view.outcome {
        let reason = view.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        found.push(format!("outcome: expected {expected}, got {}{reason}", view.outcome));
    }
    if let Some(expected) = expect.retry_after_ms
        && view.retry_after_ms != Some(expected)
    {
        let got = view.retry_after_ms.map_or("none".to_owned(), |got| got.to_string());
        found.push(format!("retry_after_ms: expected {expected}, got {got}"));
    }
}

fn contains<'a>(
    what: &str,
    expected: &Texts,
    got: impl Iterator<Item = &'a str> + Clone,
    redactor: &Redactor,
    found: &mut Vec<String>,
) {
    // As what the plugin said is.
    for text in expected.0.iter().map(|text| redactor.text(text)) {
        if !got.clone().any(|line| line.contains(&*text)) {
            let got: Vec<&str> = got.clone().collect();
            let got = if got.is_empty() { "nothing".to_owned() } else { format!("{got:?}") };
            found.push(format!("{what}: expected one with {text:?}, got {got}"));
        }
    }
}

fn calls(expected: &[ExpectedCall], tried: &Tried, view: &TriedView, found: &mut Vec<String>) {
    if expected.len() != view.calls.len() {
        found.push(format!("calls: expected {}, got {}", expected.len(), view.calls.len()));
    }
    for (index, expected) in expected.iter().enumerate() {
        let place = format!("call {}", index + 1);
        match tried.sent.get(index).zip(view.calls.get(index)) {
            Some((sent, view)) => {
                call(&place, expected, sent, view, &tried.redactor, found);
            }
            None => {
                let any = |text: &Option<String>| match text {
                    Some(text) => tried.redactor.text(text).into_owned(),
                    None => "any".to_owned(),
                };
                let (method, url) = (any(&expected.method), any(&expected.url));
                found.push(format!("{place}: expected {method} {url}, got none"));
            }
        }
    }
    for (index, more) in view.calls.iter().enumerate().skip(expected.len()) {
        found.push(format!("call {}: not expected: {} {}", index + 1, more.method, more.url));
    }
}

fn call(
    place: &str,
    expected: &ExpectedCall,
    sent: &Sent,
    view: &SentView,
    redactor: &Redactor,
    found: &mut Vec<String>,
) {
    let hidden = |text: &str| redactor.text(text).into_owned();
    let mut differs = |what: &str, expected: &str, got: &str| {
        found.push(format!("{place}, {what}: expected {expected:?}, got {got:?}"));
    };
    if let Some(method) = &expected.method
        && *method != view.method
    {
        differs("method", method, &view.method);
    }
    if let Some(url) = &expected.url
        && !same_url(&hidden(url), &view.url)
    {
        differs("url", &hidden(url), &view.url);
    }
    for (name, value) in &expected.headers {
        let same = |have: &&(String, String)| have.0.eq_ignore_ascii_case(name);
        let got: Vec<&str> =
            view.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect();
        let value = hidden(value);
        if !got.contains(&value.as_str()) {
            let got = if got.is_empty() { "(none)".to_owned() } else { got.join(", ") };
            differs(&format!("header {name}"), &value, &got);
        }
    }
    if let Some(status) = expected.status
        && view.status != Some(status)
    {
        let got = view.status.map_or("none".to_owned(), |status| status.to_string());
        differs("status", &status.to_string(), &got);
    }
    if let Some(code) = &expected.fails {
        let got = view.code.unwrap_or("(did not fail)");
        // Of what authors write, `denied` is what records call `not-granted`.
        if got != code && !(code == "denied" && got == "not-granted") {
            differs("fails", code, got);
        }
    }
    body(place, expected, sent, redactor, found);
}

fn body(
    place: &str,
    expected: &ExpectedCall,
    sent: &Sent,
    redactor: &Redactor,
    found: &mut Vec<String>,
) {
    let asked = sent.asked.as_ref().map(|asked| String::from_utf8_lossy(&asked.body));
    let got = asked.as_deref().unwrap_or_default();
    if let Some(text) = &expected.body {
        let (expected, got) = (redactor.text(text), redactor.text(got));
        if expected != got {
            found.push(format!("{place}, body: expected {expected:?}, got {got:?}"));
        }
    }
    if let Some(expected) = &expected.json {
        match serde_json::from_str::<Json>(got) {
            Ok(got) => {
                let (expected, got) = (hide(expected, redactor), hide(&got, redactor));
                let differences = json::differences(&expected, &got);
                found.extend(differences.into_iter().map(|one| format!("{place}, json {one}")));
            }
            Err(error) => {
                let got = redactor.text(got);
                found.push(format!("{place}, json: the body is none ({error}): {got:?}"));
            }
        }
    }
}

/// The same with each of its texts and names as they are shown.
fn hide(value: &Json, redactor: &Redactor) -> Json {
    let text = |text: &str| redactor.text(text).into_owned();
    match value {
        Json::String(value) => text(value).into(),
        Json::Array(items) => items.iter().map(|item| hide(item, redactor)).collect(),
        Json::Object(members) => Json::Object(
            members.iter().map(|(name, value)| (text(name), hide(value, redactor))).collect(),
        ),
        other => other.clone(),
    }
}

fn state(
    expect: &Expect,
    got: &BTreeMap<String, Vec<u8>>,
    redactor: &Redactor,
    found: &mut Vec<String>,
) {
    let shown = |value: &[u8]| Shown::new(&redactor.bytes(value), str::to_owned);
    let exact = expect.state.iter().flatten();
    for (key, Value(expected)) in exact.chain(&expect.state_has) {
        let key_shown = redactor.text(key);
        match got.get(key) {
            Some(got) if shown(got) == shown(expected) => {}
            Some(got) => {
                let (expected, got) = (shown(expected), shown(got));
                found.push(format!("state {key_shown:?}: expected {expected}, got {got}"));
            }
            None => {
                found.push(format!("state {key_shown:?}: expected {}, got none", shown(expected)));
            }
        }
    }
    if let Some(expected) = &expect.state {
        let more = got.iter().filter(|(key, _)| !expected.contains_key(*key));
        found.extend(more.map(|(key, value)| {
            format!("state {:?}: expected none, got {}", redactor.text(key), shown(value))
        }));
    }
    for key in &expect.state_lacks {
        if let Some(value) = got.get(key) {
            let key = redactor.text(key);
            found.push(format!("state {key:?}: expected none, got {}", shown(value)));
        }
    }
}

fn budgets(expect: &Expect, view: &TriedView, found: &mut Vec<String>) {
    let over = |name: &str, most: Option<u64>, got: Option<u64>, unit: u64| {
        let (most, got) = most.zip(got)?;
        (got > most.saturating_mul(unit))
            .then(|| format!("{name}: expected at most {most}, got {}", got.div_ceil(unit)))
    };
    found.extend(over("memory_bytes_max", expect.memory_bytes_max, Some(view.memory_bytes), 1));
    found.extend(over("duration_ms_max", expect.duration_ms_max, Some(view.duration_us), 1_000));
    found.extend(over("cpu_ms_max", expect.cpu_ms_max, view.cpu_us, 1_000));
}
