//! What of a document is not shown to everyone who looks on.

use std::borrow::Cow;

/// In place of a hidden value.
pub const HIDDEN: &str = "[hidden]";

/// A document with what is sensitive hidden.
#[derive(Debug, Clone)]
pub struct Mask {
    document: String,
    values: Vec<String>,
}

impl Mask {
    /// `name`: the event's. `document`: its JSON text.
    pub fn of(name: &str, document: &str) -> Self {
        let unchanged = Self { document: document.to_owned(), values: Vec::new() };
        if !name.starts_with("livestream") {
            return unchanged;
        }
        let Ok(mut value) = serde_json::from_str(document) else { return unchanged };
        let mut values = Vec::new();
        hide(&mut value, None, &mut values);
        Self { document: value.to_string(), values }
    }

    /// The document with its sensitive values hidden.
    pub fn document(&self) -> String {
        self.document.clone()
    }

    /// How many values are hidden.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// Another text with the same values hidden.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = Cow::Owned(text.replace(value.as_str(), HIDDEN));
            }
        }
        text
    }
}

fn hide(value: &mut serde_json::Value, name: Option<&str>, hidden: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) if name != Some("event") && !text.is_empty() => {
            hidden.push(std::mem::replace(text, HIDDEN.to_owned()));
        }
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(|item| hide(item, name, hidden));
        }
        serde_json::Value::Object(members) => {
            members.iter_mut().for_each(|(name, member)| hide(member, Some(name), hidden));
        }
        _ => {}
    }
}
