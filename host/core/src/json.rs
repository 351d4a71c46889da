//! JSON that keeps what was written: members in order, duplicates, and the
//! digits of numbers.
//!
//! Grammar is `serde_json`'s (RFC 8259). Each level is taken as raw text and
//! split into its members, so a text of n bytes and d levels costs at most
//! n·d steps, with d bounded by [`NESTING_MAX`].
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

/// The error of a text that was found to be valid once, when it is split
/// further: only its strings can still be wrong.
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
        // White space by RFC 8259, section 2.
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        if text.starts_with(['{', '[']) {
            return Self::read(text, 1, |error| syntax(&error));
        }
        let scalar: &RawValue = serde_json::from_str(text).map_err(|e| syntax(&e))?;
        Self::read(scalar.get(), 1, inner)
    }

    /// `error`: what an error in splitting this text means. Splitting it finds
    /// every mistake in it but those within strings.
    fn read(
        text: &'a str,
        level: usize,
        error: fn(serde_json::Error) -> JsonError,
    ) -> Result<Self, JsonError> {
        let container = text.starts_with(['{', '[']);
        if container && level > NESTING_MAX {
            return Err(JsonError::TooDeep);
        }
        let value = match text.as_bytes().first() {
            Some(b'{') => {
                let members: Members<'a> = serde_json::from_str(text).map_err(error)?;
                let mut read = Vec::with_capacity(members.0.len());
                for (name, value) in members.0 {
                    read.push((text_of(name.get())?, Self::read(value.get(), level + 1, inner)?));
                }
                Value::Object(read)
            }
            Some(b'[') => {
                let items: Vec<&'a RawValue> = serde_json::from_str(text).map_err(error)?;
                let mut read = Vec::with_capacity(items.len());
                for item in items {
                    read.push(Self::read(item.get(), level + 1, inner)?);
                }
                Value::Array(read)
            }
            Some(b'"') => Value::String(text_of(text)?),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => Value::Number,
        };
        Ok(Self { raw: text, value, taken: Cell::new(false) })
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
