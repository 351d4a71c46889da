#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use super::super::super::fixture::Fixture;
use super::*;

fn with_refused(count: i64) -> Fixture {
    let fixture = Fixture::new();
    fixture.conn.execute_batch("BEGIN").expect("a transaction");
    for number in 1..=count {
        let source = if number % 2 == 0 { "main" } else { "other" };
        let code = if number % 3 == 0 { "body-too-large" } else { "secret-wrong" };
        fixture
            .conn
            .execute(
                "INSERT INTO refused (at_ms, peer, source, status, code, bytes, sha256)
                 VALUES (?1, '192.0.2.1', ?2, 401, ?3, iif(?1 = 10, NULL, 7), NULL)",
                params![number * 10, source, code],
            )
            .expect("a note");
    }
    fixture.conn.execute_batch("COMMIT").expect("a transaction");
    fixture
}

/// The numbers from all pages, and how many pages these are.
fn refused(fixture: &Fixture, which: &Refused<'_>, limit: usize) -> (Vec<u64>, u32) {
    let (mut numbers, mut after, mut count) = (Vec::new(), None, 0);
    loop {
        let page = refusals(&fixture.conn, which, limit, after.as_deref()).expect("a page");
        assert!(page.items.len() <= limit);
        numbers.extend(page.items.iter().map(|item| item.id));
        after = page.next;
        count += 1;
        if after.is_none() {
            return (numbers, count);
        }
    }
}

const ANY: Refused<'_> = Refused { source: None, code: None, since_ms: None, until_ms: None };

#[test]
fn refused_requests_are_listed_newest_first_by_each_part_of_a_filter() {
    let fixture = with_refused(6);
    for limit in [1, 2, 100] {
        for (which, expected) in [
            (ANY, &[6, 5, 4, 3, 2, 1][..]),
            (Refused { source: Some("main"), ..ANY }, &[6, 4, 2]),
            (Refused { code: Some("body-too-large"), ..ANY }, &[6, 3]),
            (Refused { since_ms: Some(40), ..ANY }, &[6, 5, 4]),
            (Refused { until_ms: Some(40), source: Some("other"), ..ANY }, &[3, 1]),
            (Refused { source: Some("none"), ..ANY }, &[]),
        ] {
            assert_eq!(refused(&fixture, &which, limit).0, expected);
        }
    }
    let page = refusals(&fixture.conn, &ANY, 6, None).expect("a page");
    let oldest = page.items.last().expect("one");
    assert_eq!((oldest.at_ms, oldest.status, oldest.bytes), (10, 401, None));
}

#[test]
fn a_page_of_refused_requests_ends_after_so_many_rows() {
    let fixture = with_refused(ROWS_MAX as i64 + 10);
    let which = Refused { until_ms: Some(30), ..ANY };
    assert_eq!(refused(&fixture, &which, 9), (vec![2, 1], 2));
}

fn note(fixture: &Fixture, kind: &str, plugin: Option<&str>) {
    fixture
        .conn
        .execute(
            "INSERT INTO changes (at_ms, kind, plugin, text) VALUES (7, ?1, ?2, 'said')",
            params![kind, plugin],
        )
        .expect("a change");
}

#[test]
fn changes_are_listed_newest_first_by_plugin_and_kind() {
    let fixture = Fixture::new();
    for (kind, plugin) in [
        ("plugin-live", Some("audit")),
        ("plugin-live", Some("mail")),
        ("server-started", None),
        ("of-a-version-long-ago", Some("audit")),
        ("paused", Some("audit")),
    ] {
        note(&fixture, kind, plugin);
    }
    let live = Some(ChangeKind::PluginLive);
    for limit in [1, 2, 100] {
        for (plugin, kind, expected) in [
            (None, None, &[5, 3, 2, 1][..]),
            (Some("audit"), None, &[5, 1]),
            (None, live, &[2, 1]),
            (Some("audit"), live, &[1]),
            (Some("none"), None, &[]),
        ] {
            let (mut numbers, mut after) = (Vec::new(), None::<String>);
            loop {
                let page = changes(&fixture.conn, plugin, kind, limit, after.as_deref());
                let page = page.expect("a page");
                assert!(page.items.len() <= limit);
                numbers.extend(page.items.iter().map(|item| item.id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(numbers, expected, "{plugin:?} {kind:?}");
        }
    }
    let error = changes(&fixture.conn, None, None, 1, Some("x")).expect_err("an error");
    assert_eq!(RequestError::from(error).code, "invalid");
}
