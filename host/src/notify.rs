//! What the service manager is told: that the server listens, reads its settings
//! again, ends, and is alive (`sd_notify(3)`, over the socket in `NOTIFY_SOCKET`).
//! Where nobody asked to be told, nothing is.
//!
//! Invariants:
//! - `READY=1` comes only once webhooks are accepted, and never after `STOPPING=1`.
//! - A sign of life is sent only after the journal's thread has answered, and from
//!   the runtime that serves. So it stops where one of the two stands still.
//! - A manager that does not listen holds up nothing for longer than [`TELL_MAX`].

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::{Mutex, Semaphore};
use tokio::task;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, error, info};

/// A message is a datagram to a process of the same machine. Where it takes
/// longer, that process stands still, and there is nobody to be told.
const TELL_MAX: Duration = Duration::from_secs(1);

/// Signs of life in the time after which the manager takes the server for dead:
/// one that comes late does not end it. `sd_watchdog_enabled(3)` asks for two at
/// least.
const SIGNS: u32 = 3;

/// The service manager, if there is one.
#[derive(Debug, Default)]
pub struct Supervisor {
    // Whether webhooks are accepted. Shared by the start, the reload and the end,
    // and held while one of them tells, so that a reload is never told before the
    // start or after the end.
    accepting: Mutex<bool>,
}

impl Supervisor {
    /// What the server does now, in words, while it starts.
    pub async fn starting(&self, doing: &str) {
        tell(NotifyState::Status(doing).to_string()).await;
    }

    /// Webhooks are accepted.
    pub async fn ready(&self, status: &str) {
        let mut accepting = self.accepting.lock().await;
        *accepting = true;
        tell(ready(status)).await;
    }

    /// Settings are read again, because someone asked for it. [`Self::reloaded`]
    /// must follow: until then the manager waits for it.
    pub async fn reloading(&self) {
        let accepting = self.accepting.lock().await;
        let now = NotifyState::monotonic_usec_now();
        if let (true, Ok(now)) = (*accepting, now) {
            tell(format!("{}\n{now}", NotifyState::Reloading)).await;
        }
    }

    /// They were read, or refused: `status` says which.
    pub async fn reloaded(&self, status: &str) {
        if *self.accepting.lock().await {
            tell(ready(status)).await;
        }
    }

    /// The server ends.
    pub async fn ending(&self) {
        let mut accepting = self.accepting.lock().await;
        *accepting = false;
        let status = NotifyState::Status("ending: calls that run may end");
        tell(format!("{}\n{status}", NotifyState::Stopping)).await;
    }
}

/// Sends signs of life for as long as it is polled, where the manager wants them.
///
/// `alive` returns once the journal's thread is known to work. Where that stands
/// still, it need not return.
pub async fn signs_of_life<F: Future<Output = ()>>(alive: impl Fn() -> F) {
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    // A timer of zero panics.
    let every = (within / SIGNS).max(Duration::from_millis(1));
    info!(within_ms = within.as_millis(), "the service manager wants signs of life");
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if timeout(every, alive()).await.is_ok() {
            tell(NotifyState::Watchdog.to_string()).await;
        } else {
            error!("the journal's thread does not answer: no sign of life is sent");
        }
    }
}

fn ready(status: &str) -> String {
    format!("{}\n{}", NotifyState::Ready, NotifyState::Status(status))
}

/// One message at a time: where nobody reads them, one thread waits, and not one
/// more for each message.
static TELLING: Semaphore = Semaphore::const_new(1);

/// Sends a message, from a thread that may wait.
async fn tell(message: String) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let sending = async {
        let permit = TELLING.acquire().await;
        let send = move || {
            let _permit = permit;
            sd_notify::notify(&[NotifyState::Custom(&message)])
        };
        task::spawn_blocking(send).await
    };
    match timeout(TELL_MAX, sending).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => debug!(%error, "the service manager cannot be told"),
        Ok(Err(_)) | Err(_) => debug!("the service manager cannot be told"),
    }
}
