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

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookbox_core::breaker::{Change, Verdict};
use hookbox_core::ids::PluginName;
use hookbox_core::outcome::Outcome;
use hookbox_core::retry::{DeadReason, Next};
use rusqlite::Connection;
use tracing::{error, info, warn};

use super::lanes::{Lane, Ready, Running};
use super::operate;
use super::retain::Walk;
use super::rows::{self, Dead, Place};
use super::schema::{self, OpenError};
use crate::store::records::{Operation, Report, RequestError};
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
}

/// See the module's text.
pub struct Journal {
    path: PathBuf,
    vfs: Option<&'static str>,
    limits: Limits,
    pub(super) connection: Connection,
    /// Whether the batch has begun to write.
    writing: bool,
    pub(super) lanes: HashMap<PluginName, Lane>,
    next_seq: i64,
    owed: u64,
    /// Handed out by the batch that is being made.
    claims: Vec<Claim>,
    /// Ended by the batch that is being made.
    ended: Vec<(PluginName, Key)>,
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
            ended: Vec::new(),
            walk: Walk::default(),
        };
        journal.take_up(true, now_ms)?;
        Ok(journal)
    }

    /// Opens the file anew after a failure, and checks it where `doubtful`. What
    /// this process handed out stays so.
    ///
    /// # Errors
    /// See [`OpenError`]. The journal stays unusable.
    pub fn reopen(&mut self, doubtful: bool, now_ms: u64) -> Result<(), OpenError> {
        // Replaced first, so that the failed one is closed before the new one opens.
        self.connection = Connection::open_in_memory()?;
        self.writing = false;
        self.connection = schema::open(&self.path, self.vfs)?;
        if doubtful {
            schema::check(&self.connection)?;
            schema::write_again(&self.connection)?;
        } else {
            // It frees the log where there is room for that already.
            let _later = schema::write_again(&self.connection);
        }
        self.take_up(false, now_ms)
    }

    /// Deliveries that are owed.
    pub fn owed(&self) -> u64 {
        self.owed
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

    /// Plugins that are owed anything.
    pub(super) fn owing_plugins(&self) -> Vec<String> {
        let owing = self.lanes.iter().filter(|(_, lane)| lane.owed > 0);
        owing.map(|(name, _)| name.to_string()).collect()
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
    /// SQLite's. Then it is not known whether the batch is in the file, and the
    /// journal has to be opened again; commands that must not be lost are to be
    /// given once more.
    pub fn run(&mut self, commands: &[Command], now_ms: u64) -> rusqlite::Result<Batch> {
        let result = self.attempt(commands, now_ms);
        if result.is_err() {
            self.undo();
        }
        result
    }

    fn attempt(&mut self, commands: &[Command], now_ms: u64) -> rusqlite::Result<Batch> {
        let mut done = Vec::with_capacity(commands.len());
        for command in commands {
            done.push(self.one(command, now_ms)?);
        }
        self.hand_out(now_ms)?;
        let passed = Passed::of(commands, &self.claims);
        passed.points(["accept.written", "settle.written", "claim.written"]);
        self.commit()?;
        passed.points(["accept.committed", "settle.committed", "claim.committed"]);
        for (plugin, key) in std::mem::take(&mut self.ended) {
            self.lane(&plugin).running.remove(&key);
        }
        Ok(Batch { done, claims: std::mem::take(&mut self.claims) })
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

    fn accept(
        &mut self,
        accept: &Accept,
        now_ms: u64,
    ) -> rusqlite::Result<Result<Accepted, StoreError>> {
        if accept.duplicate_window_ms > 0
            && let Some(of) = rows::seen(&self.connection, &accept.event, now_ms)?
        {
            return Ok(Ok(Accepted::Duplicate { of }));
        }
        if self.owed + accept.deliveries.len() as u64 > self.limits.deliveries_max
            && !accept.deliveries.is_empty()
        {
            return Ok(Err(StoreError::Full));
        }
        self.begin()?;
        let seq = self.next_seq;
        self.next_seq += 1;
        rows::insert_event(&self.connection, seq, accept)?;
        if accept.duplicate_window_ms > 0 {
            let until_ms = now_ms.saturating_add(accept.duplicate_window_ms);
            rows::insert_seen(&self.connection, accept, until_ms)?;
        }
        let mut overflowed = Vec::new();
        for new in &accept.deliveries {
            let lane = self.lanes.entry(new.plugin.clone()).or_insert_with(Lane::new);
            let key = Key { event: seq, replay: 0 };
            let place = Place { plugin: &new.plugin, key };
            if lane.owed >= new.backlog_max {
                let id = new.id.to_string();
                let reason = DeadReason::BacklogFull;
                let dead = Dead { place, id: &id, attempts: 0, reason, error: None };
                rows::insert_dead(&self.connection, &dead, now_ms)?;
                overflowed.push(new.plugin.clone());
                continue;
            }
            let entity = if new.ordered { accept.event.entity() } else { None };
            let entity = entity.map(|entity| entity.to_string());
            let blocked = match &entity {
                Some(entity) => {
                    rows::entity_is_open(&self.connection, new.plugin.as_str(), entity)?
                }
                None => false,
            };
            lane.owed += 1;
            self.owed += 1;
            let ready = Ready {
                key,
                delivery: new.id,
                event_id: accept.id,
                event: Arc::clone(&accept.event),
                received_at_ms: accept.received_at_ms,
                attempts: 0,
                forgiven: 0,
            };
            let permit = if !blocked && lane.takes_at_once(now_ms) {
                lane.breaker.begin(now_ms)
            } else {
                None
            };
            let state = match (blocked, permit.is_some()) {
                (true, _) => "blocked",
                (false, true) => "running",
                (false, false) => "pending",
            };
            let id = new.id.to_string();
            rows::insert_delivery(&self.connection, place, &id, state, entity.as_deref())?;
            if permit.is_some() {
                lane.wants -= 1;
                lane.cursor = seq;
                lane.running.insert(key, Running { permit, decided: None });
                self.claims.push(ready.claim(&new.plugin));
            } else if !blocked && !lane.behind && lane.fresh.has_room() {
                lane.cursor = seq;
                lane.fresh.push(ready);
            } else if !blocked {
                lane.behind = true;
            }
        }
        Ok(Ok(Accepted::New { overflowed }))
    }

    fn settle(
        &mut self,
        claim: &Claim,
        attempt: &Attempt,
        now_ms: u64,
    ) -> rusqlite::Result<Settled> {
        self.begin()?;
        let lane = self.lanes.entry(claim.plugin.clone()).or_insert_with(Lane::new);
        let policy = lane.policy;
        let running = lane.running.entry(claim.key).or_default();
        if let Some(permit) = running.permit.take()
            && let Some(policy) = policy
        {
            let verdict = Verdict::from(&attempt.outcome);
            let change = lane.breaker.end(permit, verdict, now_ms, &policy.breaker);
            tell(&claim.plugin, change, now_ms);
        }
        let counted = claim.attempt.saturating_sub(claim.forgiven);
        let next = *running.decided.get_or_insert_with(|| match (policy, &attempt.outcome) {
            (Some(policy), outcome) => policy.retry.after(outcome, counted, now_ms, random()),
            (None, Outcome::Handled) => Next::Succeeded,
            (None, Outcome::Failed(_)) => Next::Retry { at_ms: now_ms },
        });
        let place = Place { plugin: &claim.plugin, key: claim.key };
        rows::insert_attempt(
            &self.connection,
            claim,
            attempt,
            next,
            self.limits.attempt_log_bytes_max,
        )?;
        let settled = match next {
            Next::Retry { at_ms } => {
                let at_ms = at_ms.max(after_this_batch(now_ms));
                lane.waits_until(at_ms);
                rows::wait(&self.connection, place, at_ms)?;
                Settled::Waiting { until_ms: at_ms }
            }
            Next::Succeeded => {
                self.finish(place, now_ms)?;
                Settled::Succeeded
            }
            Next::Dead(reason) => {
                let error = match &attempt.outcome {
                    Outcome::Failed(failure) => Some(failure.message.as_str()),
                    Outcome::Handled => None,
                };
                if self.finish(place, now_ms)? {
                    let id = claim.delivery.to_string();
                    let dead = Dead { place, id: &id, attempts: claim.attempt, reason, error };
                    rows::insert_dead(&self.connection, &dead, now_ms)?;
                }
                Settled::Dead(reason)
            }
        };
        self.ended.push((claim.plugin.clone(), claim.key));
        Ok(settled)
    }

    /// Takes a delivery out of the queue, and lets the next one of its entity
    /// go. False where it was not in it any more.
    fn finish(&mut self, place: Place<'_>, now_ms: u64) -> rusqlite::Result<bool> {
        let Some(entity) = rows::take_out(&self.connection, place)? else { return Ok(false) };
        self.owed = self.owed.saturating_sub(1);
        let lane = self.lanes.entry(place.plugin.clone()).or_insert_with(Lane::new);
        lane.owed = lane.owed.saturating_sub(1);
        if let Some(entity) = entity
            && rows::unblock(&self.connection, place.plugin.as_str(), &entity, now_ms)?
        {
            lane.waits_until(now_ms);
        }
        Ok(true)
    }

    fn release(&mut self, claim: &Claim, now_ms: u64) -> rusqlite::Result<()> {
        self.begin()?;
        let lane = self.lanes.entry(claim.plugin.clone()).or_insert_with(Lane::new);
        if let Some(permit) = lane.running.get_mut(&claim.key).and_then(|r| r.permit.take()) {
            lane.breaker.give_back(permit);
        }
        let at_ms = after_this_batch(now_ms);
        lane.waits_until(at_ms);
        rows::put_back(&self.connection, Place { plugin: &claim.plugin, key: claim.key }, at_ms)?;
        self.ended.push((claim.plugin.clone(), claim.key));
        Ok(())
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
                    warn!(plugin = %name, owed, "parked: what is owed to the plugin waits until its file is back");
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

    fn operate(
        &mut self,
        operation: &Operation,
        now_ms: u64,
    ) -> rusqlite::Result<Result<Report, RequestError>> {
        self.begin()?;
        let lanes = &self.lanes;
        let of = |name: &str| {
            let name: PluginName = name.parse().ok()?;
            lanes.get(&name).and_then(|lane| lane.live.as_ref())
        };
        let mut context = operate::Context {
            now_ms,
            ordered: &|name| of(name).is_some_and(|live| live.policy.ordered),
            live: &|name| of(name).is_some(),
            new_id: &mut || super::delivery_id(now_ms),
        };
        let step = match operate::step(&self.connection, operation, &mut context)? {
            Ok(step) => step,
            Err(error) => return Ok(Err(error)),
        };
        for plugin in step.touched {
            let owed = rows::owed_to(&self.connection, plugin.as_str())?;
            let lane = self.lane(&plugin);
            lane.waits_until(now_ms);
            let before = std::mem::replace(&mut lane.owed, owed);
            self.owed = (self.owed + owed).saturating_sub(before);
        }
        Ok(Ok(step.report))
    }

    /// Hands out what can be.
    fn hand_out(&mut self, now_ms: u64) -> rusqlite::Result<()> {
        let names: Vec<PluginName> = self
            .lanes
            .iter()
            .filter(|(_, lane)| {
                lane.takes(now_ms) || lane.breaker_until_ms(now_ms) != lane.breaker_noted
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            while self.lane(&name).takes(now_ms) {
                let Some(ready) = self.next(&name, now_ms)? else { break };
                self.hand(&name, ready, now_ms)?;
            }
            let until = self.lane(&name).breaker_until_ms(now_ms);
            if until != self.lane(&name).breaker_noted {
                self.begin()?;
                rows::note_breaker(&self.connection, &name, until)?;
                self.lane(&name).breaker_noted = until;
            }
        }
        Ok(())
    }

    fn hand(&mut self, name: &PluginName, ready: Ready, now_ms: u64) -> rusqlite::Result<()> {
        self.begin()?;
        let place = Place { plugin: name, key: ready.key };
        let attempts_max =
            self.lane(name).policy.map_or(u32::MAX, |policy| policy.retry.attempts_max);
        if ready.attempts.saturating_sub(ready.forgiven) >= attempts_max.max(1) {
            // Its last attempt ended with the process.
            return self.give_up(place, &ready, DeadReason::AttemptsExhausted, now_ms);
        }
        // After a failed commit that was in the file after all, one can stand there
        // as waiting whose end is still to be written again.
        if self.lane(name).running.contains_key(&ready.key) {
            self.lane(name).waits_until(after_this_batch(now_ms));
            return Ok(());
        }
        // An operator may have taken it away since it was read.
        if !rows::run(&self.connection, place)? {
            return Ok(());
        }
        let lane = self.lane(name);
        lane.wants -= 1;
        let permit = lane.breaker.begin(now_ms);
        lane.running.insert(ready.key, Running { permit, decided: None });
        let claim = ready.claim(name);
        self.claims.push(claim);
        Ok(())
    }

    fn give_up(
        &mut self,
        place: Place<'_>,
        ready: &Ready,
        reason: DeadReason,
        now_ms: u64,
    ) -> rusqlite::Result<()> {
        if self.finish(place, now_ms)? {
            let id = ready.delivery.to_string();
            let error = Some("hookbox ended during its last attempt");
            let dead = Dead { place, id: &id, attempts: ready.attempts, reason, error };
            rows::insert_dead(&self.connection, &dead, now_ms)?;
            error!(
                plugin = %place.plugin, event = %ready.event_id, delivery = %ready.delivery,
                reason = reason.code(), error,
                "dead: the delivery is given up; `hookbox dead list` shows it"
            );
        }
        Ok(())
    }

    /// The next delivery of a plugin: in turn one that waited and one that was
    /// never tried, where there are both.
    fn next(&mut self, name: &PluginName, now_ms: u64) -> rusqlite::Result<Option<Ready>> {
        self.read_due(name, now_ms)?;
        self.read_fresh(name, now_ms)?;
        let lane = self.lane(name);
        let due_first = !lane.due_was_last || lane.fresh.is_empty();
        let ready = if due_first { lane.due.pop() } else { None };
        lane.due_was_last = ready.is_some();
        Ok(ready.or_else(|| lane.fresh.pop()))
    }

    fn read_due(&mut self, name: &PluginName, now_ms: u64) -> rusqlite::Result<()> {
        let lane = self.lane(name);
        if !lane.due.is_empty() || lane.next_due_ms.is_none_or(|due| due > now_ms) {
            return Ok(());
        }
        let read = rows::read_due(&self.connection, name, now_ms)?;
        let more = read.complete.then(|| rows::next_due(&self.connection, name, now_ms));
        let next_due = more.transpose()?.unwrap_or(Some(now_ms));
        let lane = self.lane(name);
        lane.next_due_ms = next_due;
        read.ready.into_iter().for_each(|ready| lane.due.push(ready));
        self.bury(name, read.unreadable, now_ms)
    }

    fn read_fresh(&mut self, name: &PluginName, now_ms: u64) -> rusqlite::Result<()> {
        let lane = self.lane(name);
        if !lane.behind || !lane.fresh.is_empty() {
            return Ok(());
        }
        let cursor = lane.cursor;
        let last = self.next_seq - 1;
        let read = rows::read_fresh(&self.connection, name, cursor)?;
        let lane = self.lane(name);
        lane.behind = !read.complete;
        lane.cursor = if read.complete { last } else { read.last_event.max(cursor) };
        read.ready.into_iter().for_each(|ready| lane.fresh.push(ready));
        self.bury(name, read.unreadable, now_ms)
    }

    /// Deliveries whose events cannot be understood any more are dead, or they
    /// would be read for ever.
    fn bury(
        &mut self,
        name: &PluginName,
        unreadable: Vec<rows::Unreadable>,
        now_ms: u64,
    ) -> rusqlite::Result<()> {
        for row in unreadable {
            self.begin()?;
            let place = Place { plugin: name, key: row.key };
            if self.finish(place, now_ms)? {
                let reason = DeadReason::Unreadable;
                let error = Some(row.error.as_str());
                let dead = Dead { place, id: &row.id, attempts: row.attempts, reason, error };
                rows::insert_dead(&self.connection, &dead, now_ms)?;
                error!(
                    plugin = %name, delivery = row.id, error = row.error,
                    "dead: the journal's copy of the event cannot be read"
                );
            }
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
        for claim in std::mem::take(&mut self.claims) {
            let lane = self.lane(&claim.plugin);
            lane.wants += 1;
            if let Some(permit) = lane.running.remove(&claim.key).and_then(|r| r.permit) {
                lane.breaker.give_back(permit);
            }
        }
        self.ended.clear();
    }

    /// Reads anew what memory says of the file.
    ///
    /// `started`: whether the process has just begun, so that it runs nothing.
    fn take_up(&mut self, started: bool, now_ms: u64) -> Result<(), OpenError> {
        self.begin()?;
        self.lanes.values_mut().for_each(Lane::forget);
        self.next_seq = rows::last_event(&self.connection)? + 1;
        self.owed = 0;
        let mut interrupted = 0;
        for (plugin, owed, running) in rows::owed(&self.connection)? {
            self.owed += owed;
            let Ok(name) = plugin.parse::<PluginName>() else { continue };
            self.lane(&name).owed = owed;
            if running > 0 {
                interrupted += self.take_back(&name, started, now_ms)?;
            }
        }
        rows::forget_breakers(&self.connection)?;
        self.lanes.values_mut().for_each(|lane| lane.breaker_noted = None);
        // Writes a page, so that it is known whether that can be done.
        self.connection.pragma_update(None, "user_version", schema::VERSION as i64)?;
        self.commit()?;
        if self.owed > 0 {
            info!(owed = self.owed, interrupted, "deliveries are owed from before");
        }
        Ok(())
    }

    /// Deliveries that the file says are running, but this process does not.
    fn take_back(
        &mut self,
        name: &PluginName,
        started: bool,
        now_ms: u64,
    ) -> Result<usize, OpenError> {
        let mut taken = 0;
        for row in rows::running(&self.connection, name)? {
            if self.lane(name).running.contains_key(&row.key) {
                continue;
            }
            let place = Place { plugin: name, key: row.key };
            if started {
                rows::interrupt(&self.connection, place, &row, now_ms)?;
                taken += 1;
            } else {
                // It was claimed by a batch that failed, and never handed out.
                rows::put_back(&self.connection, place, now_ms)?;
            }
        }
        Ok(taken)
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

/// The first moment at which a delivery that ended in a batch can be handed out
/// again: in the same one its end would take the new claim's place in `running`.
fn after_this_batch(now_ms: u64) -> u64 {
    now_ms.saturating_add(1)
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

/// For the jitter of waits. Where the system gives none, waits are not spread.
fn random() -> u64 {
    let mut bytes = [0; 8];
    let _not_spread = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
