//! Recorded cases: an event, what stands around it, and what is to become of it.
//!
//! [`mod@file`] is how a case is written (TOML or JSON, one shape), this is what it
//! means, [`judge`] compares it with what became of the event, [`junit`] tells
//! other tools.
//!
//! Invariants:
//! - A case stands for itself: nothing is granted by a configuration, and nothing
//!   leaves the process.
//! - Ids and times are the same each time, so that what depends on them can be
//!   expected.

pub mod file;
mod json;
pub mod judge;
pub mod junit;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookbox_core::event::Event;
use hookbox_core::grants::{Origin, Want};
use hookbox_core::ids::{DeliveryId, EventId, SourceName};
use hookbox_core::targetvideo::samples;

use self::file::{Expect, Written};
use super::script::{Answer, FAILURES};
use super::text::{BODY_BYTES_MAX, CASE_BYTES_MAX, TextError, read_some};
use super::{Trial, event, state};
use crate::config::{ConfigError, Given, Grants, nearest};

/// Cases in one folder.
const CASES_MAX: usize = 10_000;

/// When an event arrived, where a case does not say: 2026-01-01T00:00:00Z.
const RECEIVED_AT_MS: u64 = 1_767_225_600_000;

/// The source, where a case does not say.
const SOURCE: &str = "main";

/// Files of projects, which are no cases and show that a folder is none of cases.
const PROJECTS: [&str; 5] =
    ["Cargo.toml", "go.mod", "package.json", "pyproject.toml", "hookbox.toml"];

/// Why there is no such case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A file or folder cannot be read.
    #[error("{path}: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is no text that could be used.
    #[error("{path}: {error}")]
    Text {
        /// Which.
        path: PathBuf,
        /// Why.
        error: TextError,
    },
    /// A folder has none.
    #[error(
        "{folder}: no case found: a case is a file cases/<name>.toml or .json; \
         `hookbox events export ID --as-test` writes one from an event"
    )]
    None {
        /// The folder that was named.
        folder: PathBuf,
    },
    /// More than are taken.
    #[error("{folder}: over {CASES_MAX} cases")]
    TooMany {
        /// The folder.
        folder: PathBuf,
    },
    /// What is written in a file cannot be used.
    #[error("{place}: {message}")]
    Written {
        /// The file, and where it is known the line.
        place: String,
        /// What is wrong.
        message: String,
    },
}

/// A case, ready to be run.
pub struct Case {
    /// Its file's name without the ending.
    pub name: String,
    /// What it is about, in words.
    pub description: Option<String>,
    /// The file.
    pub path: PathBuf,
    /// The event, and the state before.
    pub trial: Trial,
    /// What requests get.
    pub answers: Vec<Answer>,
    /// What is to become of it.
    pub expect: Expect,
    given: Given,
    /// None: what the plugin wants, or the case has state.
    keyvalue: Option<bool>,
    /// None: what the plugin wants, and the answers' own.
    http: Option<Vec<String>>,
}

/// The files of a folder's cases, by name: those in `cases/`, else in the folder
/// itself.
///
/// # Errors
/// Where there is none, or the folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let inner = folder.join("cases");
    let is_project = PROJECTS.iter().any(|name| folder.join(name).exists());
    let none = || CaseError::None { folder: folder.to_owned() };
    let place = match inner.is_dir() {
        true => inner,
        false if is_project => return Err(none()),
        false => folder.to_owned(),
    };
    let unreadable = |error| CaseError::Unreadable { path: place.clone(), error };
    let mut files = Vec::new();
    for entry in fs::read_dir(&place).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ending = path.extension().unwrap_or_default();
        if !name.starts_with('.') && (ending == "toml" || ending == "json") {
            files.push(path);
        }
        if files.len() > CASES_MAX {
            return Err(CaseError::TooMany { folder: place });
        }
    }
    files.sort();
    if files.is_empty() { Err(none()) } else { Ok(files) }
}

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    /// What is wrong, and in which line.
    pub fn read(path: &Path) -> Result<Self, CaseError> {
        let text = text(path, CASE_BYTES_MAX)?;
        let written = Written::parse(path, &text)?;
        Self::new(path, written)
    }

    fn new(path: &Path, written: Written) -> Result<Self, CaseError> {
        let wrong = |key: &str, why: String| CaseError::Written {
            place: path.display().to_string(),
            message: format!("{key}: {why}"),
        };
        written.expect.check().map_err(|(key, why)| wrong(&format!("expect.{key}"), why))?;
        let answers = written.answer.iter().enumerate().map(|(index, answer)| {
            let key = format!("answer number {}", index + 1);
            answer.ready().map_err(|why| wrong(&key, why))
        });
        let answers = answers.collect::<Result<Vec<Answer>, _>>()?;
        let trial = trial(path, &written, &wrong)?;
        let Written { description, config, secrets, grants, expect, .. } = written;
        let config = config.into_iter().map(|(key, text)| (key, text.0)).collect();
        Ok(Self {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            description,
            path: path.to_owned(),
            trial,
            answers,
            expect,
            given: Given { config, secrets, ..Given::default() },
            keyvalue: grants.keyvalue,
            http: grants.http,
        })
    }

    /// What the plugin may do in this case.
    ///
    /// # Errors
    /// What cannot be granted.
    pub fn grants(&self, wants: &[Want]) -> Result<Grants, ConfigError> {
        let mut given = self.given.clone();
        given.keyvalue = self
            .keyvalue
            .unwrap_or_else(|| wants.contains(&Want::Keyvalue) || !self.trial.state.is_empty());
        given.http = match &self.http {
            Some(http) => http.clone(),
            None => {
                let wanted = wants.iter().filter_map(|want| match want {
                    Want::Http(origin) => Some(origin.to_string()),
                    _ => None,
                });
                let answered = self.answers.iter().filter_map(|answer| {
                    origin(answer.url.as_deref()?).map(|origin| origin.to_string())
                });
                wanted.chain(answered).collect()
            }
        };
        Grants::default().with("", &given)
    }

    /// What the plugin wants and the case does not give, so that no server would
    /// make the plugin live. What the case takes away by `grants` is meant so.
    pub fn missing(&self, grants: &Grants, wants: &[Want]) -> Vec<Want> {
        let mut missing = grants.missing(wants);
        missing.retain(|want| matches!(want, Want::Config(_) | Want::Secret(_)));
        missing
    }
}

/// The origin of a URL as it stands in a record: its path may hold anything.
fn origin(url: &str) -> Option<Origin> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    format!("{scheme}://{authority}").parse().ok()
}

fn text(path: &Path, bytes_max: u64) -> Result<String, CaseError> {
    let unreadable = |error| CaseError::Unreadable { path: path.to_owned(), error };
    let file = fs::File::open(path).map_err(unreadable)?;
    read_some(file, bytes_max).map_err(|error| CaseError::Text { path: path.to_owned(), error })
}

fn trial(
    path: &Path,
    written: &Written,
    wrong: &impl Fn(&str, String) -> CaseError,
) -> Result<Trial, CaseError> {
    let (key, body) = match (&written.event, &written.event_file, &written.body) {
        (Some(name), None, None) => {
            let body = samples::body(name).ok_or_else(|| {
                let hint = nearest(name, samples::ALL.map(|(name, _)| name))
                    .map_or("`hookbox send --list` shows them".to_owned(), |near| {
                        format!("did you mean {near:?}?")
                    });
                wrong("event", format!("there is no sample {name:?}; {hint}"))
            })?;
            ("event", body.to_owned())
        }
        (None, Some(file), None) => {
            let file = path.parent().unwrap_or(Path::new("")).join(file);
            let body = text(&file, BODY_BYTES_MAX);
            ("event_file", body.map_err(|error| wrong("event_file", error.to_string()))?)
        }
        (None, None, Some(serde_json::Value::String(body))) => ("body", body.clone()),
        (None, None, Some(body)) => ("body", body.to_string()),
        _ => {
            let why = "give exactly one of event, event_file and body".to_owned();
            return Err(wrong("event", why));
        }
    };
    let delivery = &written.delivery;
    let source: SourceName = delivery
        .source
        .as_deref()
        .unwrap_or(SOURCE)
        .parse()
        .map_err(|error| wrong("delivery.source", format!("{error}")))?;
    let event: Event =
        event::genuine(&source, &body).map_err(|error| wrong(key, error.to_string()))?;
    if delivery.attempt == Some(0) {
        return Err(wrong("delivery.attempt", "attempts are counted from 1".to_owned()));
    }
    let received_at_ms = delivery.received_at_ms.unwrap_or(RECEIVED_AT_MS);
    let event_id = match &delivery.event_id {
        Some(id) => id.parse().map_err(|error| wrong("delivery.event_id", format!("{error}")))?,
        None => EventId::new(received_at_ms, [0; 10]),
    };
    let id = match &delivery.id {
        Some(id) => id.parse().map_err(|error| wrong("delivery.id", format!("{error}")))?,
        None => DeliveryId::new(received_at_ms, [1; 10]),
    };
    let state: BTreeMap<_, _> = written
        .state
        .iter()
        .map(|(key, state::Value(value))| (key.clone(), value.clone()))
        .collect();
    Ok(Trial {
        event: Arc::new(event),
        event_id,
        delivery: id,
        attempt: delivery.attempt.unwrap_or(1),
        replay: delivery.replay,
        received_at_ms,
        state,
    })
}

/// The codes by which an answer can fail, for messages.
fn failures() -> String {
    FAILURES.map(|(code, _)| code).join(", ")
}
