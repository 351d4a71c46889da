//! Where two JSON values differ.

use serde_json::Value;

/// Bytes of a value that are shown.
const SHOWN_CHARS_MAX: usize = 200;

/// The places at which a value is not the expected one, each in words and by its
/// JSON Pointer (RFC 6901).
pub(super) fn differences(expected: &Value, got: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(String::new(), expected, got, &mut found);
    found
}

fn compare(pointer: String, expected: &Value, got: &Value, found: &mut Vec<String>) {
    let inner = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (name, value) in expected {
                match got.get(name) {
                    Some(other) => compare(inner(name), value, other, found),
                    None => found.push(format!(
                        "{}: expected {}, got nothing",
                        inner(name),
                        shown(value)
                    )),
                }
            }
            let more = got.iter().filter(|(name, _)| !expected.contains_key(*name));
            found.extend(more.map(|(name, value)| {
                format!("{}: expected nothing, got {}", inner(name), shown(value))
            }));
        }
        (Value::Array(expected), Value::Array(got)) => {
            for (index, value) in expected.iter().enumerate() {
                let name = index.to_string();
                match got.get(index) {
                    Some(other) => compare(inner(&name), value, other, found),
                    None => found.push(format!(
                        "{}: expected {}, got nothing",
                        inner(&name),
                        shown(value)
                    )),
                }
            }
            for (index, value) in got.iter().enumerate().skip(expected.len()) {
                let name = index.to_string();
                found.push(format!("{}: expected nothing, got {}", inner(&name), shown(value)));
            }
        }
        _ if same(expected, got) => {}
        _ => {
            let place = if pointer.is_empty() { "the whole".to_owned() } else { pointer };
            found.push(format!("{place}: expected {}, got {}", shown(expected), shown(got)));
        }
    }
}

/// Numbers are the same however they are written: `1` and `1.0`.
fn same(expected: &Value, got: &Value) -> bool {
    match (expected.as_f64(), got.as_f64()) {
        (Some(expected_number), Some(number)) if !both_whole(expected, got) => {
            expected_number == number
        }
        _ => expected == got,
    }
}

fn both_whole(expected: &Value, got: &Value) -> bool {
    !expected.is_f64() && !got.is_f64()
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_is_named_by_its_pointer() {
        let expected = json!({"a": [1, {"b/c": "x"}], "gone": null, "n": 1});
        let got = json!({"a": [1, {"b/c": "y"}, 3], "more": true, "n": 1.0});
        assert_eq!(
            differences(&expected, &got),
            [
                "/a/1/b~1c: expected \"x\", got \"y\"",
                "/a/2: expected nothing, got 3",
                "/gone: expected null, got nothing",
                "/more: expected nothing, got true",
            ]
        );
        assert_eq!(differences(&json!(1), &json!("1")), ["the whole: expected 1, got \"1\""]);
        assert!(differences(&expected, &expected).is_empty());
    }
}
