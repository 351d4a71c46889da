//! What is promised of an event that was accepted, seen from outside: the log,
//! the operators' verbs, and the journal as any SQLite tool reads it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod breaker;
mod duplicates;
mod order;
mod outcomes;
mod owed;
mod process;
mod refused;
mod retention;
mod retries;

use hookbox_tests::{Server, Site, body, plugin, text};
use rusqlite::Connection;
use serde_json::Value;

/// A body that the guest `probe` handles as it is asked to, unlike any other by
/// its number.
fn asking(event: &str, probe: &str, number: usize) -> String {
    body(event, &format!(r#","probe":"{probe}","number":{number}"#))
}

/// Code that handles whatever comes, also what the guest `probe` was asked to
/// fail with.
fn mended() -> Vec<u8> {
    plugin("audit-log")
}

/// When a line was logged: milliseconds since the Unix epoch.
fn logged_at_ms(line: &Value) -> u64 {
    let clock = Connection::open_in_memory().expect("a database");
    let ms: i64 = clock
        .query_row(
            "SELECT CAST(round(unixepoch(?1, 'subsec') * 1000) AS INTEGER)",
            [text(line, "timestamp")],
            |row| row.get(0),
        )
        .expect("a time");
    ms.unsigned_abs()
}

fn says(line: &Value, start: &str) -> bool {
    text(line, "message").starts_with(start)
}

/// Waits until a plugin has handled an event, whatever went wrong before.
fn wait_handled(server: &Server, event: &str, plugin: &str) -> Value {
    server.wait(|line| {
        says(line, "handled") && text(line, "event") == event && text(line, "plugin") == plugin
    })
}

/// Waits until a plugin's delivery of an event was given up.
fn wait_dead(server: &Server, event: &str, plugin: &str) -> Value {
    server.wait(|line| {
        says(line, "dead:") && text(line, "event") == event && text(line, "plugin") == plugin
    })
}

/// To how many plugins an accepted event is owed, by the log.
fn owed_to(server: &Server, event: &str) -> u64 {
    let line = server.wait(|line| says(line, "accepted") && text(line, "event") == event);
    line["plugins"].as_u64().expect("a number")
}

fn ids(items: &[Value], member: &str) -> Vec<String> {
    items.iter().map(|item| text(item, member).to_owned()).collect()
}

/// The one number that a statement gives.
fn number(site: &Site, statement: &str) -> i64 {
    site.journal().query_row(statement, [], |row| row.get(0)).expect(statement)
}
