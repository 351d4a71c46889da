//! The journal against a plain model of it: random operations, crashes, power
//! cuts and failing disks, on real files.
//!
//! `PROPTEST_CASES` sets how many; a failure prints the shortest operations that
//! show it, and a seed.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookbox::store::records::{Filter, Operation};
use hookbox::store::sqlite::{Command, Done, Journal, Limits};
use hookbox::store::{Accept, Accepted, Attempt, Claim, LivePlugin, NewDelivery, Policy, Settled};
use hookbox_core::breaker::BreakerPolicy;
use hookbox_core::effects::{StateChange, StateValue};
use hookbox_core::event::{Event, Stored};
use hookbox_core::ids::{DeliveryId, Digest, EventId, PluginName};
use hookbox_core::outcome::{Failure, FailureKind, Outcome};
use hookbox_core::retry::RetryPolicy;
use hookbox_faults::{Disk, Fault};
use proptest::prelude::*;

/// The second one is ordered by entity, the third one gets one event at a time.
const PLUGINS: [&str; 3] = ["first", "ordered", "third"];

const ATTEMPTS_MAX: u32 = 3;

#[derive(Debug, Clone)]
enum Op {
    /// An event about one of a few videos, for some of the plugins; `same`: with
    /// the body of the event before.
    Accept { plugins: u8, video: u8, same: bool },
    /// Workers that wait.
    Want { plugin: usize, workers: usize },
    /// One of those that run ends.
    Settle { which: usize, how: How },
    /// One of those that run was never begun.
    Release { which: usize },
    /// Time goes on.
    Wait { ms: u64 },
    /// Which plugins are live.
    Live { plugins: u8 },
    /// The process ends without a word; the system goes on.
    Crash,
    /// The power goes: what was not synced is lost, or a part of it.
    PowerCut { keeping: Option<u64> },
    /// The disk fails during the next batch, from that operation of it on.
    Fault { after: u64, fault: u8 },
    /// All dead letters are owed again.
    Redrive,
    /// All events are handed to a plugin once more.
    Replay { plugin: usize },
}

#[derive(Debug, Clone, Copy)]
enum How {
    Handled,
    Retry,
    Rejected,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0_u8..8, 0_u8..3, prop::bool::weighted(0.2))
            .prop_map(|(plugins, video, same)| Op::Accept { plugins, video, same }),
        4 => (0..PLUGINS.len(), 0_usize..4)
            .prop_map(|(plugin, workers)| Op::Want { plugin, workers }),
        8 => (any::<usize>(), prop_oneof![
            4 => Just(How::Handled), 2 => Just(How::Retry), 1 => Just(How::Rejected)
        ]).prop_map(|(which, how)| Op::Settle { which, how }),
        1 => any::<usize>().prop_map(|which| Op::Release { which }),
        3 => (0_u64..3_000).prop_map(|ms| Op::Wait { ms }),
        1 => (0_u8..8).prop_map(|plugins| Op::Live { plugins }),
        1 => Just(Op::Crash),
        1 => prop::option::of(any::<u64>()).prop_map(|keeping| Op::PowerCut { keeping }),
        1 => (0_u64..12, 0_u8..4).prop_map(|(after, fault)| Op::Fault { after, fault }),
        1 => Just(Op::Redrive),
        1 => (0..PLUGINS.len()).prop_map(|plugin| Op::Replay { plugin }),
    ]
}

/// Where a delivery stands, by the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Open { due_ms: u64 },
    Running,
    Dead,
    Done,
}

#[derive(Debug, Clone)]
struct Delivery {
    stand: Stand,
    attempts: u32,
    forgiven: u32,
    entity: Option<String>,
    /// Came into the queue at its own event's turn, so that order is promised.
    in_turn: bool,
}

/// By plugin, event and replay.
type Model = BTreeMap<(String, i64, i64), Delivery>;

struct World {
    folder: tempfile::TempDir,
    disk: Disk,
    journal: Option<Journal>,
    model: Model,
    running: Vec<Claim>,
    live: u8,
    wants: [usize; PLUGINS.len()],
    now_ms: u64,
    events: i64,
    last_body: Option<(String, EventId)>,
}

/// Names of disks: SQLite knows each for the life of the process.
static DISKS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static DISK: Disk = {
        let name = format!("model-{}", DISKS.fetch_add(1, Ordering::Relaxed));
        Disk::register(&name).expect("a disk")
    };
}

fn limits() -> Limits {
    Limits {
        deliveries_max: 1_000,
        keep_ms: u64::MAX,
        keep_bytes_max: u64::MAX,
        refused_max: 10,
        attempt_log_bytes_max: 100,
    }
}

fn name(plugin: usize) -> PluginName {
    PLUGINS.get(plugin).expect("a plugin").parse().expect("a name")
}

fn entity_of(event: &Event, plugin: &str) -> Option<String> {
    if plugin == "ordered" { event.entity().map(|entity| entity.to_string()) } else { None }
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = DISK.with(Disk::clone);
        disk.heal();
        disk.power_on();
        let mut world = Self {
            folder,
            disk,
            journal: None,
            model: Model::new(),
            running: Vec::new(),
            live: 7,
            wants: [0; PLUGINS.len()],
            now_ms: 1_000_000,
            events: 0,
            last_body: None,
        };
        world.open();
        world
    }

    fn open(&mut self) {
        let path = self.folder.path().join("journal.sqlite");
        // The disk's name lives as long as the process.
        let vfs: &'static str = Box::leak(self.disk.vfs().to_owned().into_boxed_str());
        let journal = Journal::open(&path, Some(vfs), limits(), self.now_ms).expect("a journal");
        self.journal = Some(journal);
        // What ran is owed again, with its attempt counted.
        for claim in std::mem::take(&mut self.running) {
            let delivery = self.delivery(&claim);
            delivery.stand = Stand::Open { due_ms: 0 };
        }
        self.wants = [0; PLUGINS.len()];
        self.set_live();
    }

    fn delivery(&mut self, claim: &Claim) -> &mut Delivery {
        let key = (claim.plugin.to_string(), claim.key.event, claim.key.replay);
        self.model.get_mut(&key).unwrap_or_else(|| panic!("{key:?} is not in the model"))
    }

    fn set_live(&mut self) {
        let policy = |ordered, serial| Policy {
            retry: RetryPolicy {
                attempts_max: ATTEMPTS_MAX,
                backoff_first_ms: 1_000,
                backoff_max_ms: 4_000,
            },
            breaker: BreakerPolicy { failures: 0, open_first_ms: 1, open_max_ms: 1 },
            ordered,
            serial,
        };
        let live = (0..PLUGINS.len()).filter(|n| self.live & (1 << n) != 0).map(|n| LivePlugin {
            name: name(n),
            digest: Digest::of(b"code"),
            asks_for: Vec::new(),
            policy: policy(n == 1, n == 2),
        });
        let command = Command::Plugins { live: live.collect(), unloadable: Vec::new() };
        self.batch(vec![command]);
    }

    fn journal(&mut self) -> &mut Journal {
        self.journal.as_mut().expect("an open journal")
    }

    /// Runs a batch; where the disk fails, mends it, opens the journal again,
    /// and gives it once more what must not be lost.
    fn batch(&mut self, commands: Vec<Command>) -> Vec<Done> {
        let now_ms = self.now_ms;
        let wants = self.wants;
        for (plugin, wants) in wants.into_iter().enumerate() {
            self.journal().set_wants(&name(plugin), wants);
        }
        let before = self.last_event();
        match self.journal().run(&commands, now_ms) {
            Ok(batch) => {
                for (command, done) in commands.iter().zip(&batch.done) {
                    self.did(command, done);
                }
                self.note_exhausted();
                batch.claims.into_iter().for_each(|claim| self.claimed(claim));
                batch.done
            }
            Err(_) => {
                self.disk.heal();
                self.journal().reopen(true, now_ms).expect("opening again");
                let mut again = Vec::new();
                for command in commands {
                    match &command {
                        // It was not acknowledged, and may be there or not.
                        Command::Accept(accept) => {
                            if self.last_event() > before {
                                self.accepted(accept);
                            }
                        }
                        Command::Operate(_) => self.believe(),
                        _ => again.push(command),
                    }
                }
                if again.is_empty() { Vec::new() } else { self.batch(again) }
            }
        }
    }

    fn last_event(&mut self) -> i64 {
        self.read("SELECT coalesce(max(seq), 0) FROM events")
    }

    /// Reads past the disk's faults.
    fn read(&mut self, text: &str) -> i64 {
        self.reader().query_row(text, [], |row| row.get(0)).expect("a number")
    }

    fn reader(&self) -> rusqlite::Connection {
        let path = self.folder.path().join("journal.sqlite");
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        rusqlite::Connection::open_with_flags_and_vfs(path, flags, self.disk.vfs())
            .expect("a reader")
    }

    fn did(&mut self, command: &Command, done: &Done) {
        match (command, done) {
            (Command::Accept(accept), Done::Accept(Ok(Accepted::New { .. }))) => {
                assert!(
                    self.last_body
                        .as_ref()
                        .is_none_or(|(body, _)| *body != accept.event.typed().document),
                    "a duplicate was taken for new"
                );
                self.accepted(accept);
            }
            (Command::Accept(accept), Done::Accept(Ok(Accepted::Duplicate { of }))) => {
                let (body, first) = self.last_body.clone().expect("an event before");
                assert_eq!((&body, *of), (&accept.event.typed().document, first));
            }
            (Command::Settle(claim, attempt), Done::Settle(settled)) => {
                let handled = attempt.outcome == Outcome::Handled;
                let delivery = self.delivery(claim);
                assert_eq!(handled, *settled == Settled::Succeeded);
                delivery.stand = match settled {
                    Settled::Succeeded => Stand::Done,
                    Settled::Waiting { until_ms } => Stand::Open { due_ms: *until_ms },
                    Settled::Dead(_) => Stand::Dead,
                };
            }
            (Command::Release(claim), Done::Nothing) => {
                let delivery = self.delivery(claim);
                delivery.stand = Stand::Open { due_ms: 0 };
                delivery.attempts -= 1;
            }
            (Command::Operate(_), Done::Operate(report)) => {
                report.as_ref().expect("a report");
                self.believe();
            }
            (Command::Plugins { .. }, Done::Nothing) => {}
            other => panic!("{other:?}"),
        }
    }

    fn accepted(&mut self, accept: &Accept) {
        let seq = self.last_event();
        self.events += 1;
        self.last_body = Some((accept.event.typed().document.clone(), accept.id));
        for new in &accept.deliveries {
            let delivery = Delivery {
                stand: Stand::Open { due_ms: 0 },
                attempts: 0,
                forgiven: 0,
                entity: entity_of(&accept.event, new.plugin.as_str()),
                in_turn: true,
            };
            self.model.insert((new.plugin.to_string(), seq, 0), delivery);
        }
    }

    fn claimed(&mut self, claim: Claim) {
        let now_ms = self.now_ms;
        let plugin = PLUGINS.iter().position(|p| *p == claim.plugin.as_str()).expect("a plugin");
        assert!(self.live & (1 << plugin) != 0, "{claim:?} of a plugin that is gone");
        let wants = self.wants.get_mut(plugin).expect("a plugin");
        assert!(*wants > 0, "nobody waits for {claim:?}");
        *wants -= 1;
        let me = (claim.plugin.to_string(), claim.key.event, claim.key.replay);
        let delivery = self.delivery(&claim).clone();
        let Stand::Open { due_ms } = delivery.stand else {
            panic!("{claim:?} is {:?}", delivery.stand)
        };
        assert!(due_ms <= now_ms, "{claim:?} before its time");
        assert_eq!(claim.attempt, delivery.attempts + 1, "attempts are counted");
        for (other, theirs) in &self.model {
            let beside = other.0 == me.0 && theirs.stand == Stand::Running;
            assert!(!(me.0 == "third" && beside), "{me:?} runs beside {other:?}");
            let same_entity = other.0 == me.0
                && other != &me
                && delivery.entity.is_some()
                && theirs.entity == delivery.entity;
            if !same_entity {
                continue;
            }
            assert_ne!(theirs.stand, Stand::Running, "{me:?} runs beside {other:?}");
            let earlier = theirs.in_turn && delivery.in_turn && other.1 < me.1;
            let open = matches!(theirs.stand, Stand::Open { .. });
            assert!(!(earlier && open), "{me:?} comes before {other:?}");
        }
        let delivery = self.delivery(&claim);
        delivery.attempts += 1;
        delivery.stand = Stand::Running;
        self.running.push(claim);
    }

    /// After an operator's change the model takes over what is new in the file;
    /// what it did has tests of its own.
    fn believe(&mut self) {
        let reader = self.reader();
        let mut statement = reader
            .prepare(
                // Some may have been claimed by the same batch.
                "SELECT plugin, event, replay, attempts - (state = 'running'), entity,
                     coalesce(due_at_ms, 0), forgiven FROM queue",
            )
            .expect("a statement");
        let mut rows = statement.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            let key: (String, i64, i64) = (
                row.get(0).expect("text"),
                row.get(1).expect("a number"),
                row.get(2).expect("a number"),
            );
            let open = self.model.get(&key).is_some_and(|delivery| {
                matches!(delivery.stand, Stand::Open { .. } | Stand::Running)
            });
            if open {
                continue;
            }
            let delivery = Delivery {
                stand: Stand::Open {
                    due_ms: row.get::<_, i64>(5).expect("a number").unsigned_abs(),
                },
                attempts: row.get(3).expect("a number"),
                forgiven: row.get(6).expect("a number"),
                entity: row.get(4).expect("text"),
                in_turn: false,
            };
            self.model.insert(key, delivery);
        }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Accept { plugins, video, same } => {
                let accept = self.accept(plugins, video, same);
                self.batch(vec![Command::Accept(accept)]);
            }
            Op::Want { plugin, workers } => {
                *self.wants.get_mut(plugin).expect("a plugin") = workers;
                self.batch(Vec::new());
            }
            Op::Settle { which, how } => {
                if !self.running.is_empty() {
                    let claim = self.running.remove(which % self.running.len());
                    self.batch(vec![Command::Settle(claim, attempt(how))]);
                }
            }
            Op::Release { which } => {
                if !self.running.is_empty() {
                    let claim = self.running.remove(which % self.running.len());
                    self.batch(vec![Command::Release(claim)]);
                }
            }
            Op::Wait { ms } => {
                self.now_ms += ms;
                self.batch(Vec::new());
            }
            Op::Live { plugins } => {
                self.live = plugins;
                self.set_live();
            }
            Op::Crash => {
                self.disk.heal();
                self.journal = None;
                self.open();
            }
            Op::PowerCut { keeping } => {
                self.disk.heal();
                match keeping {
                    Some(seed) => self.disk.power_cut_keeping(seed),
                    None => self.disk.power_cut(),
                }
                self.journal = None;
                self.disk.power_on();
                self.open();
            }
            Op::Fault { after, fault } => {
                let fault = match fault {
                    0 => Fault::Full,
                    1 => Fault::Io,
                    2 => Fault::Sync,
                    _ => Fault::ReadOnly,
                };
                self.disk.fail_after(after, fault);
            }
            Op::Redrive => {
                let filter = Filter::default();
                let redrive = Operation::Redrive { filter, dry_run: false, after: None };
                self.batch(vec![Command::Operate(redrive)]);
            }
            Op::Replay { plugin } => {
                let known = self
                    .read(&format!("SELECT count(*) FROM plugins WHERE name = '{}'", name(plugin)));
                if known == 1 {
                    let replay = Operation::Replay {
                        filter: Filter::default(),
                        plugin: name(plugin).to_string(),
                        dry_run: false,
                        after: None,
                    };
                    self.batch(vec![Command::Operate(replay)]);
                }
            }
        }
    }

    fn accept(&mut self, plugins: u8, video: u8, same: bool) -> Accept {
        let fresh = format!(
            r#"{{"event":"edit_video","timestamp":{},"data":{{"Video":{{"id":"{video}"}}}}}}"#,
            self.events + 1_000
        );
        let document = match &self.last_body {
            Some((body, _)) if same => body.clone(),
            _ => fresh,
        };
        let stored = Stored {
            source: "main".parse().expect("a name"),
            secret: "test".to_owned(),
            name: "edit_video".to_owned(),
            document,
        };
        let event = Arc::new(Event::restore(stored).expect("an event"));
        let mut random = [0; 10];
        random[..8].copy_from_slice(&DISKS.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let deliveries = (0..PLUGINS.len()).filter(|n| plugins & (1 << n) != 0).map(|n| {
            random[9] = u8::try_from(n).expect("a small number");
            NewDelivery {
                id: DeliveryId::new(self.now_ms, random),
                plugin: name(n),
                backlog_max: 1_000,
                ordered: n == 1,
            }
        });
        Accept {
            deliveries: deliveries.collect(),
            id: EventId::new(self.now_ms, random),
            event,
            received_at_ms: self.now_ms,
            duplicate_window_ms: 1 << 40,
            trace: None,
        }
    }

    /// What ended with the process in its last attempt is dead once its turn
    /// comes again; nothing else may be.
    fn note_exhausted(&mut self) {
        let exhausted: Vec<(String, i64, i64)> = self
            .model
            .iter()
            .filter(|(_, delivery)| {
                matches!(delivery.stand, Stand::Open { .. })
                    && delivery.attempts - delivery.forgiven >= ATTEMPTS_MAX
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in exhausted {
            let (plugin, event, replay) = &key;
            let dead = self.read(&format!(
                "SELECT count(*) FROM dead_letters WHERE plugin = '{plugin}' AND event = {event}
                 AND replay = {replay} AND reason = 'attempts-exhausted'"
            ));
            if dead == 1 {
                self.model.get_mut(&key).expect("a delivery").stand = Stand::Dead;
            }
        }
    }

    /// What is owed by the model is owed by the file, and nothing else.
    fn check(&mut self) {
        self.note_exhausted();
        let open = self
            .model
            .values()
            .filter(|delivery| matches!(delivery.stand, Stand::Open { .. } | Stand::Running));
        let open = open.count() as i64;
        assert_eq!(self.read("SELECT count(*) FROM queue"), open, "owed");
        assert_eq!(self.journal().owed() as i64, open, "owed, by the count in memory");
        let running = self.running.len() as i64;
        assert_eq!(self.read("SELECT count(*) FROM queue WHERE state = 'running'"), running);
        let dead = self.model.values().filter(|d| d.stand == Stand::Dead).count() as i64;
        assert_eq!(self.read("SELECT count(*) FROM dead_letters"), dead, "dead");
        assert_eq!(self.read("SELECT count(*) FROM events"), self.events, "events");
        for plugin in PLUGINS {
            let of = |key: &(String, i64, i64)| key.0 == plugin;
            let done = |d: &Delivery| d.stand == Stand::Done;
            let done = self.model.iter().filter(|(key, d)| of(key) && done(d)).count() as i64;
            let counted = self.read(&format!(
                "SELECT coalesce(max(CAST(value AS TEXT) + 0), 0) FROM state
                 WHERE plugin = '{plugin}' AND key = 'handled'"
            ));
            assert_eq!(counted, done, "each delivery that was handled counts once in {plugin}");
        }
        let sizes =
            "SELECT count(*) FROM (SELECT plugin, count(*), sum(length(key) + length(value) + 64)
             FROM state GROUP BY plugin EXCEPT SELECT plugin, keys, bytes FROM state_sizes)";
        assert_eq!(self.read(sizes), 0, "sizes of state");
    }

    /// Everything that is owed gets done.
    fn drain(&mut self) {
        self.disk.heal();
        self.live = 7;
        self.set_live();
        for _ in 0..1_000 {
            while let Some(claim) = self.running.pop() {
                self.batch(vec![Command::Settle(claim, attempt(How::Handled))]);
            }
            if self.journal().owed() == 0 {
                break;
            }
            self.now_ms += 10_000;
            self.wants = [4; PLUGINS.len()];
            self.batch(Vec::new());
        }
        self.check();
        assert_eq!(self.journal().owed(), 0, "something is stuck: {:?}", self.model);
    }
}

fn attempt(how: How) -> Attempt {
    let failed = |kind| Outcome::Failed(Failure { kind, message: "asked to".to_owned() });
    Attempt {
        digest: Digest::of(b"code"),
        generation: 1,
        started_at_ms: 1,
        duration: Duration::from_micros(20),
        outcome: match how {
            How::Handled => Outcome::Handled,
            How::Retry => failed(FailureKind::Retry),
            How::Rejected => failed(FailureKind::Rejected),
        },
        log: "said something".to_owned(),
        // Counts only with `How::Handled`.
        changes: vec![StateChange {
            key: "handled".to_owned(),
            value: StateValue::Add { by: 1, to: 1 },
        }],
        calls: Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_is_as_its_model(ops in prop::collection::vec(op(), 1..60)) {
        let mut world = World::new();
        for op in ops {
            world.run(op);
            // Only between faults can the file be read.
            world.disk.heal();
            world.check();
        }
        world.drain();
    }
}
