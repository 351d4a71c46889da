//! What waits for the writer, bounded.
//!
//! Accepts are bounded by number and bytes, and refused past that; so are notes
//! of refused requests, which are dropped. All else comes from workers and
//! operators, each of whom waits for the answer, and is bounded by their number.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookbox_core::ids::PluginName;
use tokio::sync::{oneshot, watch};

use super::{Command, Done, LaneCounts, Waiting};
use crate::store::records::{Report, RequestError};
use crate::store::{Accept, Accepted, Claim, Health, RefusedRequest, Settled, StoreError};

/// Notes of refused requests that wait.
const REFUSED_MAX: usize = 1_000;

/// Questions about what is counted that wait. Each that waits is answered at
/// once with the others, so more would only be more of the same.
const ASKS_MAX: usize = 64;

/// Who waits for what becomes of a command.
pub(super) enum Reply {
    Accept(oneshot::Sender<Result<Accepted, StoreError>>),
    Settle(oneshot::Sender<Settled>),
    Operate(oneshot::Sender<Result<Report, RequestError>>),
    Nobody,
}

impl Reply {
    pub(super) fn answer(self, done: Done) {
        // Who waited may have gone.
        match (done, self) {
            (Done::Accept(result), Self::Accept(reply)) => {
                let _gone = reply.send(result);
            }
            (Done::Settle(settled), Self::Settle(reply)) => {
                let _gone = reply.send(settled);
            }
            (Done::Operate(result), Self::Operate(reply)) => {
                let _gone = reply.send(result);
            }
            _ => {}
        }
    }
}

/// Workers that wait for a delivery of their plugin.
pub(super) type Wants = HashMap<PluginName, VecDeque<oneshot::Sender<Claim>>>;

/// All that was taken at once.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) commands: Vec<Command>,
    /// In the commands' order.
    pub(super) replies: Vec<Reply>,
    pub(super) wants: Vec<(PluginName, oneshot::Sender<Claim>)>,
    pub(super) refused: Vec<RefusedRequest>,
    /// Who wants to know what is counted of each plugin.
    pub(super) asks: Vec<oneshot::Sender<Vec<LaneCounts>>>,
    /// Nothing is handed out from now on.
    pub(super) closed: bool,
    /// Nothing comes any more.
    pub(super) ended: bool,
    /// Someone wants to see the writer take a turn.
    nudged: bool,
}

/// See the module's text.
pub(super) struct Inbox {
    waiting: Waiting,
    // One lock, held for a push or for taking all; the writer sleeps on `filled`.
    state: Mutex<State>,
    filled: Condvar,
    pub(super) health: watch::Sender<Health>,
    pub(super) closed: watch::Sender<bool>,
    /// Told each time that the writer takes what waits.
    pub(super) turns: watch::Sender<()>,
    /// Deliveries that are owed, as of the last commit.
    pub(super) owed: AtomicU64,
}

#[derive(Default)]
struct State {
    taken: Taken,
    accepts: usize,
    accept_bytes: usize,
    failing: bool,
    gone: bool,
    /// Whether the writer sleeps, so that it has to be woken.
    sleeping: bool,
    /// Whether the writer was told that it is closed. It must be soon: workers
    /// wait for their claims until it drops these.
    told_closed: bool,
}

impl Inbox {
    pub(super) fn new(waiting: Waiting) -> Self {
        Self {
            waiting,
            state: Mutex::default(),
            filled: Condvar::new(),
            health: watch::Sender::new(Health::Good),
            closed: watch::Sender::new(false),
            turns: watch::Sender::new(()),
            owed: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock can leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        let sleeping = state.sleeping;
        drop(state);
        if sleeping {
            self.filled.notify_one();
        }
    }

    pub(super) fn push_accept(
        &self,
        accept: Accept,
        reply: oneshot::Sender<Result<Accepted, StoreError>>,
    ) -> Result<(), StoreError> {
        let bytes = accept.event.bytes();
        let mut state = self.state();
        if state.taken.closed || state.gone {
            return Err(StoreError::Closed);
        }
        if state.failing {
            return Err(StoreError::Unwritable);
        }
        if state.accepts >= self.waiting.count_max
            || (state.accepts > 0 && state.accept_bytes + bytes > self.waiting.bytes_max)
        {
            return Err(StoreError::Crowded);
        }
        state.accepts += 1;
        state.accept_bytes += bytes;
        state.taken.commands.push(Command::Accept(accept));
        state.taken.replies.push(Reply::Accept(reply));
        self.wake(state);
        Ok(())
    }

    pub(super) fn push(&self, command: Command, reply: Reply) {
        let mut state = self.state();
        if state.gone {
            return;
        }
        state.taken.commands.push(command);
        state.taken.replies.push(reply);
        self.wake(state);
    }

    pub(super) fn push_want(&self, plugin: PluginName, reply: oneshot::Sender<Claim>) {
        let mut state = self.state();
        if state.taken.closed || state.gone {
            return;
        }
        state.taken.wants.push((plugin, reply));
        self.wake(state);
    }

    pub(super) fn push_refused(&self, refused: RefusedRequest) {
        let mut state = self.state();
        if state.taken.refused.len() < REFUSED_MAX && !state.gone {
            state.taken.refused.push(refused);
            // The first one starts the writer's clock for them.
            if state.taken.refused.len() == 1 {
                self.wake(state);
            }
        }
    }

    /// Past the bound, and once the writer has ended, nobody answers.
    pub(super) fn push_ask(&self, reply: oneshot::Sender<Vec<LaneCounts>>) {
        let mut state = self.state();
        if state.taken.asks.len() < ASKS_MAX && !state.gone {
            state.taken.asks.push(reply);
            self.wake(state);
        }
    }

    /// Takes all that waits, sleeping up to that time while there is nothing.
    pub(super) fn take(&self, sleep: Duration) -> Taken {
        let mut state = self.state();
        let nothing = |state: &State| {
            let taken = &state.taken;
            taken.commands.is_empty()
                && taken.wants.is_empty()
                && taken.refused.is_empty()
                && taken.asks.is_empty()
                && (!taken.closed || state.told_closed)
                && !taken.ended
                && !taken.nudged
        };
        if nothing(&state) && !sleep.is_zero() {
            state.sleeping = true;
            (state, _) =
                self.filled.wait_timeout(state, sleep).unwrap_or_else(PoisonError::into_inner);
            state.sleeping = false;
        }
        state.accepts = 0;
        state.accept_bytes = 0;
        let (closed, ended) = (state.taken.closed, state.taken.ended);
        state.told_closed = closed;
        let empty = Taken { closed, ended, ..Taken::default() };
        self.turns.send_replace(());
        std::mem::replace(&mut state.taken, empty)
    }

    pub(super) fn set_health(&self, health: Health) {
        self.state().failing = health != Health::Good;
        self.health.send_replace(health);
    }

    pub(super) fn set_owed(&self, owed: u64) {
        self.owed.store(owed, Ordering::Relaxed);
    }

    /// Has the writer take a turn soon, also where nothing waits for it.
    pub(super) fn nudge(&self) {
        let mut state = self.state();
        state.taken.nudged = true;
        self.wake(state);
    }

    pub(super) fn close(&self) {
        let mut state = self.state();
        state.taken.closed = true;
        // Wakes the writer also where it has nothing else to do.
        drop(state);
        self.closed.send_replace(true);
        self.filled.notify_one();
    }

    pub(super) fn end(&self) {
        let mut state = self.state();
        state.taken.closed = true;
        state.taken.ended = true;
        drop(state);
        self.filled.notify_one();
    }

    /// The writer has ended: nobody would read what comes.
    pub(super) fn leave(&self) {
        let mut state = self.state();
        state.gone = true;
        state.taken = Taken { closed: true, ended: true, ..Taken::default() };
        drop(state);
        self.health.send_modify(|_| {});
    }

    pub(super) fn is_gone(&self) -> bool {
        self.state().gone
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_writer_that_was_at_work_when_it_was_closed_does_not_sleep_first() {
        let inbox = Inbox::new(Waiting { count_max: 1, bytes_max: 1 });
        inbox.close();
        let before = Instant::now();
        assert!(inbox.take(LONG).closed);
        assert!(before.elapsed() < LONG);
        // It is told once, and then sleeps again.
        let nap = Duration::from_millis(20);
        let before = Instant::now();
        assert!(inbox.take(nap).closed);
        assert!(before.elapsed() >= nap / 2);
    }
}
