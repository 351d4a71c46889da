#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use super::super::super::fixture::{Fixture, START_MS, event_id, filter, received};
use super::*;

/// `plugin event.replay state error` of all that a filter means, and how many are
/// on each page.
fn found(fixture: &Fixture, filter: &Filter, limit: usize) -> (Vec<String>, Vec<usize>) {
    let (mut items, mut sizes, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = page(&fixture.conn, filter, limit, after.as_deref()).expect("a page");
        sizes.push(page.items.len());
        for item in page.items {
            let event = (item.received_at_ms - START_MS) / 1_000;
            assert_eq!(item.event, event_id(event));
            let replay = u8::from(item.replay);
            let error = item.error.unwrap_or_default();
            let text = format!("{} {event}.{replay} {} {error}", item.plugin, item.state.code());
            items.push(text.trim().to_owned());
        }
        after = page.next;
        if after.is_none() {
            return (items, sizes);
        }
    }
}

fn some() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.plugin("audit", true, None);
    fixture.plugin("mail", true, Some(START_MS as i64));
    fixture.event(1, "main", "sd_encoded", 0);
    fixture.event(2, "other", "add_video", 2);
    fixture.events_from(3, 5);
    fixture.owe("audit", 2, 0, "waiting");
    fixture.succeeded("mail", 2);
    fixture.owe("audit", 3, 0, "running");
    fixture.owe("mail", 3, 0, "pending");
    fixture.dead("audit", 4, false);
    fixture.dead("mail", 4, true);
    fixture.owe("audit", 4, 1, "pending");
    fixture.succeeded("audit", 5);
    for (number, error) in [(1, "first"), (2, "second")] {
        fixture
            .conn
            .execute(
                "INSERT INTO attempts VALUES (2, 'audit', 0, ?1, 'x', 'd', 1, 1, 1, 'trap',
                 'guest', ?2, NULL, 'waiting')",
                params![number, error],
            )
            .expect("an attempt");
    }
    fixture
}

const ALL: [&str; 8] = [
    "audit 5.0 succeeded",
    "audit 4.0 dead no",
    "audit 4.1 pending",
    "mail 4.0 discarded no",
    "audit 3.0 running",
    "mail 3.0 parked",
    "audit 2.0 waiting second",
    "mail 2.0 succeeded",
];

#[test]
fn deliveries_of_all_events_are_listed_and_none_is_on_two_pages() {
    let fixture = some();
    // The last event has none, and a page that is full does not look for it.
    for (limit, expected) in
        [(1, vec![1, 3, 2, 2, 0, 0]), (2, vec![4, 2, 2, 0]), (3, vec![4, 4, 0]), (100, vec![8])]
    {
        let (items, sizes) = found(&fixture, &Filter::default(), limit);
        assert_eq!(items, ALL, "{limit} at once");
        assert_eq!(sizes, expected, "{limit} at once");
    }
}

#[test]
fn all_that_a_filter_says_must_hold_of_a_delivery() {
    let fixture = some();
    let pick = |numbers: &[usize]| -> Vec<&str> {
        numbers.iter().filter_map(|number| ALL.get(*number).copied()).collect()
    };
    let both =
        |plugin: &str, state| filter(|f| (f.plugin, f.state) = (Some(plugin.into()), Some(state)));
    let state = |state| filter(|f| f.state = Some(state));
    for (filter, expected) in [
        (filter(|f| f.plugin = Some("mail".into())), pick(&[3, 5, 7])),
        (filter(|f| f.source = Some("other".into())), pick(&[6, 7])),
        (filter(|f| f.event = Some("add_video".into())), pick(&[6, 7])),
        (filter(|f| f.until_ms = Some(received(4))), pick(&[4, 5, 6, 7])),
        (filter(|f| f.text = Some("add_video".into())), pick(&[6, 7])),
        (state(State::Succeeded), pick(&[0, 7])),
        (state(State::Dead), pick(&[1])),
        (state(State::Discarded), pick(&[3])),
        (state(State::Pending), pick(&[2])),
        (state(State::Parked), pick(&[5])),
        (both("audit", State::Succeeded), pick(&[0])),
        (both("audit", State::Parked), pick(&[])),
    ] {
        for limit in [1, 100] {
            assert_eq!(found(&fixture, &filter, limit).0, expected, "{filter:?}");
        }
    }
    let unrouted = page(&fixture.conn, &state(State::Unrouted), 9, None).expect_err("an error");
    assert_eq!(RequestError::from(unrouted).code, "invalid");
}

#[test]
fn deliveries_are_found_by_their_ids_whatever_became_of_them() {
    let mut fixture = Fixture::new();
    fixture.plugin("audit", true, None);
    fixture.events(6);
    // An event's own deliveries have its time in their ids.
    let own = |event: u64, n: u8| {
        hookbox_core::ids::DeliveryId::new(received(event), [n; 10]).to_string()
    };
    let owed = fixture.owe("audit", 1, 0, "pending");
    let done = fixture.succeeded("audit", 2);
    for (table, column, was, is) in
        [("queue", "id", &owed, own(1, 7)), ("attempts", "delivery", &done, own(2, 8))]
    {
        let update = format!("UPDATE {table} SET {column} = ?2 WHERE {column} = ?1");
        assert_eq!(fixture.conn.execute(&update, [was, &is]).expect("an update"), 1);
    }
    let dead = fixture.dead("audit", 3, false);
    let replayed = fixture.owe("audit", 4, 1, "pending");
    let again = "018f3a5c-7b1e-7d42-9c3f-5a1e6b2d8c04";
    fixture.attempt("audit", 5, 2, again, "succeeded");
    let ids = vec![
        own(1, 7).to_uppercase(),
        own(2, 8),
        dead,
        replayed,
        again.to_owned(),
        own(6, 9),
        "x".into(),
    ];
    let mut named = filter(|f| f.ids = ids);
    let expected = [
        "audit 5.1 succeeded",
        "audit 4.1 pending",
        "audit 3.0 dead no",
        "audit 2.0 succeeded",
        "audit 1.0 pending",
    ];
    assert_eq!(found(&fixture, &named, 1), (expected.map(str::to_owned).to_vec(), vec![5]));
    named.state = Some(State::Pending);
    assert_eq!(found(&fixture, &named, 9).0, ["audit 4.1 pending", "audit 1.0 pending"]);
}
