//! JSON that keeps what was written: members in order, duplicates, and the
//! digits of numbers.
//!
//! Grammar is `serde_json`'s (RFC 8259): it looks through each text once, and
//! finds every mistake but those within strings. Only a text that it found to be
//! valid is then split, in one pass, by [`Split`], which needs to know no more
//! of JSON than where strings end.
//!
//! Not here: any knowledge of what the members mean.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::limits::{EXTRA_MEMBERS, NESTING_MAX};

/// Why a text was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON by RFC 8259.
    #[error("not JSON: line {line}, column {column}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// In bytes, counted from 1.
        column: usize,
    },
    /// JSON, but not an object.
    #[error("not a JSON object")]
    NotAnObject,
    /// A `\uD800` to `\uDFFF` that is not half of a pair, which no Unicode
    /// text can hold.
    #[error("a string with a lone surrogate")]
    LoneSurrogate,
    /// More levels than [`NESTING_MAX`].
    #[error("nested over {NESTING_MAX} levels")]
    TooDeep,
}

/// The error of a string of a text that was found to be valid.
fn inner(_: serde_json::Error) -> JsonError {
    JsonError::LoneSurrogate
}

fn syntax(error: &serde_json::Error) -> JsonError {
    JsonError::Syntax { line: error.line(), column: error.column() }
}

/// Members of one object, in order, duplicates kept.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keep;
        impl<'de> Visitor<'de> for Keep {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Keep)
    }
}

fn text_of(quoted: &str) -> Result<Cow<'_, str>, JsonError> {
    let plain = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if plain.contains('\\') {
        serde_json::from_str(quoted).map(Cow::Owned).map_err(inner)
    } else {
        Ok(Cow::Borrowed(plain))
    }
}

/// Whether a text is JSON.
///
/// # Errors
/// [`JsonError::Syntax`].
pub fn check(text: &str) -> Result<(), JsonError> {
    serde_json::from_str::<&RawValue>(text).map(|_| ()).map_err(|error| syntax(&error))
}

/// One member of a body's top level, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopMember<'a> {
    /// The name, unescaped.
    pub name: Cow<'a, str>,
    /// The value as it was written.
    pub json: &'a str,
    /// From the name's opening quote to the end of the value, in bytes.
    pub span: Range<usize>,
}

/// A text with a member of its top level set to other JSON, and each other byte as
/// it was. A member that is not there becomes the first.
///
/// # Errors
/// As [`top_members`].
pub fn with_member(text: &str, name: &str, json: &str) -> Result<String, JsonError> {
    let members = top_members(text)?;
    if let Some(member) = members.iter().find(|member| member.name == name) {
        let begin = member.span.end.saturating_sub(member.json.len());
        let before = text.get(..begin).unwrap_or_default();
        let after = text.get(member.span.end..).unwrap_or_default();
        return Ok(format!("{before}{json}{after}"));
    }
    let (before, after) = text.split_once('{').ok_or(JsonError::NotAnObject)?;
    let comma = if members.is_empty() { "" } else { "," };
    let name = serde_json::Value::from(name);
    Ok(format!("{before}{{{name}:{json}{comma}{after}"))
}

/// Splits a text into the members of its top level without looking into them.
///
/// # Errors
/// [`JsonError::Syntax`] and [`JsonError::NotAnObject`]; a lone surrogate in a
/// member's name.
pub fn top_members(text: &str) -> Result<Vec<TopMember<'_>>, JsonError> {
    let members: Members<'_> = serde_json::from_str(text).map_err(|error| {
        // Not an object, or not even JSON: only then is it read once more.
        match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => JsonError::NotAnObject,
            Err(_) => syntax(&error),
        }
    })?;
    let at = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    members
        .0
        .into_iter()
        .map(|(name, value)| {
            Ok(TopMember {
                name: text_of(name.get())?,
                json: value.get(),
                span: at(name.get())..at(value.get()) + value.get().len(),
            })
        })
        .collect()
}

/// A text without one of its top-level members and the comma that belonged to
/// it; every other byte is as it was.
///
/// `members` is what [`top_members`] gave for `text`, `index` counts in it.
pub fn without_member(text: &str, members: &[TopMember<'_>], index: usize) -> String {
    let Some(cut) = members.get(index).map(|member| &member.span) else {
        return text.to_owned();
    };
    let previous = index.checked_sub(1).and_then(|i| members.get(i));
    let next = members.get(index + 1);
    let range = match (previous, next) {
        (Some(previous), _) => previous.span.end..cut.end,
        (None, Some(next)) => cut.start..next.span.start,
        (None, None) => cut.clone(),
    };
    let mut rest = String::with_capacity(text.len());
    rest.push_str(text.get(..range.start).unwrap_or_default());
    rest.push_str(text.get(range.end..).unwrap_or_default());
    rest
}

/// A value with the text it was written in.
#[derive(Debug)]
pub struct Node<'a> {
    /// As written.
    pub raw: &'a str,
    /// What it is.
    pub value: Value<'a>,
    /// Whether a typed field holds it. A cell, since fields are taken while
    /// the tree is shared by those who look into it.
    taken: Cell<bool>,
}

/// What a [`Node`] is.
#[derive(Debug)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number; its digits are [`Node::raw`].
    Number,
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Node<'a>>),
    /// An object: members in order, duplicates kept.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// Splits a valid text.
struct Split<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Split<'a> {
    fn wrong(&self) -> JsonError {
        JsonError::Syntax { line: 1, column: self.at + 1 }
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// White space by RFC 8259, section 2.
    fn space(&mut self) {
        while matches!(self.next(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Whether that byte is next, past white space; then it is passed.
    fn passes(&mut self, byte: u8) -> bool {
        self.space();
        let passes = self.next() == Some(byte);
        self.at += usize::from(passes);
        passes
    }

    fn since(&self, begin: usize) -> &'a str {
        self.text.get(begin..self.at).unwrap_or_default()
    }

    fn node(&mut self, level: usize) -> Result<Node<'a>, JsonError> {
        self.space();
        let begin = self.at;
        let first = self.next().ok_or_else(|| self.wrong())?;
        if matches!(first, b'{' | b'[') && level > NESTING_MAX {
            return Err(JsonError::TooDeep);
        }
        let value = match first {
            b'{' => Value::Object(self.members(level)?),
            b'[' => Value::Array(self.items(level)?),
            b'"' => Value::String(self.string()?),
            _ => {
                while !matches!(
                    self.next(),
                    None | Some(b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')
                ) {
                    self.at += 1;
                }
                match first {
                    b't' => Value::Bool(true),
                    b'f' => Value::Bool(false),
                    b'n' => Value::Null,
                    _ => Value::Number,
                }
            }
        };
        Ok(Node { raw: self.since(begin), value, taken: Cell::new(false) })
    }

    fn members(&mut self, level: usize) -> Result<Vec<(Cow<'a, str>, Node<'a>)>, JsonError> {
        self.at += 1;
        let mut members = Vec::new();
        if self.passes(b'}') {
            return Ok(members);
        }
        loop {
            self.space();
            let name = self.string()?;
            if !self.passes(b':') {
                return Err(self.wrong());
            }
            members.push((name, self.node(level + 1)?));
            if self.passes(b'}') {
                return Ok(members);
            }
            if !self.passes(b',') {
                return Err(self.wrong());
            }
        }
    }

    fn items(&mut self, level: usize) -> Result<Vec<Node<'a>>, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        if self.passes(b']') {
            return Ok(items);
        }
        loop {
            items.push(self.node(level + 1)?);
            if self.passes(b']') {
                return Ok(items);
            }
            if !self.passes(b',') {
                return Err(self.wrong());
            }
        }
    }

    /// A string, unescaped. Bytes of characters beyond ASCII never look like a
    /// quote or a backslash in UTF-8.
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        let begin = self.at;
        if self.next() != Some(b'"') {
            return Err(self.wrong());
        }
        self.at += 1;
        loop {
            match self.next() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(self.wrong()),
            }
        }
        self.at += 1;
        text_of(self.since(begin))
    }
}

/// What leaves may still take.
struct Left {
    bytes: usize,
    members: usize,
}

impl<'a> Node<'a> {
    /// Reads a whole text.
    ///
    /// # Errors
    /// All of [`JsonError`] but [`JsonError::NotAnObject`].
    pub fn parse(text: &'a str) -> Result<Self, JsonError> {
        check(text)?;
        Self::parse_valid(text)
    }

    /// Reads a text that is known to be JSON. What it makes of another is a
    /// [`JsonError::Syntax`] or nonsense, and no more than that.
    ///
    /// # Errors
    /// As [`Node::parse`].
    pub fn parse_valid(text: &'a str) -> Result<Self, JsonError> {
        let mut split = Split { text, at: 0 };
        let node = split.node(1)?;
        split.space();
        if split.at == text.len() { Ok(node) } else { Err(split.wrong()) }
    }

    /// The member of that name; where the name stands twice, the last one, as
    /// most decoders have it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Object(members) => {
                members.iter().rev().find(|(have, _)| have == name).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    /// The node that some names lead to, one after another.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// Notes that a typed field holds this node and all in it.
    pub fn take(&self) {
        self.taken.set(true);
    }

    /// Calls `visit` with the JSON Pointer (RFC 6901) of each leaf that was
    /// not taken, in the text's order. A leaf is a scalar or an empty object
    /// or array.
    ///
    /// `budget`: bytes that all pointers may take together. Where those of an
    /// object's or array's own children would not fit in what is left of it,
    /// it is visited itself, whole; so it is past [`EXTRA_MEMBERS`].
    pub fn leaves(&self, budget: usize, visit: &mut impl FnMut(&str, &'a str)) {
        let mut left = Left { bytes: budget, members: EXTRA_MEMBERS };
        self.walk(&mut String::new(), &mut left, visit);
    }

    fn walk(&self, pointer: &mut String, left: &mut Left, visit: &mut impl FnMut(&str, &'a str)) {
        if self.taken.get() {
            return;
        }
        // What the pointers of the children take: room for the separator and
        // an index, and the names with each `~` and `/` escaped.
        let (children, names) = match &self.value {
            Value::Object(members) => {
                (members.len(), members.iter().map(|(name, _)| 2 * name.len()).sum())
            }
            Value::Array(items) => (items.len(), 0),
            _ => (0, 0),
        };
        let cost = children * (pointer.len() + 8) + names;
        if children == 0 || cost > left.bytes || children > left.members {
            visit(pointer, self.raw);
            return;
        }
        left.bytes -= cost;
        left.members -= children;
        let own = pointer.len();
        let mut step = |name: &str, child: &Self| {
            if child.taken.get() {
                return;
            }
            pointer.push('/');
            if name.contains(['~', '/']) {
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            } else {
                pointer.push_str(name);
            }
            child.walk(pointer, left, visit);
            pointer.truncate(own);
        };
        match &self.value {
            Value::Object(members) => members.iter().for_each(|(name, child)| step(name, child)),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(i, child)| step(&i.to_string(), child));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
