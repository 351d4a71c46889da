//! The body to send: a sample or a file, with a secret and a time.

use std::fs;
use std::io;
use std::str::FromStr;

use anyhow::{Context as _, bail};
use hookbox_core::json::with_member;
use hookbox_core::targetvideo::samples;
use serde_json::Value;

use crate::config::nearest;
use crate::trial::text::{BODY_BYTES_MAX, read_some};

/// A value to set.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pointer: String,
    value: Value,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((pointer, value)) if pointer.starts_with('/') => {
                let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
                Ok(Self { pointer: pointer.to_owned(), value })
            }
            _ => Err("write it as /data/Video/name=\"Harbour\"".to_owned()),
        }
    }
}

/// A sample by its name, or a file.
pub(in crate::cli) fn read(what: &str) -> anyhow::Result<String> {
    if let Some(body) = samples::body(what) {
        return Ok(body.to_owned());
    }
    if what == "-" {
        return read_some(io::stdin().lock(), BODY_BYTES_MAX).context("standard input");
    }
    let file = match fs::File::open(what) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let none = "neither a sample, as `hookbox send --list` shows them, nor a file";
            let hint = nearest(what, samples::ALL.map(|(name, _)| name))
                .map(|name| format!("; did you mean the sample {name}?"));
            bail!("{what}: {none}{}", hint.unwrap_or_default());
        }
        opened => opened.with_context(|| what.to_owned())?,
    };
    read_some(file, BODY_BYTES_MAX).with_context(|| what.to_owned())
}

/// Each byte as it was, but for what is set.
pub(super) fn body(
    text: &str,
    secret: &str,
    now_s: Option<u64>,
    settings: &[Setting],
) -> anyhow::Result<String> {
    let mut body = text.to_owned();
    if !settings.is_empty() {
        let mut value: Value = serde_json::from_str(text).context("the body is no JSON")?;
        for setting in settings {
            set(&mut value, setting)?;
        }
        body = value.to_string();
    }
    if let Some(now_s) = now_s
        && !settings.iter().any(|setting| setting.pointer == "/timestamp")
    {
        body = with_member(&body, "timestamp", &now_s.to_string()).context("the body")?;
    }
    with_member(&body, "secret", &Value::from(secret).to_string()).context("the body")
}

/// Objects on the way are made where they are missing.
fn set(value: &mut Value, Setting { pointer, value: new }: &Setting) -> anyhow::Result<()> {
    let mut at = value;
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        at = match at {
            Value::Array(items) => name
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get_mut(index))
                .with_context(|| format!("--set {pointer}: the array has no {name:?}"))?,
            Value::Object(members) => {
                members.entry(name).or_insert_with(|| Value::Object(Default::default()))
            }
            _ => bail!("--set {pointer}: what has {name:?} in it is no object and no array"),
        };
    }
    new.clone_into(at);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn made(text: &str, now_s: Option<u64>, settings: &[&str]) -> String {
        let settings: Vec<Setting> =
            settings.iter().map(|text| text.parse().expect("a setting")).collect();
        body(text, "s\"", now_s, &settings).expect("a body")
    }

    #[test]
    fn a_body_as_it_is_has_only_its_secret_changed() {
        let text = r#"{ "a": 1e400, "secret" : "x" ,"timestamp":7}"#;
        assert_eq!(made(text, None, &[]), r#"{ "a": 1e400, "secret" : "s\"" ,"timestamp":7}"#);
        assert_eq!(made(" {}", None, &[]), r#" {"secret":"s\""}"#);
    }

    #[test]
    fn a_body_gets_the_time_and_what_is_set() {
        assert_eq!(
            made(r#"{"timestamp":"7","b":[]}"#, Some(9), &[]),
            r#"{"secret":"s\"","timestamp":9,"b":[]}"#
        );
        let set = ["/b/0/c~1d=text", "/e/f=\"5\"", "/e/g=5", "/timestamp=1"];
        let made = made(r#"{"b":[{}]}"#, Some(9), &set);
        let expected = serde_json::json!({
            "b": [{"c/d": "text"}], "e": {"f": "5", "g": 5}, "timestamp": 1, "secret": "s\"",
        });
        assert_eq!(serde_json::from_str::<Value>(&made).expect("JSON"), expected);
    }

    #[test]
    fn mistakes_are_told() {
        assert!("a=b".parse::<Setting>().is_err() && "/a".parse::<Setting>().is_err());
        let setting: Setting = "/a/b=1".parse().expect("a setting");
        assert!(body(r#"{"a":1}"#, "s", None, std::slice::from_ref(&setting)).is_err());
        assert!(body("[]", "s", None, &[]).is_err());
    }
}
