//! A journal in memory, for tests of what operators read and change.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use hookbox_core::ids::{DeliveryId, EventId};
use rusqlite::{Connection, params};

use super::operate::{CHANGES_MAX, Context, Step, step};
use super::schema;
use crate::store::records::{Filter, Operation, RequestError};

/// When the first event of each test arrived. Each later one comes a second later.
pub(super) const START_MS: u64 = 1_790_000_000_000;

/// When operations begin.
pub(super) const NOW_MS: u64 = START_MS + 10_000_000;

pub(super) struct Fixture {
    pub(super) conn: Connection,
    deliveries: u64,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let conn = Connection::open_in_memory().expect("a database");
        for text in schema::MIGRATIONS {
            conn.execute_batch(text).expect("the schema");
        }
        Self { conn, deliveries: 0 }
    }

    /// Event number `seq`, for one plugin, or unrouted.
    pub(super) fn event(&self, seq: u64, source: &str, name: &str, deliveries: u64) -> String {
        let at = received(seq);
        let document = format!(r#"{{"event":"{name}","data":{{"Video":{{"id":"{}"}}}}}}"#, seq % 3);
        self.conn
            .execute(
                "INSERT INTO events VALUES (?1, ?2, ?3, ?4, '2026', ?5, ?6, 0, ?7, NULL)",
                params![
                    seq as i64,
                    event_id(seq),
                    source,
                    name,
                    at as i64,
                    deliveries as i64,
                    document
                ],
            )
            .expect("an event");
        event_id(seq)
    }

    /// That many events of the source `main`, each for one plugin.
    pub(super) fn events(&self, count: u64) -> Vec<String> {
        self.events_from(1, count)
    }

    /// The same from one number up to and with another.
    pub(super) fn events_from(&self, first: u64, last: u64) -> Vec<String> {
        self.conn.execute_batch("BEGIN").expect("a transaction");
        let ids = (first..=last).map(|seq| self.event(seq, "main", "sd_encoded", 1)).collect();
        self.conn.execute_batch("COMMIT").expect("a transaction");
        ids
    }

    /// One that is live, or else one whose file was deleted.
    pub(super) fn plugin(&self, name: &str, present: bool, breaker_until_ms: Option<i64>) {
        self.conn
            .execute(
                "INSERT INTO plugins (name, digest, asks_for, present, deleted_at_ms, changed_at_ms, breaker_until_ms)
                 VALUES (?1, 'd', '[]', ?2, iif(?2, NULL, 1), 0, ?3)",
                params![name, present, breaker_until_ms],
            )
            .expect("a plugin");
    }

    fn delivery(&mut self) -> String {
        self.deliveries += 1;
        delivery_id(self.deliveries)
    }

    pub(super) fn owe(&mut self, plugin: &str, event: u64, replay: u64, state: &str) -> String {
        self.owe_about(plugin, event, replay, state, None)
    }

    pub(super) fn owe_about(
        &mut self,
        plugin: &str,
        event: u64,
        replay: u64,
        state: &str,
        entity: Option<&str>,
    ) -> String {
        let id = self.delivery();
        let due = (state == "waiting").then_some(START_MS as i64);
        self.conn
            .execute(
                "INSERT INTO queue VALUES (?1, ?2, ?3, ?4, ?5, 2, 0, ?6, ?7)",
                params![plugin, event as i64, replay as i64, id, state, due, entity],
            )
            .expect("a delivery");
        id
    }

    /// It died a second after the event came.
    pub(super) fn dead(&mut self, plugin: &str, event: u64, discarded: bool) -> String {
        let id = self.delivery();
        let died = received(event) as i64 + 1_000;
        self.conn
            .execute(
                "INSERT INTO dead_letters VALUES (?1, ?2, ?3, 0, 5, ?4, 'rejected', 'no', ?5)",
                params![id, plugin, event as i64, died, discarded.then_some(died)],
            )
            .expect("a dead letter");
        id
    }

    pub(super) fn succeeded(&mut self, plugin: &str, event: u64) -> String {
        let id = self.delivery();
        self.attempt(plugin, event, 0, &id, "succeeded");
        id
    }

    pub(super) fn attempt(
        &self,
        plugin: &str,
        event: u64,
        replay: u64,
        delivery: &str,
        became: &str,
    ) {
        self.conn
            .execute(
                "INSERT INTO attempts VALUES (?1, ?2, ?3, 1, ?4, 'd', 1, ?5, 9, 'handled',
                 NULL, NULL, 'said', ?6)",
                params![
                    event as i64,
                    plugin,
                    replay as i64,
                    delivery,
                    received(event) as i64,
                    became
                ],
            )
            .expect("an attempt");
    }

    /// The first column of all rows.
    pub(super) fn column<T: rusqlite::types::FromSql>(&self, sql: &str) -> Vec<T> {
        let mut statement = self.conn.prepare(sql).expect(sql);
        let rows = statement.query_map([], |row| row.get(0)).expect(sql);
        rows.collect::<rusqlite::Result<_>>().expect(sql)
    }
}

/// What a test's server is like: which plugins are ordered, which are live.
#[derive(Default)]
pub(super) struct World {
    pub(super) ordered: Vec<&'static str>,
    pub(super) live: Vec<&'static str>,
    pub(super) ids: u64,
}

impl World {
    pub(super) fn step(
        &mut self,
        fixture: &Fixture,
        operation: &Operation,
        now_ms: u64,
    ) -> Result<Step, RequestError> {
        let Self { ordered, live, ids } = self;
        let mut context = Context {
            now_ms,
            ordered: &|name| ordered.contains(&name),
            live: &|name| live.contains(&name),
            new_id: &mut || {
                *ids += 1;
                DeliveryId::new(NOW_MS + *ids, [1; 10])
            },
        };
        let transaction = fixture.conn.unchecked_transaction().expect("a transaction");
        let step = step(&fixture.conn, operation, &mut context).expect("SQLite");
        transaction.commit().expect("a commit");
        step
    }

    /// All steps; what they concerned, and how many they were. `between` each two something else may happen.
    pub(super) fn run(
        &mut self,
        fixture: &mut Fixture,
        mut operation: Operation,
        mut between: impl FnMut(&mut Fixture),
    ) -> (u64, u32) {
        let (mut count, mut steps) = (0, 0);
        loop {
            let step = self.step(fixture, &operation, NOW_MS + u64::from(steps)).expect("a report");
            assert!(step.report.count <= CHANGES_MAX as u64);
            count += step.report.count;
            steps += 1;
            assert!(steps < 100, "it does not end");
            between(fixture);
            match step.report.next {
                Some(next) => operation = operation.resumed(next),
                None => return (count, steps),
            }
        }
    }
}

/// When event number `seq` arrived.
pub(super) fn received(seq: u64) -> u64 {
    START_MS + seq * 1_000
}

/// Its id.
pub(super) fn event_id(seq: u64) -> String {
    EventId::new(received(seq), [seq as u8; 10]).to_string()
}

/// The id of the delivery that was made as the nth.
pub(super) fn delivery_id(number: u64) -> String {
    DeliveryId::new(START_MS + number, [0; 10]).to_string()
}

/// The filter in which that is set.
pub(super) fn filter(set: impl FnOnce(&mut Filter)) -> Filter {
    let mut filter = Filter::default();
    set(&mut filter);
    filter
}
