//! Where each leaf of a body is found again once the body is typed. The tests of
//! chance and the fuzz target for bodies share it.
//!
//! Nothing here uses the code under test: texts are taken apart by `serde_json`.

use std::collections::HashSet;

use hookbox_core::targetvideo;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Members of one object, in order, duplicates kept.
pub(crate) struct Members(pub(crate) Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// Leaves of the document, but for the event's name, that are neither in a typed
/// field nor in `extra`: each with its pointer.
pub(crate) fn lost(event: &targetvideo::Event) -> Vec<(String, String)> {
    let (mut all, mut whole) = (Vec::new(), Vec::new());
    walk("", trimmed(&event.document), &mut all, &mut whole);
    let extra: HashSet<(&str, &str)> =
        event.extra.iter().map(|m| (m.pointer.as_str(), m.json.as_str())).collect();
    let fields =
        format!("{:?} {:?} {:?} {:?}", event.payload, event.scope, event.method, event.api);
    // Past a budget, whole objects and arrays are listed in place of their leaves.
    let listed_whole: Vec<String> = whole
        .iter()
        .filter(|(pointer, json)| extra.contains(&(pointer.as_str(), json.as_str())))
        .map(|(pointer, _)| format!("{pointer}/"))
        .collect();
    all.into_iter()
        .filter(|(pointer, json)| {
            pointer != "/event"
                && !extra.contains(&(pointer.as_str(), json.as_str()))
                && !listed_whole.iter().any(|whole| pointer.starts_with(whole))
                && !typed(event, &fields, pointer, json)
        })
        .collect()
}

/// Members of `extra` that are not in the document.
pub(crate) fn invented(event: &targetvideo::Event) -> Vec<(String, String)> {
    let (mut all, mut whole) = (Vec::new(), Vec::new());
    walk("", trimmed(&event.document), &mut all, &mut whole);
    all.append(&mut whole);
    let all: HashSet<(String, String)> = all.into_iter().collect();
    let extra = event.extra.iter().map(|m| (m.pointer.clone(), m.json.clone()));
    extra.filter(|member| !all.contains(member)).collect()
}

/// Without the white space around it (RFC 8259, section 2).
fn trimmed(json: &str) -> &str {
    json.trim_matches([' ', '\t', '\n', '\r'])
}

type Found = Vec<(String, String)>;

/// Each leaf of a text with its pointer, and each object or array that is none.
fn walk(pointer: &str, json: &str, leaves: &mut Found, whole: &mut Found) {
    let mut children: Vec<(String, Box<RawValue>)> = Vec::new();
    if json.starts_with('{') {
        for (name, value) in serde_json::from_str::<Members>(json).expect("members").0 {
            children.push((name.replace('~', "~0").replace('/', "~1"), value));
        }
    } else if json.starts_with('[') {
        let items: Vec<Box<RawValue>> = serde_json::from_str(json).expect("items");
        children.extend(items.into_iter().enumerate().map(|(i, item)| (i.to_string(), item)));
    }
    let of = if children.is_empty() { &mut *leaves } else { &mut *whole };
    of.push((pointer.to_owned(), json.to_owned()));
    for (name, value) in children {
        walk(&format!("{pointer}/{name}"), value.get(), leaves, whole);
    }
}

/// Whether the typed fields, shown as text in `fields`, say what the leaf says.
fn typed(event: &targetvideo::Event, fields: &str, pointer: &str, json: &str) -> bool {
    let key = pointer.rsplit('/').next().unwrap_or_default();
    let key = key.replace("~1", "/").replace("~0", "~");
    let holds = |text: &str| fields.contains(&format!("{text:?}"));
    let string = serde_json::from_str::<String>(json).ok();
    let plain = string.as_deref().unwrap_or(json);
    let flag = match plain {
        "1" => Some(true),
        "0" => Some(false),
        _ if string.is_some() => None,
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    if let Some(flag) = flag {
        let named = fields.contains(&format!("{key}: Some({flag})"))
            || fields.contains(&format!("name: {key:?}, flag: {flag}"))
            || (pointer == "/api" && event.api == Some(flag));
        if named {
            return true;
        }
    }
    if pointer == "/timestamp" && event.timestamp.is_some_and(|t| plain == t.to_string()) {
        return true;
    }
    let Some(text) = string else { return holds(json) };
    let mut ids = text.split(',').map(str::trim).filter(|id| !id.is_empty()).peekable();
    holds(&text) || (ids.peek().is_some() && ids.all(holds))
}
