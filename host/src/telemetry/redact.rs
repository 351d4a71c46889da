//! Keeps secrets' values out of what hookbox prints and stores of a plugin:
//! each place where one stands gets its name in its stead. The same for what is
//! hidden of the event that a call is about.
//!
//! That guards against carelessness. A plugin that wants to give a secret away
//! can spell it otherwise.

use std::borrow::Cow;
use std::fmt;

use aho_corasick::{AhoCorasick, MatchKind};
use hookbox_core::sensitive::{HIDDEN, Mask};

/// A shorter value could not be told from ordinary text.
pub const VALUE_BYTES_MIN: usize = 6;

/// Finds the secrets of one plugin.
#[derive(Clone, Default)]
pub struct Redactor {
    /// In the order of `names`. None: there are none.
    values: Option<AhoCorasick>,
    /// What stands in for each value.
    names: Vec<String>,
    needles: Vec<String>,
    longest: usize,
    /// What is hidden of an event.
    mask: Option<Mask>,
}

impl Redactor {
    /// For these names and values.
    ///
    /// # Errors
    /// Where they are too many to look for.
    pub fn new<'a>(
        secrets: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, aho_corasick::BuildError> {
        let mut needles = Vec::new();
        let mut names = Vec::new();
        for (name, value) in secrets {
            for needle in spellings(value) {
                names.push(format!("[secret {name}]"));
                needles.push(needle);
            }
        }
        if needles.is_empty() {
            return Ok(Self::default());
        }
        let built =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&needles)?;
        let longest = needles.iter().map(String::len).max().unwrap_or_default();
        Ok(Self { values: Some(built), names, needles, longest, mask: None })
    }

    /// The same, which also hides what is hidden of an event.
    #[must_use]
    pub fn with_mask(&self, mask: Mask) -> Self {
        Self { mask: (mask.count() > 0).then_some(mask), ..self.clone() }
    }

    /// Bytes of the longest value, less one: of a text that goes on, so many at
    /// its end may be the beginning of one.
    pub fn overlap(&self) -> usize {
        let masked = self.mask.as_ref().map(Mask::longest).unwrap_or_default();
        self.longest.max(masked).saturating_sub(1)
    }

    /// The beginning of a text that goes on, without values, and how many bytes
    /// of the text that was. What begins before `cut` is in it whole: the rest of
    /// no value is left. `cut`: so that at least [`Redactor::overlap`] bytes come
    /// after it, and where a character begins.
    pub fn beginning(&self, bytes: &[u8], cut: usize) -> (Vec<u8>, usize) {
        let secrets = self.values.iter().flat_map(|values| values.find_iter(bytes));
        let secrets = secrets.map(|hit| {
            let name = self.names.get(hit.pattern().as_usize());
            (hit.range(), name.map_or(HIDDEN, String::as_str))
        });
        let hidden = self.mask.iter().flat_map(|mask| mask.places(bytes));
        let mut places: Vec<_> = secrets.chain(hidden.map(|place| (place, HIDDEN))).collect();
        places.retain(|(place, _)| place.start < cut);
        places.sort_by_key(|(place, _)| place.start);
        let (mut shown, mut end) = (Vec::with_capacity(cut), 0);
        for (place, name) in places {
            if place.start >= end {
                shown.extend_from_slice(bytes.get(end..place.start).unwrap_or_default());
                shown.extend_from_slice(name.as_bytes());
            }
            end = end.max(place.end);
        }
        shown.extend_from_slice(bytes.get(end..cut).unwrap_or_default());
        (shown, end.max(cut))
    }

    /// The text without values.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let text = match &self.values {
            Some(values) if values.is_match(text) => {
                Cow::Owned(values.replace_all(text, &self.names))
            }
            _ => Cow::Borrowed(text),
        };
        match &self.mask {
            Some(mask) => Cow::Owned(mask.text(&text).into_owned()),
            None => text,
        }
    }

    /// The bytes without values. Where an event has something to hide, what is no
    /// UTF-8 is replaced too.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.mask.is_some() {
            let text = String::from_utf8_lossy(bytes);
            return Cow::Owned(self.text(&text).into_owned().into_bytes());
        }
        match &self.values {
            Some(values) if values.is_match(bytes) => {
                Cow::Owned(values.replace_all_bytes(bytes, &self.names))
            }
            _ => Cow::Borrowed(bytes),
        }
    }
}

/// A value as it is, and as it stands in a JSON string, in a Rust string shown
/// for debugging, and in a URL or a form. Of one of several lines each line too,
/// since what is printed is looked at line by line.
fn spellings(value: &str) -> Vec<String> {
    let mut all = vec![value.to_owned()];
    let lines = value.lines().map(str::trim).filter(|line| line.len() >= VALUE_BYTES_MIN);
    all.extend(lines.map(str::to_owned));
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let path = form.replace('+', "%20");
    all.extend([lower_escapes(&form), lower_escapes(&path), form, path]);
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

/// `%3A` as `%3a`.
fn lower_escapes(text: &str) -> String {
    let mut lowered = String::with_capacity(text.len());
    let mut escape = 0;
    for c in text.chars() {
        escape = if c == '%' { 2 } else { escape };
        if escape > 0 && c != '%' {
            escape -= 1;
            lowered.push(c.to_ascii_lowercase());
        } else {
            lowered.push(c);
        }
    }
    lowered
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
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn each_line_of_a_secret_and_its_form_in_a_url_are_replaced() {
        let pairs = [("key", "-----BEGIN\n  MIIEvQ/+a==\nend\n"), ("token", "123456:AB/C d")];
        let redactor = Redactor::new(pairs.into_iter()).expect("few");
        assert_eq!(redactor.text("  MIIEvQ/+a=="), "  [secret key]");
        assert_eq!(redactor.text("the end"), "the end");
        for spelled in ["123456%3AAB%2FC%20d", "123456%3aAB%2fC%20d", "123456%3AAB%2FC+d"] {
            assert_eq!(redactor.text(&format!("/bot{spelled}/x")), "/bot[secret token]/x");
        }
    }

    #[test]
    fn a_secret_is_replaced_by_its_name_however_it_is_spelled() {
        let pairs = [
            ("token", "s3cr\"et-token"),
            ("url", "https://chat.example/services/T0/B0/xyz"),
            ("prefix", "s3cr\"et"),
        ];
        let redactor = Redactor::new(pairs.into_iter()).expect("few");
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

    #[test]
    fn what_is_hidden_of_an_event_is_hidden_with_the_secrets() {
        let document =
            r#"{"event":"livestream_edit","data":{"Livestream":{"stream_key":"k-4711-abcdef"}}}"#;
        let redactor = Redactor::new([("token", "s3cr\"et-token")].into_iter()).expect("few");
        let redactor = redactor.with_mask(Mask::of("livestream_edit", document));
        let said = "s3cr\"et-token for k-4711-abcdef";
        assert_eq!(redactor.text(said), "[secret token] for [hidden]");
        assert_eq!(redactor.bytes(said.as_bytes()).as_ref(), b"[secret token] for [hidden]");
        assert!(redactor.overlap() >= "k-4711-abcdef".len() - 1);
    }
}
