//! The one thread that writes: takes all that waits, commits it, and tells
//! everyone what became of it.
//!
//! Invariants:
//! - Nobody is told of anything before it is committed.
//! - After a failure nothing is accepted until the file was opened again; what
//!   must not be lost (ends of attempts) waits here for that, bounded by the
//!   number of workers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{error, info};

use super::failure::{explain, is_doubtful, is_of_the_disk};
use super::inbox::{Inbox, Reply, Taken, Wants};
use super::journal::{Command, Done, Failure, Journal, News};
use super::lanes::LaneCounts;
use super::schema::OpenError;
use super::{unavailable, unix_ms};
use crate::store::{Claim, Health, RefusedRequest, StoreError};
use crate::telemetry::live::{Live, Notice};
use crate::telemetry::metrics::Metrics;

/// Notes of refused requests are written with whatever else is committed, and
/// by themselves only this long after the first, so that a flood of bad
/// requests does not cause a flood of commits.
const REFUSED_WAIT_MS: u64 = 1_000;

/// A file that failed is opened again after this, then after twice as long each
/// time, up to the second.
const REOPEN_FIRST_MS: u64 = 50;
const REOPEN_MOST_MS: u64 = 2_000;

/// How often to look for what is too old while there is nothing of it.
const RETAIN_PAUSE_MS: u64 = 10_000;

/// Where much that is old has to stay, a round of looking takes long: pauses are
/// that many times as long as the round before.
const RETAIN_SHARE: u64 = 20;

/// The thread sleeps no longer than this.
const SLEEP_MAX_MS: u64 = 60_000;

pub(super) struct Writer {
    journal: Journal,
    inbox: Arc<Inbox>,
    answers: Handle,
    metrics: Arc<Metrics>,
    live: Live,
    commands: Vec<Command>,
    replies: Vec<Reply>,
    wants: Wants,
    refused: Vec<RefusedRequest>,
    refused_since_ms: Option<u64>,
    failing: Option<Failing>,
    /// After a failure commands are done one by one, so that one which cannot
    /// be done does not hold up the others for ever.
    singly: bool,
    retain_at_ms: u64,
    /// The time at the last look.
    before_ms: u64,
    /// What the round so far has taken.
    retaining: Duration,
    closed: bool,
}

struct Failing {
    since_ms: u64,
    /// Whether what is in the file must be doubted, not only that there is room.
    doubtful: bool,
    again_at_ms: u64,
    wait_ms: u64,
}

/// Tells that the thread is gone, also when it panicked.
struct Leaving(Arc<Inbox>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Writer {
    pub(super) fn new(
        journal: Journal,
        inbox: Arc<Inbox>,
        answers: Handle,
        metrics: Arc<Metrics>,
        live: Live,
    ) -> Self {
        Self {
            journal,
            inbox,
            answers,
            metrics,
            live,
            commands: Vec::new(),
            replies: Vec::new(),
            wants: Wants::new(),
            refused: Vec::new(),
            refused_since_ms: None,
            failing: None,
            singly: false,
            retain_at_ms: 0,
            before_ms: 0,
            retaining: Duration::ZERO,
            closed: false,
        }
    }

    pub(super) fn run(mut self) {
        let _leaving = Leaving(Arc::clone(&self.inbox));
        loop {
            let sleep_ms = self.wakes_at_ms().saturating_sub(unix_ms());
            let mut taken = self.inbox.take(Duration::from_millis(sleep_ms.min(SLEEP_MAX_MS)));
            let ended = taken.ended;
            let asks = std::mem::take(&mut taken.asks);
            let now_ms = unix_ms();
            self.follow_clock(now_ms);
            self.absorb(taken, now_ms);
            if self.failing.is_some() {
                self.reopen(now_ms);
            }
            if self.failing.is_none() {
                self.write(now_ms);
            }
            if self.failing.is_none() && now_ms >= self.retain_at_ms {
                self.retain(now_ms);
            }
            if self.failing.is_some() {
                self.refuse();
            }
            self.tell_counts(asks);
            if ended && (self.commands.is_empty() || self.failing.is_some()) {
                if !self.commands.is_empty() {
                    error!(
                        lost = self.commands.len(),
                        "results of calls could not be written: these events are handed over again"
                    );
                }
                return;
            }
        }
    }

    /// The clock may have been set back: nothing is put off by that.
    fn follow_clock(&mut self, now_ms: u64) {
        if now_ms < self.before_ms {
            self.retain_at_ms = now_ms;
            self.refused_since_ms = self.refused_since_ms.map(|_| now_ms);
            if let Some(failing) = &mut self.failing {
                failing.again_at_ms = now_ms;
            }
        }
        self.before_ms = now_ms;
    }

    fn wakes_at_ms(&self) -> u64 {
        if let Some(failing) = &self.failing {
            return failing.again_at_ms;
        }
        if !self.commands.is_empty() {
            return 0;
        }
        let refused = self.refused_since_ms.map(|since| since + REFUSED_WAIT_MS);
        let due = if self.closed { None } else { self.journal.wakes_at_ms() };
        [refused, due].into_iter().flatten().fold(self.retain_at_ms, u64::min)
    }

    fn absorb(&mut self, taken: Taken, now_ms: u64) {
        self.commands.extend(taken.commands);
        self.replies.extend(taken.replies);
        for (plugin, reply) in taken.wants {
            let wants = self.wants.entry(plugin.clone()).or_default();
            wants.push_back(reply);
            self.journal.set_wants(&plugin, wants.len());
        }
        if self.commands.iter().any(|command| matches!(command, Command::Plugins { .. })) {
            self.forget_gone();
        }
        if !taken.refused.is_empty() {
            self.refused_since_ms.get_or_insert(now_ms);
            self.refused.extend(taken.refused);
        }
        if taken.closed && !self.closed {
            self.closed = true;
            // Dropping them tells the workers.
            for (plugin, _) in self.wants.drain() {
                self.journal.set_wants(&plugin, 0);
            }
        }
    }

    /// Forgets workers that wait no more. They go with their plugin: each time
    /// that one went and came back would leave some behind, and each of these
    /// would be handed a delivery in vain.
    fn forget_gone(&mut self) {
        for (plugin, wants) in &mut self.wants {
            wants.retain(|reply| !reply.is_closed());
            self.journal.set_wants(plugin, wants.len());
        }
        self.wants.retain(|_, wants| !wants.is_empty());
    }

    fn write(&mut self, now_ms: u64) {
        let refused_due = self.refused_since_ms.is_some_and(|s| now_ms >= s + REFUSED_WAIT_MS);
        if !self.refused.is_empty() && (refused_due || !self.commands.is_empty() || self.closed) {
            self.refused_since_ms = None;
            for refused in self.refused.drain(..) {
                self.commands.push(Command::Refused(refused));
                self.replies.push(Reply::Nobody);
            }
        }
        let commands = std::mem::take(&mut self.commands);
        let replies = std::mem::take(&mut self.replies);
        if !self.singly {
            self.batch(commands, replies, now_ms);
            return;
        }
        let mut rest = commands.into_iter().zip(replies);
        for (command, reply) in rest.by_ref() {
            self.batch(vec![command], vec![reply], now_ms);
            if self.failing.is_some() {
                break;
            }
        }
        // What came after a failure waits with what failed.
        for (command, reply) in rest {
            self.commands.push(command);
            self.replies.push(reply);
        }
        self.singly = self.failing.is_some();
    }

    /// Does these commands as one.
    fn batch(&mut self, commands: Vec<Command>, replies: Vec<Reply>, now_ms: u64) {
        let began = Instant::now();
        match self.journal.run(&commands, now_ms) {
            Ok(batch) => {
                self.inbox.set_owed(self.journal.owed());
                self.metrics.owed(self.journal.owed());
                // What wrote nothing, such as a look that found nothing to do or an
                // event that there is no room for, is no commit.
                if batch.committed {
                    self.metrics.commit(commands.len(), began.elapsed());
                }
                self.tell_news(batch.news, now_ms);
                self.tell(batch.done, replies, batch.claims);
            }
            Err(Failure { error, in_command }) => {
                let alone = commands.len() == 1 && self.singly && in_command;
                self.fail(&error, now_ms);
                if alone && !is_of_the_disk(&error) {
                    error!(%error, "a change cannot be written and is given up; this is a mistake in hookbox");
                    for command in &commands {
                        match command {
                            Command::Settle(claim, _) => self.journal.abandon(claim, true),
                            Command::Release(claim) => self.journal.abandon(claim, false),
                            _ => {}
                        }
                    }
                    return;
                }
                self.commands.extend(commands);
                self.replies.extend(replies);
            }
        }
    }

    /// Tells those who look on what the journal decided; nobody waits for that.
    fn tell_news(&self, news: Vec<News>, at_ms: u64) {
        for news in news {
            match news {
                News::Breaker { plugin, kind, text } => self.live.tell(|| Notice::Plugin {
                    at_ms,
                    plugin: plugin.to_string(),
                    change: kind.code().to_owned(),
                    digest: None,
                    generation: None,
                    text: Some(text),
                }),
                News::Dead { plugin, event, delivery, reason } => {
                    self.metrics.dead();
                    self.live.tell(|| Notice::Dead {
                        at_ms,
                        event,
                        delivery,
                        plugin: plugin.to_string(),
                        reason: reason.to_string(),
                    });
                }
            }
        }
    }

    /// Tells all of them by one task: waking each from this thread would cost
    /// more than the commit.
    fn tell(&mut self, done: Vec<Done>, replies: Vec<Reply>, claims: Vec<Claim>) {
        let mut handed: Vec<(oneshot::Sender<Claim>, Claim)> = Vec::with_capacity(claims.len());
        for claim in claims {
            let wants = self.wants.entry(claim.plugin.clone()).or_default();
            match wants.pop_front() {
                Some(reply) => handed.push((reply, claim)),
                None => self.give_back(claim),
            }
        }
        if handed.is_empty() && replies.iter().all(|reply| matches!(reply, Reply::Nobody)) {
            return;
        }
        let inbox = Arc::clone(&self.inbox);
        self.answers.spawn(async move {
            for (done, reply) in done.into_iter().zip(replies) {
                reply.answer(done);
            }
            for (reply, claim) in handed {
                if let Err(claim) = reply.send(claim) {
                    inbox.push(Command::Release(claim), Reply::Nobody);
                }
            }
        });
    }

    /// After a failure memory says what was not committed: who asks then has to
    /// do with what was told before.
    fn tell_counts(&self, asks: Vec<oneshot::Sender<Vec<LaneCounts>>>) {
        if asks.is_empty() || self.failing.is_some() {
            return;
        }
        let counts = self.journal.counts();
        for ask in asks {
            let _gone = ask.send(counts.clone());
        }
    }

    fn give_back(&mut self, claim: Claim) {
        self.commands.push(Command::Release(claim));
        self.replies.push(Reply::Nobody);
    }

    fn fail(&mut self, error: &rusqlite::Error, now_ms: u64) {
        let doubtful = is_doubtful(error);
        let text = explain(error);
        self.failing = Some(Failing {
            since_ms: now_ms,
            doubtful,
            again_at_ms: now_ms + REOPEN_FIRST_MS,
            wait_ms: REOPEN_FIRST_MS,
        });
        self.singly = true;
        self.inbox.set_health(Health::Failing { since_ms: now_ms, error: text.clone() });
        error!(error = text, "the journal cannot be written: senders get 503 until it can");
    }

    fn reopen(&mut self, now_ms: u64) {
        let Some(failing) = &mut self.failing else { return };
        if now_ms < failing.again_at_ms {
            return;
        }
        match self.journal.reopen(failing.doubtful, now_ms) {
            Ok(()) => {
                let for_ms = now_ms.saturating_sub(failing.since_ms);
                let checked = failing.doubtful;
                self.failing = None;
                // Before it is said, so that whoever reads it finds it so.
                self.inbox.set_health(Health::Good);
                info!(for_ms, checked, "the journal can be written again");
            }
            Err(error) => {
                failing.doubtful |= match &error {
                    OpenError::Sqlite(error) => is_doubtful(error),
                    _ => true,
                };
                failing.wait_ms = (failing.wait_ms * 2).min(REOPEN_MOST_MS);
                failing.again_at_ms = unix_ms() + failing.wait_ms;
                let since_ms = failing.since_ms;
                let error = match &error {
                    OpenError::Sqlite(error) => explain(error),
                    other => other.to_string(),
                };
                self.inbox.set_health(Health::Failing { since_ms, error });
            }
        }
    }

    /// While nothing can be written: answers those who wait, and keeps what must
    /// not be lost.
    fn refuse(&mut self) {
        self.refused.clear();
        self.refused_since_ms = None;
        let commands = std::mem::take(&mut self.commands);
        let replies = std::mem::take(&mut self.replies);
        let is_list = |command: &Command| matches!(command, Command::Plugins { .. });
        let last_list = commands.iter().rposition(is_list);
        for (index, (command, reply)) in commands.into_iter().zip(replies).enumerate() {
            if is_list(&command) && last_list != Some(index) {
                continue;
            }
            match reply {
                Reply::Accept(reply) => {
                    let _gone = reply.send(Err(StoreError::Unwritable));
                }
                Reply::Operate(reply) => {
                    let _gone = reply.send(Err(unavailable(&StoreError::Unwritable)));
                }
                Reply::Settle(_) | Reply::Nobody => {
                    if !matches!(command, Command::Refused(_)) {
                        self.commands.push(command);
                        self.replies.push(reply);
                    }
                }
            }
        }
    }

    fn retain(&mut self, now_ms: u64) {
        let began = Instant::now();
        match self.journal.retain(now_ms) {
            Ok(true) => {
                self.retaining += began.elapsed();
                self.retain_at_ms = now_ms;
            }
            Ok(false) => {
                let round = std::mem::take(&mut self.retaining) + began.elapsed();
                let pause_ms = u64::try_from(round.as_millis()).unwrap_or(u64::MAX);
                let pause_ms = pause_ms.saturating_mul(RETAIN_SHARE).max(RETAIN_PAUSE_MS);
                self.retain_at_ms = now_ms.saturating_add(pause_ms);
            }
            Err(error) => self.fail(&error, now_ms),
        }
    }
}

#[cfg(test)]
mod tests;
