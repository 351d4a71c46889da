//! The journal as a file: later versions must open those of earlier ones, and a
//! released schema is not edited unnoticed.
//!
//! `tests/fixtures` has, of each version of the schema, a journal that a server
//! of that version left (`journal-<version>.sqlite`), and the schema's text
//! (`schema-<version>.txt`). Both are made anew, for the version of this
//! program, by
//!
//! ```text
//! cargo test -p hookbox-tests --test journal_file -- --ignored makes_the_fixture
//! ```
//!
//! once `cargo build -p hookbox` has built the server and `cargo xtask guests`
//! the plugins. Those of a released version are never made anew.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod make;

use std::fs;
use std::path::{Path, PathBuf};

use hookbox_tests::{SOURCE, Server, Site, body, plugin, text};
use rusqlite::Connection;
use serde_json::Value;

/// The year 2100, for what must not be over by the time a fixture is opened.
const FAR_MS: u64 = 4_102_444_800_000;

const LIST: [&str; 2] = ["events", "list"];

/// The plugins of a fixture. Each event of it is named after its delivery's
/// state, but for those about video 1, which only one plugin gets.
const PLUGINS: &str = r#"
[plugin.probe]
events = ["succeeded", "replayed", "rejected", "exhausted", "discarded"]
attempts_max = 2
backoff_first_ms = 0
[plugin.later]
events = ["waiting"]
backoff_first_ms = 2592000000
backoff_max_ms = 2592000000
[plugin.gone]
events = ["parked"]
[plugin.busy]
events = ["edit_video", "delete_video", "pending"]
order = "entity"
concurrency = 1
[plugin.keeper]
events = ["kept"]
keyvalue = true
"#;

/// The version from which on plugins have state, and what they sent is kept.
const WITH_STATE: u32 = 2;

/// The version from which on events are traced, plugins paused, changes noted.
const WITH_CHANGES: u32 = 3;

/// What a fixture has of these. The plugin has no file and is owed nothing.
const STEERED: &str = "
    UPDATE events SET trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
        WHERE name = 'succeeded';
    INSERT INTO plugins (name, digest, asks_for, present, deleted_at_ms, changed_at_ms, paused_at_ms)
        VALUES ('held', '', '[]', 0, 1, 1, 7);
    INSERT INTO changes (at_ms, kind, plugin, subject, actor, text)
        VALUES (7, 'paused', 'held', NULL, 'ops', 'paused');";

fn says(line: &Value, start: &str) -> bool {
    text(line, "message").starts_with(start)
}

fn asking(event: &str, probe: &str) -> String {
    let members = r#""timestamp":1614908944,"data":{"Video":{"id":"1","ids":["1"]}}"#;
    body(event, &format!(r#","probe":"{probe}",{members}"#))
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The versions that have a fixture.
fn versions() -> Vec<u32> {
    let mut versions = Vec::new();
    for entry in fs::read_dir(fixtures()).expect("the fixtures") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("text");
        if entry.path().is_dir() {
            // Of other tests, which see to it that each is used.
            continue;
        }
        let number = |start: &str, end: &str| {
            name.strip_prefix(start)?.strip_suffix(end)?.parse::<u32>().ok()
        };
        match (number("journal-", ".sqlite"), number("schema-", ".txt")) {
            (Some(version), _) => versions.push(version),
            (None, Some(version)) => {
                let journal = fixtures().join(format!("journal-{version}.sqlite"));
                assert!(journal.exists(), "{name} has no {}", journal.display());
            }
            (None, None) => panic!("no test uses the fixture {name}"),
        }
    }
    versions.sort_unstable();
    assert!(!versions.is_empty());
    versions
}

fn pragma(connection: &Connection, name: &str) -> i64 {
    connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).expect(name)
}

/// All that makes a schema: its marks, the text of each of its parts, and the
/// columns of each view and table.
fn schema(connection: &Connection) -> String {
    let mut text = format!(
        "application_id {:#x}\nuser_version {}\n",
        pragma(connection, "application_id"),
        pragma(connection, "user_version")
    );
    let rows = |statement: &str| -> Vec<(String, String)> {
        let mut statement = connection.prepare(statement).expect("a statement");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    };
    for (name, sql) in
        rows("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name")
    {
        text.push_str(&format!("\n-- {name}\n{sql};\n"));
    }
    text.push_str("\n-- columns\n");
    for (name, columns) in rows(
        "SELECT s.name, group_concat(c.name || iif(c.type = '', '', ' ' || c.type), ', ')
         FROM sqlite_schema s, pragma_table_xinfo(s.name) c
         WHERE s.type IN ('table', 'view') GROUP BY s.type, s.name",
    ) {
        text.push_str(&format!("{name}: {columns}\n"));
    }
    text
}

/// A site whose server finds a copy of a fixture, and in which every plugin but
/// `gone` handles all that it gets.
fn with_fixture(version: u32) -> Site {
    // A hundred years, so that nothing in it is too old to be kept.
    let site = Site::new(&format!("[journal]\nkeep_ms = 3155760000000\n{PLUGINS}"));
    fs::create_dir(site.path("data")).expect("a folder");
    let fixture = fixtures().join(format!("journal-{version}.sqlite"));
    fs::copy(fixture, site.path("data/journal.sqlite")).expect("copying the fixture");
    for name in ["probe", "later", "busy"] {
        site.install(name, &plugin("audit-log"));
    }
    site.install("keeper", &plugin("caller"));
    site
}

/// An event in which the plugin `keeper` counts.
fn counting() -> String {
    body("kept", r#","do":[{"kv":[{"op":"increment","key":"n"}]}]"#)
}

/// The names of events with a delivery in a state, sorted.
fn named(site: &Site, state: &str) -> Vec<String> {
    let events = site.listed(&[&LIST[..], &["--state", state]].concat());
    let mut names: Vec<String> = events.iter().map(|e| text(e, "name").to_owned()).collect();
    names.sort();
    names
}

fn event(site: &Site, name: &str) -> String {
    let found = site.listed(&[&LIST[..], &["--event", name]].concat());
    assert_eq!(found.len(), 1, "{name}");
    text(&found[0], "id").to_owned()
}

/// As a fixture was left, by the operators' verbs without a server.
fn looks_as_it_was_left(site: &Site, version: u32) {
    let kept = if version >= WITH_STATE { &["kept"][..] } else { &[] };
    for (state, names) in [
        ("succeeded", &[kept, &["replayed", "succeeded"]].concat()[..]),
        ("dead", &["exhausted", "rejected"]),
        ("discarded", &["discarded"]),
        ("waiting", &["waiting"]),
        ("parked", &["parked"]),
        ("running", &["edit_video"]),
        ("blocked", &["delete_video"]),
        ("pending", &["pending"]),
        ("unrouted", &["unrouted"]),
    ] {
        assert_eq!(named(site, state), names, "{state}");
    }
    assert_eq!(site.listed(&LIST).len(), 11 + kept.len());
    let letters = site.listed(&["dead", "list"]);
    let of = |reason: &str| letters.iter().find(|l| text(l, "reason") == reason).expect(reason);
    assert_eq!(text(of("rejected"), "error"), "asked to reject");
    assert_eq!(text(of("attempts-exhausted"), "error"), "asked to retry");
    assert_eq!(of("attempts-exhausted")["attempts"], 2);
    let replayed = site.shown(&event(site, "replayed"));
    assert_eq!(replayed["summary"]["deliveries"][1]["replay"], true);
    assert!(text(&replayed["attempts"][1], "log").contains("event=replayed"), "{replayed}");
    assert_eq!(text(&replayed, "secret"), "test");
    assert!(!text(&replayed, "document").contains("secret"), "{replayed}");
    if version >= WITH_STATE {
        assert_eq!(site.done(&["kv", "get", "keeper", "n"]), "1\n");
        let shown = site.done(&["events", "show", &event(site, "kept"), "--json", "--reveal"]);
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        let sent = &shown["attempts"][0]["calls"];
        assert_eq!(text(&sent[0], "url"), "https://chat.example/hook", "{sent}");
        assert_eq!(sent[1]["response"]["kept"]["base64"], "/wA=", "{sent}");
    }
    if version >= WITH_CHANGES {
        has_what_is_steered(site);
    }
    let waiting = site.shown(&event(site, "waiting"));
    assert_eq!(waiting["summary"]["deliveries"][0]["due_at_ms"], FAR_MS);
}

fn has_what_is_steered(site: &Site) {
    let journal = site.journal();
    let count = |sql: &str| -> i64 { journal.query_row(sql, [], |row| row.get(0)).expect(sql) };
    for sql in [
        "SELECT count(*) FROM events WHERE trace LIKE '00-0af7651916cd43dd%'",
        "SELECT count(*) FROM plugins WHERE name = 'held' AND paused_at_ms = 7",
        "SELECT count(*) FROM changes WHERE actor = 'ops' AND text = 'paused'",
    ] {
        assert_eq!(count(sql), 1, "{sql}");
    }
}

fn wait_handled(server: &Server, event: &str, attempt: u64) {
    server.wait(|line| {
        says(line, "handled") && text(line, "event") == event && line["attempt"] == attempt
    });
}

/// A server takes up what was owed.
fn goes_on(site: &Site, version: u32) {
    let [running, blocked, pending, parked, rejected, unrouted] =
        ["edit_video", "delete_video", "pending", "parked", "rejected", "unrouted"]
            .map(|name| event(site, name));
    let first = event(site, "succeeded");

    // No wait is longer than a month, or it was written by a wrong clock.
    let soon = "UPDATE queue SET due_at_ms = (unixepoch() + 3600) * 1000 WHERE due_at_ms = ?1";
    site.journal().execute(soon, [FAR_MS.cast_signed()]).expect("an hour from now");
    let server = site.serve();
    wait_handled(&server, &running, 2);
    wait_handled(&server, &blocked, 1);
    wait_handled(&server, &pending, 1);
    let letters = site.listed(&["dead", "list", "--event", "rejected"]);
    let redrive = ["dead", "redrive", text(&letters[0], "delivery")];
    assert_eq!(site.done(&redrive), "Redrove 1 dead letter.\n");
    wait_handled(&server, &rejected, 2);
    let replay = ["events", "replay", "--state", "unrouted", "--to", "probe"];
    assert_eq!(site.done(&replay), "Replayed 1 event to probe.\n");
    wait_handled(&server, &unrouted, 1);
    site.install("gone", &plugin("audit-log"));
    wait_handled(&server, &parked, 1);
    // What was seen is known, and what is new has a place.
    let again = server.post(asking("succeeded", ""));
    assert_eq!((again.event(), again.json()["duplicate"].as_bool()), (first, Some(true)));
    let new = server.post(body("succeeded", "")).event();
    wait_handled(&server, &new, 1);
    let counted = server.post(counting()).event();
    wait_handled(&server, &counted, 1);
    let n = if version >= WITH_STATE { 2 } else { 1 };
    assert_eq!(server.said(&counted, "keeper"), [format!("kv increment {n}")]);
    server.end();

    assert_eq!(named(site, "waiting"), ["waiting"]);
    assert_eq!(named(site, "dead"), ["exhausted"]);
    assert_eq!(named(site, "discarded"), ["discarded"]);
    assert_eq!(named(site, "succeeded").len(), if version >= WITH_STATE { 11 } else { 10 });
    let running = site.shown(&running);
    let outcomes: Vec<&str> = running["attempts"]
        .as_array()
        .expect("attempts")
        .iter()
        .map(|attempt| text(attempt, "outcome"))
        .collect();
    assert_eq!(outcomes, ["interrupted", "handled"]);
    let codes = "SELECT code FROM refused";
    let code: String = site.journal().query_row(codes, [], |row| row.get(0)).expect("a note");
    assert_eq!(code, "secret-wrong");
}

#[test]
fn journals_of_every_version_are_opened_and_go_on() {
    for version in versions() {
        println!("version {version}");
        let site = with_fixture(version);
        looks_as_it_was_left(&site, version);
        goes_on(&site, version);
        if version >= WITH_CHANGES {
            has_what_is_steered(&site);
        }
        // It has become a journal of the newest version, and nothing else.
        let fresh = fresh_schema();
        let columns =
            |schema: &str| schema.split_once("\n-- columns\n").expect("columns").1.to_owned();
        assert_eq!(columns(&schema(&site.journal())), columns(&fresh));
    }
}

fn fresh_schema() -> String {
    let site = Site::new("");
    site.serve().end();
    schema(&site.journal())
}

#[test]
fn a_released_schema_is_never_edited() {
    let fresh = fresh_schema();
    let version = hookbox::store::sqlite::schema::VERSION;
    let golden = |version: usize| {
        let file = fixtures().join(format!("schema-{version}.txt"));
        fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
    };
    let hint = "the schema differs from its golden text: where it was released, add a migration; \
                else make the fixture anew, see the top of this file";
    assert!(fresh == golden(version), "{hint}\n{fresh}");
    // A fixture is what its version made.
    for version in versions() {
        let site = with_fixture(version);
        let journal = site.journal();
        let version = usize::try_from(version).expect("a number");
        assert!(schema(&journal) == golden(version), "journal-{version}.sqlite: {hint}");
    }
}

/// The rows of a view by its columns' names.
fn view(site: &Site, name: &str) -> Vec<Value> {
    let journal = site.journal();
    let mut statement = journal.prepare(&format!("SELECT * FROM {name}")).expect(name);
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).expect(name);
    let mut found = Vec::new();
    while let Some(row) = rows.next().expect(name) {
        let cell = |(index, column): (usize, &String)| {
            let value = match row.get_ref(index).expect("a cell") {
                rusqlite::types::ValueRef::Integer(number) => number.into(),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                _ => Value::Null,
            };
            (column.clone(), value)
        };
        found.push(Value::Object(columns.iter().enumerate().map(cell).collect()));
    }
    found
}

#[test]
fn any_tool_can_read_the_views_while_the_server_runs() {
    let site = make::new_site();
    let server = site.serve();
    let good = server.post(asking("succeeded", "")).event();
    server.wait_done(&good, "probe");
    make::dead(&site, &server, "rejected", "reject");
    let waiting = server.post(asking("waiting", "retry-after")).event();
    server.wait_done(&waiting, "later");
    site.wait_listed(&["events", "list", "--state", "waiting"], 1);
    let unrouted = server.post(asking("unrouted", "")).event();

    let states: Vec<String> =
        view(&site, "deliveries").iter().map(|row| text(row, "state").to_owned()).collect();
    for state in ["succeeded", "dead", "waiting"] {
        assert!(states.iter().any(|have| have == state), "{states:?}");
    }
    let pending = view(&site, "pending");
    assert_eq!(pending.len(), 1, "{pending:?}");
    assert_eq!(text(&pending[0], "event"), waiting);
    assert_eq!(text(&pending[0], "state"), "waiting");
    assert_eq!((text(&pending[0], "plugin"), &pending[0]["attempts"]), ("later", &1.into()));
    for time in [text(&pending[0], "received"), text(&pending[0], "due")] {
        assert!(time.starts_with("20") && time.ends_with('Z') && time.len() == 24, "{time}");
    }
    let letters = view(&site, "dead");
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(text(&letters[0], "reason"), "rejected");
    assert_eq!(text(&letters[0], "error"), "asked to reject");
    assert_eq!(text(&letters[0], "name"), "rejected");
    let failures = view(&site, "failures_last_hour");
    let outcomes: Vec<&str> = failures.iter().map(|row| text(row, "outcome")).collect();
    assert_eq!(outcomes, ["retry-after", "rejected"], "newest first");
    assert!(failures.iter().all(|row| text(row, "blame") == "plugin"), "{failures:?}");
    let alone = view(&site, "unrouted");
    assert_eq!(alone.len(), 1, "{alone:?}");
    assert_eq!(text(&alone[0], "event"), unrouted);

    // A reader that stays in the file holds up nobody.
    let reader = site.journal();
    reader.execute_batch("BEGIN; SELECT count(*) FROM pending;").expect("a reader");
    let event = server.post(body("succeeded", "")).event();
    server.wait_done(&event, "probe");
    server.end();
    drop(reader);
    let fresh = Site::with_sources(SOURCE, "");
    fresh.serve().end();
    for name in ["pending", "dead", "failures_last_hour", "unrouted", "deliveries"] {
        assert_eq!(view(&fresh, name), [Value::Null; 0], "{name}");
    }
}
