//! What was acknowledged is handled: a client keeps a ledger of every 200, the
//! server is killed and loses power again and again, and in the end the ledger,
//! the journal and what plugins did are held against each other.
//!
//! `HOOKBOX_LEDGER_KILLS` sets how often it is killed: 10 unless told.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use hookbox::faults::POINTS;
use hookbox_tests::{Server, Site, body, probe, text};
use serde_json::Value;

/// Both get every event.
const PLUGINS: [&str; 2] = ["first", "second"];

const SENDERS: usize = 4;

/// A sequence that is the same for the same seed (xorshift, G. Marsaglia, 2003).
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).expect("32 bits") % most
    }
}

/// What the client knows, and what plugins did.
#[derive(Default)]
struct Ledger {
    numbers: AtomicUsize,
    acknowledged: BTreeSet<String>,
    /// By event and plugin: the attempts in which the plugin said that it had it.
    effects: BTreeMap<(String, String), Vec<u64>>,
    kills: usize,
}

/// What came out.
#[derive(Debug, Default)]
struct Verdict {
    lost: usize,
    twice: usize,
    unexplained: usize,
}

impl Ledger {
    /// Sends events until that many more are acknowledged or the server is gone.
    fn send(&mut self, server: &Server, wanted: usize) {
        let left = AtomicUsize::new(wanted);
        let numbers = &self.numbers;
        let acknowledged: Vec<String> = std::thread::scope(|scope| {
            let senders: Vec<_> = (0..SENDERS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut acknowledged = Vec::new();
                        while left
                            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                                n.checked_sub(1)
                            })
                            .is_ok()
                        {
                            let number = numbers.fetch_add(1, Ordering::Relaxed);
                            let text = body("ledger", &format!(r#","n":{number}"#));
                            match server.try_post_to("/hooks/main", text) {
                                Some(reply) if reply.status == 200 => {
                                    acknowledged.push(reply.event())
                                }
                                Some(reply) => panic!("{}: {}", reply.status, reply.body),
                                None => break,
                            }
                        }
                        acknowledged
                    })
                })
                .collect();
            senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect()
        });
        self.acknowledged.extend(acknowledged);
    }

    /// Notes what plugins said in a server's life.
    fn note(&mut self, lines: &[Value]) {
        for line in lines.iter().filter(|line| text(line, "stream") == "stdout") {
            let who = (text(line, "event").to_owned(), text(line, "plugin").to_owned());
            self.effects.entry(who).or_default().push(line["attempt"].as_u64().expect("a number"));
        }
    }

    fn killed(&mut self, server: Server) {
        self.note(&server.killed());
        self.kills += 1;
    }

    /// Starts the server once more, lets it do all that is owed, ends it, and
    /// holds everything against each other.
    fn close(&mut self, site: &Site) -> Verdict {
        let journal = site.journal();
        let rows = |text: &str| -> BTreeSet<(String, String)> {
            let mut statement = journal.prepare(text).expect("a statement");
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
            rows.expect("rows").map(|row| row.expect("a row")).collect()
        };
        let known = rows("SELECT id, '' FROM events");
        let owed = rows("SELECT e.id, q.plugin FROM queue q JOIN events e ON e.seq = q.event");
        let is_known = |event: &String| known.contains(&(event.clone(), String::new()));
        let lost = self.acknowledged.iter().filter(|event| !is_known(event)).count();
        for event in self.acknowledged.iter().filter(|event| is_known(event)) {
            for plugin in PLUGINS {
                let pair = (event.clone(), plugin.to_owned());
                let done = self.effects.contains_key(&pair);
                assert!(done || owed.contains(&pair), "{pair:?} is neither done nor owed");
            }
        }
        let server = site.serve();
        // Also events that were never acknowledged, so that nothing is stuck.
        server.wait_for(owed.len(), |line| {
            let pair = (text(line, "event").to_owned(), text(line, "plugin").to_owned());
            text(line, "stream") == "stdout" && owed.contains(&pair)
        });
        self.note(&server.lines(|_| true));
        let log = server.end();
        assert!(log.contains("ended; nothing is owed"), "{log}");

        let mut verdict = Verdict { lost, ..Verdict::default() };
        for ((event, plugin), attempts) in self.effects.iter().filter(|(_, a)| a.len() > 1) {
            verdict.twice += 1;
            // Each but the last was cut off between its effect and its end.
            let mut statement = journal
                .prepare(
                    "SELECT number, outcome FROM attempts JOIN events ON seq = event
                     WHERE id = ?1 AND plugin = ?2",
                )
                .expect("a statement");
            let outcomes: BTreeMap<u64, String> = statement
                .query_map([event, plugin], |row| {
                    Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))
                })
                .expect("rows")
                .map(|row| row.expect("a row"))
                .collect();
            let (last, before) = attempts.split_last().expect("attempts");
            let explained = outcomes.get(last).is_some_and(|outcome| outcome == "handled")
                && before.iter().all(|n| outcomes.get(n).is_some_and(|o| o == "interrupted"));
            if !explained {
                println!(
                    "{event} {plugin}: effects in attempts {attempts:?}, journal {outcomes:?}"
                );
                verdict.unexplained += 1;
            }
        }
        verdict
    }

    fn tell(&self, what: &str, verdict: &Verdict) {
        println!(
            "{what}: {} ends, {} events sent, {} acknowledged, {} effects, {} lost, {} handed over \
             twice, all of these between effect and settle: {}",
            self.kills,
            self.numbers.load(Ordering::Relaxed),
            self.acknowledged.len(),
            self.effects.values().map(Vec::len).sum::<usize>(),
            verdict.lost,
            verdict.twice,
            verdict.unexplained == 0
        );
    }
}

fn site() -> Site {
    let site = Site::new(
        "[log]\nlevel = \"info\"\n[plugin_defaults]\nconcurrency = 3\nattempts_max = 50\n",
    );
    for (number, plugin) in PLUGINS.iter().enumerate() {
        site.install(plugin, &probe(number));
    }
    site
}

fn kills() -> usize {
    std::env::var("HOOKBOX_LEDGER_KILLS").map_or(10, |text| text.parse().expect("a number"))
}

fn seed() -> u64 {
    let seed = std::env::var("HOOKBOX_SEED").map_or_else(
        |_| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            u64::from(now.expect("a time").subsec_nanos())
        },
        |text| text.parse().expect("a number"),
    );
    println!("HOOKBOX_SEED={seed}");
    seed
}

#[test]
fn kills_at_random_moments_lose_nothing_that_was_acknowledged() {
    let mut chance = Chance::new(seed());
    let site = site();
    let mut ledger = Ledger::default();
    for _ in 0..kills() {
        let server = site.serve();
        let (wanted, more) = (chance.below(60), chance.below(40));
        std::thread::scope(|scope| {
            // It goes on sending while the kill comes.
            let until = server.acknowledged() + wanted;
            let (server, ledger) = (&server, &mut ledger);
            let killer = scope.spawn(move || server.kill_when_acknowledged(until));
            ledger.send(server, wanted + more + SENDERS);
            killer.join().expect("the killer");
        });
        ledger.killed(server);
    }
    let verdict = ledger.close(&site);
    ledger.tell("kill -9 at random moments", &verdict);
    assert_eq!((verdict.lost, verdict.unexplained), (0, 0), "{verdict:?}");
}

#[test]
fn kills_at_every_named_point_lose_nothing_that_was_acknowledged() {
    let mut chance = Chance::new(seed());
    let site = site();
    let mut ledger = Ledger::default();
    for point in POINTS {
        for pass in [1, 2 + chance.below(20)] {
            let server = site.serve_faulty(&format!("crash={point}:{pass}"));
            ledger.send(&server, 200);
            server.wait_ended();
            assert!(server.raw_log().contains(&format!("crash at {point}")), "{point}");
            ledger.killed(server);
        }
    }
    let verdict = ledger.close(&site);
    ledger.tell("crashes at named points", &verdict);
    assert_eq!((verdict.lost, verdict.unexplained), (0, 0), "{verdict:?}");
    assert!(verdict.twice > 0, "a crash at call.after must hand over twice");
}

/// Cuts the power at a random moment, again and again.
fn power_cuts(site: &Site, plan: &str, cuts: usize) -> Ledger {
    let mut chance = Chance::new(seed());
    let mut ledger = Ledger::default();
    for cut in 0..cuts {
        let server = site.serve_faulty(&format!("disk{plan}"));
        let (wanted, more) = (chance.below(60), chance.below(40));
        // Every other time a random part of what was not synced is kept, as real
        // disks do. Without syncing that can damage any database.
        let command = match cut % 2 {
            1 if plan.is_empty() => format!("power-cut {}", chance.below(1_000_000)),
            _ => "power-cut".to_owned(),
        };
        std::thread::scope(|scope| {
            let until = server.acknowledged() + wanted;
            let server = &server;
            let cutter = scope.spawn(move || {
                server.wait_acknowledged(until);
                site.fault(&command);
                server.wait_ended();
            });
            ledger.send(server, wanted + more + SENDERS);
            cutter.join().expect("the cutter");
        });
        ledger.killed(server);
    }
    ledger
}

#[test]
fn power_cuts_lose_nothing_that_was_acknowledged() {
    let site = site();
    let mut ledger = power_cuts(&site, "", kills());
    let verdict = ledger.close(&site);
    ledger.tell("power cuts", &verdict);
    assert_eq!((verdict.lost, verdict.unexplained), (0, 0), "{verdict:?}");
}

#[test]
fn the_power_cuts_would_find_a_journal_that_does_not_sync() {
    let site = site();
    let ledger = power_cuts(&site, ",synchronous=off", 3);
    // Not even its tables may be there.
    site.serve().end();
    let journal = site.journal();
    let kept = |event: &&String| {
        let found = journal.query_row("SELECT 1 FROM events WHERE id = ?1", [event], |_| Ok(()));
        found.is_ok()
    };
    let kept = ledger.acknowledged.iter().filter(kept).count();
    let lost = ledger.acknowledged.len() - kept;
    println!("without syncing: {} acknowledged, {lost} lost", ledger.acknowledged.len());
    assert!(lost > 0);
}
