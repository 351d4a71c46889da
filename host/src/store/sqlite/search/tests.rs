#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use super::super::fixture::{Fixture, NOW_MS, World, event_id, filter};
use super::super::query;
use super::*;
use crate::store::records::{Operation, State};

fn is_in(text: &str, body: &str) -> bool {
    Wanted::new(text).expect("a text").is_in(body.as_bytes())
}

#[test]
fn letters_of_ascii_are_alike_in_upper_and_lower_case_and_nothing_else_is() {
    for (text, body, expected) in [
        ("video", r#"{"data":{"Video":1}}"#, true),
        ("VIDEO", "the video", true),
        ("videos", "video", false),
        ("o", "video", true),
        ("x", "", false),
        ("\u{fc}ber", "\u{dc}BER", false),
        ("\u{fc}BER", "\u{fc}ber", true),
        ("[", "{", false),
        ("aab", "aaab", true),
        ("abab", "abaabab", true),
    ] {
        assert_eq!(is_in(text, body), expected, "{text:?} in {body:?}");
    }
}

#[test]
fn a_text_is_found_wherever_it_is() {
    // Against a plain search, over all short texts of two letters.
    let texts = |length: u32| {
        (0..1_u32 << length).map(move |bits| {
            (0..length).map(|n| if bits & (1 << n) == 0 { 'a' } else { 'B' }).collect::<String>()
        })
    };
    for text in (1..=4).flat_map(texts) {
        for body in (0..=9).flat_map(texts) {
            let body = body.to_ascii_uppercase();
            let plain = body.contains(&text.to_ascii_uppercase());
            assert_eq!(is_in(&text, &body), plain, "{text:?} in {body:?}");
        }
    }
}

/// Events about the videos 1, 2, 0, 1, 2, 0: see the fixture.
fn six() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.plugin("audit", true, None);
    fixture.events(5);
    fixture.event(6, "main", "ADD_Playlist", 1);
    fixture.dead("audit", 1, false);
    fixture.dead("audit", 2, false);
    fixture.owe("audit", 4, 0, "pending");
    fixture
}

fn having(text: &str) -> Filter {
    filter(|f| f.text = Some(text.to_owned()))
}

/// The ids that have it, from all pages; and how many pages these were.
fn events(fixture: &Fixture, filter: &Filter) -> (Vec<String>, u32) {
    let (mut ids, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = query::events(&fixture.conn, filter, 100, after.as_deref()).expect("a page");
        ids.extend(page.items.into_iter().map(|item| item.id));
        after = page.next;
        pages += 1;
        if after.is_none() {
            return (ids, pages);
        }
    }
}

#[test]
fn a_text_is_looked_for_in_ids_names_and_bodies() {
    let fixture = six();
    let ids = |numbers: &[u64]| numbers.iter().map(|n| event_id(*n)).collect::<Vec<_>>();
    for (text, expected) in [
        ("", &[6, 5, 4, 3, 2, 1][..]),
        (r#""ID":"1""#, &[4, 1]),
        ("add_playlist", &[6]),
        ("SD_", &[5, 4, 3, 2, 1]),
        (&event_id(3).to_uppercase(), &[3]),
        (event_id(3).get(1..).expect("the rest"), &[]),
        ("nowhere", &[]),
    ] {
        assert_eq!(events(&fixture, &having(text)).0, ids(expected), "{text:?}");
    }
    let mut owed = having(r#""id":"1""#);
    owed.state = Some(State::Pending);
    assert_eq!(events(&fixture, &owed).0, ids(&[4]));
    let letters = query::dead(&fixture.conn, &having(r#""id":"1""#), 9, None).expect("a page");
    let events: Vec<_> = letters.items.iter().map(|letter| &letter.event).collect();
    assert_eq!(events, [&event_id(1)]);
}

#[test]
fn what_is_hidden_of_an_event_is_not_found() {
    let fixture = six();
    let body = r#"{"data":{"Livestream":{"name":"Harbour","stream_key":"sk-4711","id":"sk"}}}"#;
    let change = "UPDATE events SET name = 'livestream_edit', document = ?1 WHERE seq = 5";
    fixture.conn.execute(change, [body]).expect("an update");
    for text in ["s", "sk-", "sk-4711", "SK-4", "4711"] {
        let found = events(&fixture, &having(&format!("stream_key\":\"{text}"))).0;
        assert_eq!(found, [""; 0], "{text}");
    }
    assert_eq!(events(&fixture, &having("sk-4711")).0, [""; 0]);
    for text in ["harbour", "stream_key", "Livestream\""] {
        assert_eq!(events(&fixture, &having(text)).0, [event_id(5)], "{text}");
    }
}

#[test]
fn operations_by_a_filter_look_for_its_text_too() {
    let mut fixture = six();
    let mut world = World::default();
    let (dry_run, after) = (false, None);
    let filter = having(r#""id":"1""#);
    let discard = Operation::Discard { filter: filter.clone(), dry_run, after: None };
    assert_eq!(world.run(&mut fixture, discard, |_| {}), (1, 1));
    let replay = Operation::Replay { filter, plugin: "audit".to_owned(), dry_run, after };
    assert_eq!(world.run(&mut fixture, replay, |_| {}), (2, 1));
    let queue = "SELECT event || '.' || replay FROM queue ORDER BY event, replay";
    assert_eq!(fixture.column::<String>(queue), ["1.1", "4.0", "4.1"]);
    let discarded = "SELECT event FROM dead_letters WHERE discarded_at_ms IS NOT NULL";
    assert_eq!(fixture.column::<i64>(discarded), [1]);
}

#[test]
fn a_page_ends_when_enough_of_bodies_was_read() {
    let mut fixture = Fixture::new();
    fixture.plugin("audit", true, None);
    let events_max = 20;
    fixture.events(events_max);
    for seq in 1..=events_max {
        fixture.dead("audit", seq, false);
    }
    let large = "UPDATE events SET document = '\"' || ?1 || seq || ';\"'";
    let body = "x".repeat(1024 * 1024);
    fixture.conn.execute(large, [&body]).expect("large bodies");
    let megabytes = |bytes: u64| u32::try_from(bytes >> 20).expect("a small number");
    let pages = 1 + u32::try_from(events_max).expect("a small number") / megabytes(READ_MAX);
    assert_eq!(events(&fixture, &having("x1;")), (vec![event_id(1)], pages));
    // What is left out for another reason is not read.
    let mut other = having("x1;");
    other.source = Some("other".to_owned());
    assert_eq!(events(&fixture, &other), (vec![], 1));
    let redrive = |dry_run| Operation::Redrive { filter: having("x20;"), dry_run, after: None };
    let steps = u32::try_from(events_max).expect("a small number") / megabytes(STEP_READ_MAX);
    let (count, took) = World::default().run(&mut fixture, redrive(true), |_| {});
    assert_eq!((count, took), (1, steps + 1));
    let letters = query::dead(&fixture.conn, &having("x20;"), 9, None).expect("a page");
    assert_eq!((letters.items.len(), letters.next.is_some()), (1, true));
}

#[test]
fn a_text_that_is_too_long_or_goes_with_ids_is_refused() {
    let fixture = six();
    let with_ids = filter(|f| {
        f.text = Some("x".to_owned());
        f.ids = vec![event_id(1)];
    });
    for filter in [having(&"x".repeat(TEXT_BYTES_MAX + 1)), with_ids] {
        let replay = Operation::Replay {
            filter: filter.clone(),
            plugin: "audit".to_owned(),
            dry_run: true,
            after: None,
        };
        let error = World::default().step(&fixture, &replay, NOW_MS).expect_err("an error");
        assert_eq!(error.code, "invalid", "{error}");
        for error in [
            query::events(&fixture.conn, &filter, 9, None).map(drop).expect_err("an error"),
            query::dead(&fixture.conn, &filter, 9, None).map(drop).expect_err("an error"),
        ] {
            assert_eq!(RequestError::from(error).code, "invalid");
        }
    }
    assert_eq!(events(&fixture, &having(&"x".repeat(TEXT_BYTES_MAX))).0, [""; 0]);
}
