//! Keeps secrets' values out of what hookbox prints and stores of a plugin:
//! each place where one stands gets its name in its stead.
//!
//! That guards against carelessness. A plugin that wants to give a secret away
//! can spell it otherwise.

use std::borrow::Cow;
use std::fmt;

use aho_corasick::{AhoCorasick, MatchKind};

/// Finds the secrets of one plugin.
#[derive(Clone, Default)]
pub struct Redactor {
    /// In the order of `names`. None: there are none.
    values: Option<AhoCorasick>,
    /// What stands in for each value.
    names: Vec<String>,
    needles: Vec<String>,
    longest: usize,
}

impl Redactor {
    /// For these names and values.
    pub fn new<'a>(secrets: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut needles = Vec::new();
        let mut names = Vec::new();
        for (name, value) in secrets {
            for needle in spellings(value) {
                names.push(format!("[secret {name}]"));
                needles.push(needle);
            }
        }
        if needles.is_empty() {
            return Self::default();
        }
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&needles);
        let longest = needles.iter().map(String::len).max().unwrap_or_default();
        Self { values: built.ok(), names, needles, longest }
    }

    /// Bytes of the longest value, less one: of a text that goes on, so many at
    /// its end may be the beginning of one.
    pub fn overlap(&self) -> usize {
        self.longest.saturating_sub(1)
    }

    /// The text without values.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.values {
            Some(values) if values.is_match(text) => {
                Cow::Owned(values.replace_all(text, &self.names))
            }
            _ => Cow::Borrowed(text),
        }
    }

    /// The bytes without values.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.values {
            Some(values) if values.is_match(bytes) => {
                Cow::Owned(values.replace_all_bytes(bytes, &self.names))
            }
            _ => Cow::Borrowed(bytes),
        }
    }
}

/// A value as it is, and as it stands in a JSON string, in a Rust string shown
/// for debugging, and in the path of a URL.
fn spellings(value: &str) -> Vec<String> {
    let mut all = vec![value.to_owned()];
    let json = serde_json::Value::from(value).to_string();
    all.push(json.trim_matches('"').to_owned());
    all.push(value.escape_debug().to_string());
    if let Ok(url) = url::Url::parse(value)
        && url.has_host()
    {
        // Where the address of a chat's webhook is the secret, this is the part
        // that nobody may know.
        if url.path().len() > 8 {
            all.push(url.path().to_owned());
        }
        all.push(url.to_string());
    }
    all.sort();
    all.dedup();
    all.retain(|spelling| !spelling.is_empty());
    all
}

impl PartialEq for Redactor {
    fn eq(&self, other: &Self) -> bool {
        self.needles == other.needles && self.names == other.names
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("names", &self.names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_replaced_by_its_name_however_it_is_spelled() {
        let pairs = [
            ("token", "s3cr\"et-token"),
            ("url", "https://chat.example/services/T0/B0/xyz"),
            ("prefix", "s3cr\"et"),
        ];
        let redactor = Redactor::new(pairs.into_iter());
        assert_eq!(redactor.text("Bearer s3cr\"et-token!"), "Bearer [secret token]!");
        assert_eq!(redactor.text("s3cr\"et"), "[secret prefix]");
        assert_eq!(redactor.text(r#"{"t":"s3cr\"et-token"}"#), r#"{"t":"[secret token]"}"#);
        assert_eq!(redactor.text("POST /services/T0/B0/xyz 404"), "POST [secret url] 404");
        assert_eq!(redactor.text("to https://chat.example/services/T0/B0/xyz"), "to [secret url]");
        assert_eq!(redactor.text("nothing of it"), "nothing of it");
        assert_eq!(redactor.bytes(b"\xffs3cr\"et-token").as_ref(), b"\xff[secret token]");
        assert!(!format!("{redactor:?}").contains("s3cr"));
        assert_eq!(Redactor::default().text("all"), "all");
    }
}
