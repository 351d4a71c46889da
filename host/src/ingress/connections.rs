//! Which connections there are, and which of them are idle: to close those that
//! stay idle too long, and to make room for new ones when there are too many.
//!
//! A connection is idle while no request on it has a whole head: at first, in
//! between, and while a head is dripping in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// All connections of a listener.
pub(super) struct Connections {
    most: usize,
    // One lock for all: making room needs the one that is idle longest of them
    // all. Held for a few instructions, twice for each request.
    state: Mutex<State>,
    /// Wakes the accept loop when there is room again.
    room: Notify,
}

#[derive(Default)]
struct State {
    open: usize,
    next: u64,
    /// Idle ones by when they became so.
    idle: BTreeMap<u64, Arc<Notify>>,
    /// Idle ones that were told to close, and have not yet.
    closing: BTreeSet<u64>,
}

impl Connections {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default(), room: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock can leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for one more. Where there is none, closes the
    /// one that is idle longest; where none is idle, the first that becomes so.
    pub(super) async fn make_room(&self) {
        loop {
            let room = self.room.notified();
            {
                let mut state = self.state();
                if state.open < self.most {
                    return;
                }
                // Those that are on their way out make room too.
                if state.open - state.closing.len() >= self.most
                    && let Some((turn, close)) = state.idle.pop_first()
                {
                    state.closing.insert(turn);
                    close.notify_one();
                }
            }
            room.await;
        }
    }

    /// Counts one more, idle at first.
    pub(super) fn open(self: &Arc<Self>) -> Arc<Connection> {
        let close = Arc::new(Notify::new());
        let mut state = self.state();
        state.open += 1;
        let activity = Activity { requests: 0, idle: Some(state.idle_from_now(&close)) };
        drop(state);
        let activity = Mutex::new(activity);
        Arc::new(Connection { all: Arc::clone(self), close, activity })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.state().open
    }
}

impl State {
    /// No longer idle: a request came, or it is closed.
    fn not_idle(&mut self, turn: u64) {
        self.idle.remove(&turn);
        self.closing.remove(&turn);
    }

    fn idle_from_now(&mut self, close: &Arc<Notify>) -> (u64, Instant) {
        let turn = self.next;
        self.next += 1;
        self.idle.insert(turn, Arc::clone(close));
        (turn, Instant::now())
    }
}

/// One connection. Ends counting when dropped.
pub(super) struct Connection {
    all: Arc<Connections>,
    close: Arc<Notify>,
    /// Touched by the connection's own task, and under HTTP/2 by those of its
    /// requests.
    activity: Mutex<Activity>,
}

struct Activity {
    requests: usize,
    /// Turn and time, while idle.
    idle: Option<(u64, Instant)>,
}

impl Connection {
    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request with a whole head; until the returned value is dropped.
    pub(super) fn request(self: &Arc<Self>) -> Busy {
        let mut activity = self.activity();
        activity.requests += 1;
        if let Some((turn, _)) = activity.idle.take() {
            self.all.state().not_idle(turn);
        }
        drop(activity);
        Busy(Arc::clone(self))
    }

    /// Returns when the connection is to be closed: it has been idle for that
    /// long, or its place is needed.
    pub(super) async fn unwanted(&self, idle_max: Duration) {
        let too_idle = async {
            loop {
                let since = self.activity().idle.map(|(_, since)| since);
                match since {
                    Some(since) if since.elapsed() >= idle_max => return,
                    Some(since) => tokio::time::sleep_until(since + idle_max).await,
                    None => tokio::time::sleep(idle_max).await,
                }
            }
        };
        let told = async {
            // A request may have come since it was told.
            loop {
                self.close.notified().await;
                if self.activity().idle.is_some() {
                    return;
                }
            }
        };
        tokio::select! {
            () = told => {}
            () = too_idle => {}
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let idle = self.activity().idle.take();
        let mut state = self.all.state();
        if let Some((turn, _)) = idle {
            state.not_idle(turn);
        }
        state.open -= 1;
        drop(state);
        self.all.room.notify_one();
    }
}

/// A request that is under way.
pub(super) struct Busy(Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        let connection = &self.0;
        let mut activity = connection.activity();
        activity.requests -= 1;
        if activity.requests == 0 {
            activity.idle = Some(connection.all.state().idle_from_now(&connection.close));
            // Its place may be wanted.
            connection.all.room.notify_one();
        }
    }
}
