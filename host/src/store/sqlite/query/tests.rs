#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::json;

use super::super::fixture::{Fixture, START_MS, event_id, filter, received};
use super::*;

/// The numbers of the events that a filter is about, from all pages.
fn found(fixture: &Fixture, filter: &Filter, limit: u32) -> Vec<u64> {
    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let page = events(&fixture.conn, filter, limit, after.as_deref()).expect("a page");
        let named = !filter.ids.is_empty();
        assert!(named || page.items.len() <= limit as usize, "{page:?}");
        let number = |item: &EventSummary| (item.received_at_ms - START_MS) / 1_000;
        numbers.extend(page.items.iter().map(number));
        after = page.next;
        if after.is_none() {
            return numbers;
        }
    }
}

/// Six events: unrouted, owed in each state, dead, and done.
fn some() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.plugin("audit", true, None);
    fixture.plugin("mail", true, Some(START_MS as i64));
    fixture.plugin("gone", false, None);
    fixture.event(1, "main", "sd_encoded", 0);
    for seq in 2..=9 {
        let source = if seq % 2 == 0 { "main" } else { "other" };
        fixture.event(seq, source, if seq < 5 { "add_video" } else { "sd_encoded" }, 1);
    }
    fixture.owe("audit", 2, 0, "pending");
    fixture.owe("audit", 3, 0, "running");
    fixture.owe("audit", 4, 0, "waiting");
    fixture.owe("mail", 4, 0, "pending");
    fixture.owe("mail", 5, 0, "running");
    fixture.owe("gone", 6, 0, "waiting");
    fixture.dead("audit", 7, false);
    fixture.dead("mail", 8, true);
    fixture.succeeded("audit", 9);
    fixture.succeeded("mail", 2);
    fixture
}

#[test]
fn each_part_of_a_filter_leaves_out_the_rest() {
    let fixture = some();
    let state = |state| filter(|f| f.state = Some(state));
    let cases = [
        (Filter::default(), vec![9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (filter(|f| f.source = Some("other".into())), vec![9, 7, 5, 3]),
        (filter(|f| f.event = Some("add_video".into())), vec![4, 3, 2]),
        (filter(|f| f.plugin = Some("mail".into())), vec![8, 5, 4, 2]),
        (filter(|f| f.since_ms = Some(received(4))), vec![9, 8, 7, 6, 5, 4]),
        (filter(|f| f.until_ms = Some(received(4))), vec![3, 2, 1]),
        (filter(|f| f.ids = vec![event_id(3), event_id(8).to_uppercase()]), vec![8, 3]),
        (filter(|f| f.ids = vec![event_id(99)]), vec![]),
        (state(State::Pending), vec![2]),
        (state(State::Running), vec![5, 3]),
        (state(State::Waiting), vec![4]),
        (state(State::Blocked), vec![]),
        (state(State::Parked), vec![6, 4]),
        (state(State::Dead), vec![7]),
        (state(State::Discarded), vec![8]),
        (state(State::Succeeded), vec![9, 2]),
        (state(State::Unrouted), vec![1]),
    ];
    for (filter, expected) in cases {
        for limit in [1, 2, 100] {
            assert_eq!(found(&fixture, &filter, limit), expected, "{filter:?}, {limit} at once");
        }
    }
}

#[test]
fn all_that_a_filter_says_must_hold_of_one_delivery() {
    let fixture = some();
    let both =
        |plugin: &str, state| filter(|f| (f.plugin, f.state) = (Some(plugin.into()), Some(state)));
    assert_eq!(found(&fixture, &both("mail", State::Parked), 9), [4]);
    assert_eq!(found(&fixture, &both("audit", State::Parked), 9), [0; 0]);
    assert_eq!(found(&fixture, &both("audit", State::Succeeded), 9), [9]);
    assert_eq!(found(&fixture, &both("audit", State::Dead), 9), [7]);
    let mut late = filter(|f| f.state = Some(State::Parked));
    late.since_ms = Some(received(5));
    assert_eq!(found(&fixture, &late, 9), [6]);
    late.ids = vec![event_id(4)];
    assert_eq!(found(&fixture, &late, 9), [0; 0]);
}

#[test]
fn the_view_and_the_query_agree_on_what_is_unrouted() {
    let mut fixture = Fixture::new();
    for seq in 1..=4 {
        fixture.event(seq, "main", "sd_encoded", 0);
    }
    fixture.owe("audit", 1, 1, "waiting");
    fixture.dead("audit", 2, true);
    fixture.succeeded("audit", 3);
    assert_eq!(found(&fixture, &filter(|f| f.state = Some(State::Unrouted)), 9), [4]);
    assert_eq!(fixture.column::<String>("SELECT event FROM unrouted"), [event_id(4)]);
}

#[test]
fn a_page_ends_after_so_many_rows_though_it_is_not_full() {
    let mut fixture = Fixture::new();
    fixture.events(ROWS_MAX as u64 + 100);
    fixture.succeeded("audit", 50);
    let filter = filter(|f| f.plugin = Some("audit".into()));
    let first = events(&fixture.conn, &filter, 10, None).expect("a page");
    assert!(first.items.is_empty());
    let second = events(&fixture.conn, &filter, 10, first.next.as_deref()).expect("a page");
    assert_eq!((second.items.len(), second.next), (1, None));
}

#[test]
fn new_events_do_not_shift_the_pages() {
    let fixture = Fixture::new();
    fixture.events(5);
    let first = events(&fixture.conn, &Filter::default(), 2, None).expect("a page");
    fixture.event(6, "main", "sd_encoded", 1);
    let second =
        events(&fixture.conn, &Filter::default(), 2, first.next.as_deref()).expect("a page");
    let ids: Vec<_> = second.items.into_iter().map(|item| item.id).collect();
    assert_eq!(ids, [event_id(3), event_id(2)]);
}

#[test]
fn a_blocked_delivery_says_what_it_waits_for() {
    let mut fixture = Fixture::new();
    fixture.events(4);
    let first = fixture.owe_about("audit", 2, 0, "running", Some("video:1"));
    let second = fixture.owe_about("audit", 3, 0, "blocked", Some("video:1"));
    fixture.owe_about("audit", 4, 0, "blocked", Some("video:1"));
    fixture.owe_about("mail", 3, 0, "running", Some("video:1"));
    fixture.owe_about("audit", 1, 1, "blocked", Some("video:1"));
    let waits = |seq| {
        let event = event(&fixture.conn, &event_id(seq)).expect("an answer").expect("an event");
        event.summary.deliveries[0].waits_for.clone()
    };
    assert_eq!(waits(2), None);
    assert_eq!(waits(3).as_ref(), Some(&first));
    assert_eq!(waits(4).as_ref(), Some(&second));
    // It came later than the one that runs, though its event is older.
    assert_eq!(waits(1).as_ref(), Some(&first));
}

#[test]
fn an_event_is_shown_with_all_that_is_known_of_it() {
    let mut fixture = some();
    fixture.owe("audit", 9, 1, "waiting");
    fixture.attempt("audit", 9, 1, "x", "waiting");
    let shown = event(&fixture.conn, &event_id(9)).expect("an answer").expect("an event");
    assert_eq!(shown.secret, "2026");
    assert_eq!(shown.summary.bytes, shown.document.len() as u64);
    let states: Vec<_> =
        shown.summary.deliveries.iter().map(|d| (d.state, d.replay, d.attempts)).collect();
    assert_eq!(states, [(State::Succeeded, false, 1), (State::Waiting, true, 2)]);
    assert_eq!(shown.summary.deliveries[1].due_at_ms, Some(START_MS));
    let attempts: Vec<_> = shown.attempts.iter().map(|a| a.became.as_str()).collect();
    assert_eq!(attempts, ["succeeded", "waiting"]);
    assert_eq!(shown.attempts[0].log.as_deref(), Some("said"));
}

/// The events of the dead letters that a filter is about, from all pages.
fn died(fixture: &Fixture, filter: &Filter, limit: u32) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = dead(&fixture.conn, filter, limit, after.as_deref()).expect("a page");
        ids.extend(page.items.into_iter().map(|item| item.delivery));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

#[test]
fn dead_letters_are_listed_newest_first_over_all_plugins() {
    let mut fixture = Fixture::new();
    fixture.events(6);
    fixture.event(7, "other", "add_video", 1);
    let plugins = ["audit", "mail", "audit", "mail", "zoo", "audit", "mail"];
    let ids: Vec<_> = (1..=7).zip(plugins).map(|(seq, p)| fixture.dead(p, seq, seq == 4)).collect();
    let of = |seqs: &[usize]| seqs.iter().map(|seq| ids[seq - 1].clone()).collect::<Vec<_>>();
    let cases = [
        (Filter::default(), of(&[7, 6, 5, 3, 2, 1])),
        (filter(|f| f.state = Some(State::Dead)), of(&[7, 6, 5, 3, 2, 1])),
        (filter(|f| f.state = Some(State::Discarded)), of(&[4])),
        (filter(|f| f.plugin = Some("mail".into())), of(&[7, 2])),
        (filter(|f| f.plugin = Some("none".into())), of(&[])),
        (filter(|f| f.source = Some("other".into())), of(&[7])),
        (filter(|f| f.event = Some("sd_encoded".into())), of(&[6, 5, 3, 2, 1])),
        (filter(|f| f.since_ms = Some(received(5) + 1_000)), of(&[7, 6, 5])),
        (filter(|f| f.until_ms = Some(received(5) + 1_000)), of(&[3, 2, 1])),
        (filter(|f| f.ids = of(&[1, 4])), of(&[4, 1])),
    ];
    for (filter, expected) in cases {
        for limit in [1, 2, 100] {
            assert_eq!(died(&fixture, &filter, limit), expected, "{filter:?}, {limit} at once");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_a_code() {
    let fixture = some();
    let events = |filter: Filter, limit, after: Option<&str>| Query::Events {
        filter,
        limit,
        after: after.map(str::to_owned),
    };
    let dead = |filter| Query::Dead { filter, limit: 1, after: None };
    let state = |state| filter(|f| f.state = Some(state));
    let mut unrouted = state(State::Unrouted);
    unrouted.plugin = Some("audit".into());
    for (query, code) in [
        (events(Filter::default(), 0, None), "invalid"),
        (events(Filter::default(), 1_001, None), "invalid"),
        (events(Filter::default(), 1, Some("x")), "invalid"),
        (events(state(State::Parked), 1, Some(&event_id(1))), "invalid"),
        (events(filter(|f| f.ids = vec![String::new(); 501]), 1, None), "invalid"),
        (events(unrouted, 1, None), "invalid"),
        (dead(state(State::Pending)), "invalid"),
        (dead(filter(|f| f.ids = vec!["x".into()])), "not-found"),
        (Query::Event { id: event_id(77) }, "not-found"),
        (Query::Event { id: "'; --".into() }, "not-found"),
    ] {
        let error = answer(&fixture.conn, &query).expect_err("an error");
        assert_eq!(error.code, code, "{query:?}: {error}");
    }
}

#[test]
fn answers_are_json_and_leave_no_transaction_open() {
    let fixture = some();
    let query = json!({"query": "events", "filter": {"state": "dead"}, "limit": 5});
    let query: Query = serde_json::from_value(query).expect("a query");
    let answer = answer(&fixture.conn, &query).expect("an answer");
    assert_eq!(answer["items"][0]["id"], event_id(7));
    assert_eq!(answer["items"][0]["deliveries"][0]["state"], "dead");
    assert_eq!(answer["items"][0]["deliveries"][0]["reason"], "rejected");
    assert!(fixture.conn.is_autocommit());
}

#[test]
fn no_question_reads_a_whole_table_or_sorts_it() {
    let fixture = some();
    for sql in [
        "SELECT id FROM events e WHERE e.id >= ?1 AND e.id < ?2 ORDER BY e.id DESC LIMIT ?3",
        "SELECT event FROM queue WHERE plugin = ?1 AND event >= ?2 AND event < ?3
         ORDER BY event DESC LIMIT 1",
        "SELECT died_at_ms, id FROM dead_letters
         WHERE plugin = ?1 AND (died_at_ms, id) < (?2, ?3) AND died_at_ms >= ?4
         ORDER BY died_at_ms DESC, id DESC LIMIT 1",
        "SELECT d.error FROM dead_letters d CROSS JOIN events e ON e.seq = d.event
         WHERE (d.event, d.id) > (?1, ?2) ORDER BY d.event, d.id LIMIT ?3",
        BEFORE,
        NOT_BLOCKED,
        notes::CHANGES,
        notes::CHANGES_OF,
        deliveries::DEAD,
        deliveries::REPLAY_OWED,
        deliveries::REPLAY_DONE,
        "SELECT 1 FROM dead_letters WHERE event = ?1 AND (?2 IS NULL OR plugin = ?2)",
    ] {
        let plan =
            fixture.conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).and_then(|mut plan| {
                let parameters = plan.parameter_count();
                let values = rusqlite::params_from_iter(vec![None::<i64>; parameters]);
                let lines = plan.query_map(values, |row| row.get::<_, String>(3))?;
                lines.collect::<rusqlite::Result<Vec<_>>>()
            });
        let plan = plan.expect(sql).join("; ");
        // A whole table, all that a plugin is owed, or a sort.
        for wrong in ["SCAN", "PRIMARY KEY (plugin=?)", "TEMP B-TREE"] {
            assert!(!plan.contains(wrong), "{sql}: {plan}");
        }
    }
}

#[test]
fn requests_are_shown_with_the_attempt_that_sent_them() {
    let fixture = Fixture::new();
    fixture.events(2);
    for (plugin, event, replay) in
        [("audit", 1, 0), ("audit", 1, 1), ("mail", 1, 0), ("audit", 2, 0)]
    {
        fixture.attempt(plugin, event, replay, "d", "succeeded");
        let sent =
            "INSERT INTO calls VALUES (?1, ?2, ?3, 1, ?4, 7, 8, 'POST', ?5, '192.0.2.1', NULL,
             'timed-out', 'too slow', 2, 'sha', x'6869', 0, NULL, x'ff')";
        for number in [2_i64, 1] {
            let url = format!("https://{plugin}/{event}/{replay}/{number}");
            fixture
                .conn
                .execute(sent, params![event as i64, plugin, replay as i64, number, url])
                .expect("a request");
        }
    }
    let shown = event(&fixture.conn, &event_id(1)).expect("an answer").expect("an event");
    let urls = |attempt: &AttemptRecord| -> Vec<String> {
        attempt.calls.iter().map(|call| call.url.clone()).collect()
    };
    assert_eq!(
        shown.attempts.iter().map(urls).collect::<Vec<_>>(),
        [
            ["https://audit/1/0/1", "https://audit/1/0/2"],
            ["https://audit/1/1/1", "https://audit/1/1/2"],
            ["https://mail/1/0/1", "https://mail/1/0/2"],
        ]
    );
    let call = shown.attempts.first().and_then(|attempt| attempt.calls.first()).expect("a call");
    assert_eq!(
        serde_json::to_value(call).expect("JSON"),
        json!({
            "started_at_ms": 7, "duration_us": 8, "method": "POST", "url": "https://audit/1/0/1",
            "address": "192.0.2.1", "status": null, "code": "timed-out", "error": "too slow",
            "request": {"bytes": 2, "sha256": "sha", "kept": {"text": "hi"}},
            "response": {"bytes": 0, "sha256": null, "kept": {"base64": "/w=="}},
        })
    );
}
