//! A call's view of state, over a source in memory.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::future::ready;

use hookbox_core::effects::state_bytes;

use super::*;
use crate::plugin::state::{Reading, StateError};

/// Keys and values of one plugin, as committed.
#[derive(Default)]
struct Fake(BTreeMap<String, Vec<u8>>);

impl StateSource for Fake {
    fn values(
        &self,
        _: &PluginName,
        keys: Vec<String>,
        bytes_max: u64,
    ) -> Reading<Vec<Option<Vec<u8>>>> {
        let values: Vec<_> = keys.iter().map(|key| self.0.get(key).cloned()).collect();
        let bytes: usize = values.iter().flatten().map(Vec::len).sum();
        let fits = bytes as u64 <= bytes_max;
        Box::pin(ready(if fits { Ok(values) } else { Err(StateError::TooLarge { bytes_max }) }))
    }

    fn measure(&self, _: &PluginName, keys: Vec<String>) -> Reading<Measured> {
        let bytes = self.0.iter().map(|(key, value)| state_bytes(key, value.len() as u64)).sum();
        let length = |key: &String| self.0.get(key).map(|value| value.len() as u64);
        Box::pin(ready(Ok(Measured { bytes, values: keys.iter().map(length).collect() })))
    }

    fn keys_after(&self, _: &PluginName, after: String, limit: usize) -> Reading<Vec<String>> {
        let keys = self.0.keys().filter(|key| **key > after).take(limit);
        Box::pin(ready(Ok(keys.cloned().collect())))
    }
}

/// A call of a plugin that keeps these, and may keep `bytes_max`.
fn call<'a>(kept: impl IntoIterator<Item = (&'a str, &'a str)>, bytes_max: u64) -> State {
    let kept = kept.into_iter().map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    State {
        source: Arc::new(Fake(kept.collect())),
        plugin: "counter".parse().expect("a name"),
        limits: Limits { changes_bytes_max: 4 << 20, bytes_max, value_bytes_max: 100 },
        changes: Changes::default(),
        cursors: BTreeMap::new(),
        last_cursor: 0,
    }
}

/// The fake is always ready.
fn now<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, String> {
    let mut work = std::pin::pin!(work);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match work.as_mut().poll(&mut context) {
        std::task::Poll::Ready(result) => result.map_err(|problem| match problem {
            Problem::Limit(message) | Problem::Other(message) => message,
        }),
        std::task::Poll::Pending => panic!("it waits"),
    }
}

fn set(state: &mut State, key: &str, value: &str) -> Result<(), String> {
    now(state.set(vec![(key.to_owned(), value.as_bytes().to_vec())]))
}

fn delete(state: &mut State, key: &str) -> Result<(), String> {
    now(state.delete(vec![key.to_owned()]))
}

fn increment(state: &mut State, key: &str, by: u64) -> Result<u64, String> {
    now(state.increment(key.to_owned(), by))
}

fn get(state: &State, key: &str) -> Option<String> {
    let value = now(state.values(&[key.to_owned()])).expect("a value").remove(0);
    value.map(|value| String::from_utf8(value).expect("text"))
}

fn changes(state: &mut State) -> Vec<(String, StateValue)> {
    state.take_changes().into_iter().map(|change| (change.key, change.value)).collect()
}

fn is(key: &str, value: StateValue) -> (String, StateValue) {
    (key.to_owned(), value)
}

#[test]
fn a_call_reads_what_it_wrote_and_only_what_it_wrote_is_changed() {
    let mut state = call([("a", "1"), ("b", "2"), ("c", "3")], 10_000);
    set(&mut state, "a", "new").expect("set");
    set(&mut state, "d", "4").expect("set");
    delete(&mut state, "b").expect("deleted");
    delete(&mut state, "nowhere").expect("deleted");
    set(&mut state, "e", "5").expect("set");
    delete(&mut state, "e").expect("deleted");
    assert_eq!(
        ["a", "b", "c", "d", "e"].map(|key| get(&state, key)),
        [Some("new".to_owned()), None, Some("3".to_owned()), Some("4".to_owned()), None]
    );
    assert_eq!(now(state.list(None)).expect("a page").keys, ["a", "c", "d"]);
    let bytes = |text: &str| StateValue::Set(text.as_bytes().to_vec());
    assert_eq!(
        changes(&mut state),
        [is("a", bytes("new")), is("b", StateValue::Delete), is("d", bytes("4"))]
    );
}

#[test]
fn what_is_only_counted_up_is_added_and_what_was_set_is_set() {
    let most = u64::MAX.to_string();
    let mut state = call([("n", "40"), ("word", "forty"), ("sign", "+1"), ("most", &most)], 10_000);
    assert_eq!(increment(&mut state, "n", 1), Ok(41));
    assert_eq!(increment(&mut state, "n", 1), Ok(42));
    assert_eq!(increment(&mut state, "new", 5), Ok(5));
    set(&mut state, "set", "7").expect("set");
    assert_eq!(increment(&mut state, "set", 1), Ok(8));
    assert_eq!(get(&state, "n"), Some("42".to_owned()));
    for key in ["word", "sign"] {
        let said = increment(&mut state, key, 1).expect_err("no number");
        assert_eq!(said, format!("the value of {key:?} is no number that can be counted up"));
    }
    assert!(increment(&mut state, "most", 1).expect_err("too large").contains("64 bits"));
    delete(&mut state, "word").expect("deleted");
    assert_eq!(increment(&mut state, "word", 2), Ok(2));
    assert_eq!(
        changes(&mut state),
        [
            is("n", StateValue::Add { by: 2, to: 42 }),
            is("new", StateValue::Add { by: 5, to: 5 }),
            is("set", StateValue::Set(b"8".to_vec())),
            is("word", StateValue::Set(b"2".to_vec())),
        ]
    );
}

#[test]
fn a_limit_says_its_name_and_value_and_what_is_less_is_still_let_in() {
    // Each key takes its byte, its value and 64.
    let mut state = call([("a", "aaaaa"), ("b", "bbbbb")], 140);
    let said = set(&mut state, "c", "").expect_err("a third key");
    assert_eq!(
        said,
        "with \"c\" the plugin would keep 205 bytes: plugin.counter.keyvalue_bytes_max is 140"
    );
    set(&mut state, "a", "a").expect("shorter");
    set(&mut state, "b", "bbbbbbbbb").expect("as long as there is room");
    assert!(set(&mut state, "b", "bbbbbbbbbb").is_err());
    delete(&mut state, "a").expect("deleted");
    set(&mut state, "c", "c").expect("room was made");

    let said = set(&mut state, "b", &"b".repeat(101)).expect_err("too long");
    assert_eq!(
        said,
        "the value of \"b\" has 101 bytes: plugin.counter.keyvalue_value_bytes_max is 100"
    );
    for (key, bytes) in [(String::new(), 0), ("k".repeat(1_025), 1_025)] {
        let said = set(&mut state, &key, "").expect_err("no key");
        assert!(said.starts_with("a key has 1 to 1024 bytes; "), "{said}");
        assert!(said.ends_with(&format!(" has {bytes}")) && said.len() < 200, "{said}");
    }
    // Of a plugin whose limit was lowered.
    let mut state = call([("a", "aaaaa"), ("b", "bbbbb")], 70);
    set(&mut state, "a", "aaaa").expect("shorter");
    delete(&mut state, "b").expect("deleted");
    assert!(set(&mut state, "b", "b").is_err());
}

#[test]
fn a_call_changes_a_bounded_number_of_keys() {
    let mut state = call([("kept", "1")], u64::MAX >> 1);
    for number in 0..CHANGES_MAX {
        set(&mut state, &number.to_string(), "").expect("a change");
    }
    let said = set(&mut state, "one more", "").expect_err("one too many");
    assert!(said.contains("one call changes 10000 keys at most"), "{said}");
    assert!(delete(&mut state, "kept").is_err());
    set(&mut state, "0", "again").expect("one that it has");
}

#[test]
fn keys_are_listed_in_order_page_by_page_with_what_the_call_changed() {
    let kept: Vec<String> = (0..2_500).map(|number| format!("k{number:04}")).collect();
    let mut state = call(kept.iter().map(|key| (key.as_str(), "")), u64::MAX >> 1);
    let mut expected = kept.clone();
    for number in 0..1_500 {
        let key = format!("k{:04}+", number / 2 + 700 * (number % 2));
        set(&mut state, &key, "").expect("a change");
        expected.push(key);
    }
    for key in kept.iter().skip(1_200).take(1_100) {
        delete(&mut state, key).expect("deleted");
    }
    expected.retain(|key| !kept.iter().skip(1_200).take(1_100).any(|gone| gone == key));
    expected.sort();
    expected.dedup();
    let (mut listed, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = now(state.list(cursor)).expect("a page");
        assert!(page.keys.len() <= PAGE_KEYS && !page.keys.is_empty());
        listed.extend(page.keys);
        (cursor, pages) = (page.cursor, pages + 1);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, expected);
    assert!(pages >= 3, "{pages} pages");
    // A cursor stays where it was, and one that never was is none.
    let again = now(state.list(Some(1))).expect("a page");
    assert_eq!(again.keys.first(), expected.get(PAGE_KEYS));
    assert!(now(state.list(Some(99))).is_err());
}

#[test]
fn values_that_are_handed_out_together_are_bounded() {
    let long = "x".repeat(1 << 20);
    let mut state = call([("long", long.as_str())], u64::MAX >> 1);
    let many = vec!["long".to_owned(); 64];
    assert_eq!(now(state.values(&many)).expect("just as many").len(), 64);
    set(&mut state, "one", "1").expect("set");
    let many = [vec!["one".to_owned()], many].concat();
    assert!(now(state.values(&many)).expect_err("too many").contains("67108863 bytes"));
}
