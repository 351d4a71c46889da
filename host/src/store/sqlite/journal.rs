//! The journal's rules, for one thread: what each command writes, and which
//! delivery is handed out next. It decides no timing and answers nobody: that
//! is the writer's (`writer`).
//!
//! Invariants:
//! - All that a batch writes is committed as one, or nothing of it is.
//! - A delivery is in `queue` until its end is committed, together with the
//!   attempt that ended it.
//! - An attempt is counted, durably, before it begins.
//! - After a failure nothing is believed but the file, and what this process
//!   has handed out.

mod accept;
mod hand;
mod operate;
mod recover;
mod settle;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hookbox_core::breaker::Change;
use hookbox_core::ids::PluginName;
use hookbox_core::retry::DeadReason;
use rusqlite::Connection;
use tracing::{info, warn};

use super::lanes::{Lane, LaneCounts, Running};
use super::retain::Walk;
use super::rows;
use super::schema::{self, OpenError};
use crate::store::records::{ChangeKind, Operation, Report, RequestError};
use crate::store::{
    Accept, Accepted, Attempt, Claim, Key, KnownPlugin, LivePlugin, RefusedRequest, Settled,
    StoreError,
};

/// Bounds and times of the journal; see `[journal]` in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each key is documented in defaults.toml")]
pub struct Limits {
    pub deliveries_max: u64,
    pub keep_ms: u64,
    pub keep_bytes_max: u64,
    pub refused_max: u64,
    pub attempt_log_bytes_max: usize,
}

/// What can be written.
#[derive(Debug)]
pub enum Command {
    /// An event.
    Accept(Accept),
    /// The end of an attempt.
    Settle(Claim, Attempt),
    /// A claim that nobody began.
    Release(Claim),
    /// Which plugins are live; those whose file was deleted are neither live
    /// nor among the refused.
    Plugins {
        /// Those with code.
        live: Vec<LivePlugin>,
        /// Those with a file that cannot be loaded.
        unloadable: Vec<PluginName>,
    },
    /// A note of a refused request.
    Refused(RefusedRequest),
    /// A step of an operator's.
    Operate(Operation),
}

/// What became of a command.
#[derive(Debug)]
pub enum Done {
    /// Of an accept.
    Accept(Result<Accepted, StoreError>),
    /// Of a settle.
    Settle(Settled),
    /// Of an operation.
    Operate(Result<Report, RequestError>),
    /// Of the rest.
    Nothing,
}

/// What a batch did: one answer for each command, and what is handed out.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the commands' order.
    pub done: Vec<Done>,
    /// To hand out, in order.
    pub claims: Vec<Claim>,
    /// What the journal decided by itself; no more than it looked at.
    pub news: Vec<News>,
    /// Whether anything was written.
    pub committed: bool,
}

/// What the journal decided, and nobody else knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A breaker opened or closed.
    Breaker {
        /// The plugin's name.
        plugin: PluginName,
        /// [`ChangeKind::BreakerOpen`] or [`ChangeKind::BreakerClosed`].
        kind: ChangeKind,
        /// Why, in words.
        text: String,
    },
    /// A delivery was given up without a call.
    Dead {
        /// The plugin's name.
        plugin: PluginName,
        /// The event's id; empty where it cannot be read.
        event: String,
        /// The delivery's id.
        delivery: String,
        /// Why.
        reason: DeadReason,
    },
}

/// Why a batch is not known to be in the file.
#[derive(Debug)]
pub struct Failure {
    /// What SQLite says.
    pub error: rusqlite::Error,
    /// Whether it said so of a command, not of what the journal itself does.
    pub in_command: bool,
}

/// See the module's text.
pub struct Journal {
    path: PathBuf,
    vfs: Option<&'static str>,
    limits: Limits,
    connection: Connection,
    /// Whether the batch has begun to write.
    writing: bool,
    lanes: HashMap<PluginName, Lane>,
    next_seq: i64,
    owed: u64,
    /// Handed out by the batch that is being made.
    claims: Vec<Claim>,
    /// Decided by the batch that is being made.
    news: Vec<News>,
    /// Ended by the batch that is being made, with what was known of them.
    ended: Vec<(PluginName, Key, Running)>,
    walk: Walk,
}

impl Journal {
    /// Opens the file and takes up what was left. What ran when the last
    /// process ended is owed again, with its attempt counted.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        path: &Path,
        vfs: Option<&'static str>,
        limits: Limits,
        now_ms: u64,
    ) -> Result<Self, OpenError> {
        let connection = schema::open(path, vfs)?;
        let mut journal = Self {
            path: path.to_owned(),
            vfs,
            limits,
            connection,
            writing: false,
            lanes: HashMap::new(),
            next_seq: 1,
            owed: 0,
            claims: Vec::new(),
            news: Vec::new(),
            ended: Vec::new(),
            walk: Walk::default(),
        };
        journal.take_up(true, now_ms)?;
        Ok(journal)
    }

    /// Deliveries that are owed.
    pub fn owed(&self) -> u64 {
        self.owed
    }

    /// What is known in memory of each plugin, as of the last batch.
    pub fn counts(&self) -> Vec<LaneCounts> {
        let counts = |(plugin, lane): (&PluginName, &Lane)| LaneCounts {
            plugin: plugin.clone(),
            owed: lane.owed,
            running: lane.running.len() as u64,
            dead: lane.dead,
        };
        self.lanes.iter().map(counts).collect()
    }

    /// Plugins that were live, and whose files had not been deleted.
    ///
    /// # Errors
    /// SQLite's.
    pub fn known(&self) -> rusqlite::Result<Vec<KnownPlugin>> {
        let rows = rows::known(&self.connection)?;
        let known = rows.into_iter().filter_map(|(name, asks_for)| {
            let asks_for = serde_json::from_str(&asks_for).ok()?;
            Some(KnownPlugin { name: name.parse().ok()?, asks_for })
        });
        Ok(known.collect())
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn walk(&mut self) -> &mut Walk {
        &mut self.walk
    }

    /// How many workers of a plugin wait for a delivery.
    pub fn set_wants(&mut self, plugin: &PluginName, wants: usize) {
        self.lane(plugin).wants = wants;
    }

    /// When something can be handed out that cannot be now: milliseconds since
    /// the Unix epoch.
    pub fn wakes_at_ms(&self) -> Option<u64> {
        self.lanes.values().filter_map(Lane::wakes_at_ms).min()
    }

    /// Does all commands and hands out what can be, durably. Empty batches hand
    /// out what has come due.
    ///
    /// # Errors
    /// [`Failure`]. Then it is not known whether the batch is in the file, and
    /// the journal has to be opened again; commands that must not be lost are to
    /// be given once more.
    pub fn run(&mut self, commands: &[Command], now_ms: u64) -> Result<Batch, Failure> {
        let mut in_command = true;
        let result = self.attempt(commands, &mut in_command, now_ms);
        result.map_err(|error| {
            self.undo();
            Failure { error, in_command }
        })
    }

    fn attempt(
        &mut self,
        commands: &[Command],
        in_command: &mut bool,
        now_ms: u64,
    ) -> rusqlite::Result<Batch> {
        let mut done = Vec::with_capacity(commands.len());
        for command in commands {
            done.push(self.one(command, now_ms)?);
        }
        *in_command = false;
        self.hand_out(now_ms)?;
        let passed = Passed::of(commands, &self.claims);
        passed.points(["accept.written", "settle.written", "claim.written"]);
        let committed = self.writing;
        self.commit()?;
        passed.points(["accept.committed", "settle.committed", "claim.committed"]);
        self.ended.clear();
        let (claims, news) = (std::mem::take(&mut self.claims), std::mem::take(&mut self.news));
        Ok(Batch { done, claims, news, committed })
    }

    fn one(&mut self, command: &Command, now_ms: u64) -> rusqlite::Result<Done> {
        match command {
            Command::Accept(accept) => self.accept(accept, now_ms).map(Done::Accept),
            Command::Settle(claim, attempt) => {
                self.settle(claim, attempt, now_ms).map(Done::Settle)
            }
            Command::Release(claim) => self.release(claim, now_ms).map(|()| Done::Nothing),
            Command::Plugins { live, unloadable } => {
                self.plugins(live, unloadable, now_ms).map(|()| Done::Nothing)
            }
            Command::Refused(refused) => {
                self.begin()?;
                rows::insert_refused(&self.connection, refused)?;
                Ok(Done::Nothing)
            }
            Command::Operate(operation) => self.operate(operation, now_ms).map(Done::Operate),
        }
    }

    fn plugins(
        &mut self,
        live: &[LivePlugin],
        unloadable: &[PluginName],
        now_ms: u64,
    ) -> rusqlite::Result<()> {
        self.begin()?;
        rows::mark_absent(&self.connection, live, unloadable, now_ms)?;
        for plugin in live {
            rows::mark_live(&self.connection, plugin, now_ms)?;
        }
        for (name, lane) in &mut self.lanes {
            if !live.iter().any(|plugin| plugin.name == *name) && lane.live.take().is_some() {
                // Who comes back starts afresh.
                let _closed = lane.breaker.reset();
                if lane.owed > 0 {
                    let owed = lane.owed;
                    warn!(plugin = %name, owed, "parked: what is owed to the plugin waits until it is live again");
                }
            }
        }
        for plugin in live {
            let lane = self.lane(&plugin.name);
            let same_code = lane.live.as_ref().is_some_and(|old| old.digest == plugin.digest);
            if !same_code {
                tell(&plugin.name, lane.breaker.reset(), now_ms);
            }
            lane.policy = Some(plugin.policy);
            lane.live = Some(plugin.clone());
        }
        Ok(())
    }

    fn lane(&mut self, name: &PluginName) -> &mut Lane {
        if !self.lanes.contains_key(name) {
            self.lanes.insert(name.clone(), Lane::new());
        }
        self.lanes.entry(name.clone()).or_insert_with(Lane::new)
    }

    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        if !self.writing {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            self.writing = true;
        }
        Ok(())
    }

    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        if self.writing {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            self.writing = false;
        }
        Ok(())
    }

    /// After a failed batch: nobody got what it handed out.
    pub(super) fn undo(&mut self) {
        let _also_fails_if_the_disk_does = self.connection.execute_batch("ROLLBACK");
        self.writing = false;
        self.news.clear();
        for claim in std::mem::take(&mut self.claims) {
            let lane = self.lane(&claim.plugin);
            lane.wants += 1;
            if let Some(permit) = lane.running.remove(&claim.key).and_then(|r| r.permit) {
                lane.breaker.give_back(permit);
            }
        }
        for (plugin, key, running) in std::mem::take(&mut self.ended) {
            self.lane(&plugin).running.insert(key, running);
        }
    }
}

/// Which kinds of change a batch has, for the points at which tests crash it.
struct Passed([bool; 3]);

impl Passed {
    fn of(commands: &[Command], claims: &[Claim]) -> Self {
        let any = |choose: fn(&Command) -> bool| crate::faults::ON && commands.iter().any(choose);
        Self([
            any(|command| matches!(command, Command::Accept(_))),
            any(|command| matches!(command, Command::Settle(..))),
            crate::faults::ON && !claims.is_empty(),
        ])
    }

    fn points(&self, names: [&str; 3]) {
        let passed = self.0.iter().zip(names).filter(|(passed, _)| **passed);
        passed.for_each(|(_, name)| crate::faults::point(name));
    }
}

fn tell(plugin: &PluginName, change: Option<Change>, now_ms: u64) {
    match change {
        Some(Change::Opened { until_ms, consecutive }) => warn!(
            %plugin, failures = consecutive, for_ms = until_ms.saturating_sub(now_ms),
            "breaker opened: the plugin gets nothing until then"
        ),
        Some(Change::Closed) => info!(%plugin, "breaker closed: the plugin gets events again"),
        None => {}
    }
}
