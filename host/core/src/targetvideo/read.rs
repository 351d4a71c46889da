//! How a value is taken: the vendor's surfaces do not agree on types, so each
//! reader says what it accepts. What it does not accept stays where it is.

use crate::json::{Node, Value};

/// The first candidate that the reader accepts. It is taken, and so is each
/// later one that says the same.
pub(super) fn first<'n, 'a: 'n, T: PartialEq>(
    candidates: impl IntoIterator<Item = &'n Node<'a>>,
    read: impl Fn(&Node<'_>) -> Option<T>,
) -> Option<T> {
    let mut found = None;
    for node in candidates {
        match (read(node), &found) {
            (Some(value), None) => {
                node.take();
                found = Some(value);
            }
            (Some(value), Some(first)) if value == *first => node.take(),
            _ => {}
        }
    }
    found
}

/// A string.
pub(super) fn text(node: &Node<'_>) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.to_string()),
        _ => None,
    }
}

/// A string, or a number's digits.
pub(super) fn text_or_digits(node: &Node<'_>) -> Option<String> {
    match node.value {
        Value::Number => Some(node.raw.to_owned()),
        _ => text(node),
    }
}

/// An id: a string that is not empty, or an integer of any length.
pub(super) fn id(node: &Node<'_>) -> Option<String> {
    match &node.value {
        Value::String(text) if !text.is_empty() => Some(text.to_string()),
        Value::Number if node.raw.bytes().all(|b| b.is_ascii_digit() || b == b'-') => {
            Some(node.raw.to_owned())
        }
        _ => None,
    }
}

/// Ids: separated by commas, in an array, or a single one. At least one.
pub(super) fn ids(node: &Node<'_>) -> Option<Vec<String>> {
    let ids: Vec<String> = match &node.value {
        Value::String(list) => {
            list.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect()
        }
        Value::Array(items) => items.iter().map(id).collect::<Option<_>>()?,
        _ => id(node).into_iter().collect(),
    };
    (!ids.is_empty()).then_some(ids)
}

/// A flag: `"0"`, `"1"`, 0, 1, true, false.
pub(super) fn flag(node: &Node<'_>) -> Option<bool> {
    match (&node.value, node.raw) {
        (Value::Bool(flag), _) => Some(*flag),
        (Value::String(text), _) if text == "1" => Some(true),
        (Value::String(text), _) if text == "0" => Some(false),
        (Value::Number, "1") => Some(true),
        (Value::Number, "0") => Some(false),
        _ => None,
    }
}

/// An integer that fits, or a string of one, in its usual form: `"007"` is not
/// taken, since 7 would not say what was sent.
pub(super) fn integer(node: &Node<'_>) -> Option<i64> {
    let digits = match &node.value {
        Value::Number => node.raw,
        Value::String(text) => text,
        _ => return None,
    };
    let integer: i64 = digits.parse().ok()?;
    (integer.to_string() == digits).then_some(integer)
}
