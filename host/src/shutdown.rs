//! Ending in order. What asks for it is a signal; the order is:
//!
//! 1. no new connections, and idle ones are closed;
//! 2. requests that are under way are answered, up to `drain_ms`;
//! 3. events that were taken are handled, up to `drain_ms` again;
//! 4. the process ends, saying what was left undone.
//!
//! A second signal ends it at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

/// Whether the server is ending; shared by all who must know.
#[derive(Clone)]
pub struct Ending(watch::Receiver<bool>);

/// Tells all who have the [`Ending`].
pub struct End(watch::Sender<bool>);

/// A pair of the two.
pub fn channel() -> (End, Ending) {
    let (end, ending) = watch::channel(false);
    (End(end), Ending(ending))
}

impl End {
    /// From now on the server is ending.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }
}

impl Ending {
    /// Returns once the server is ending, or the [`End`] is gone.
    pub async fn begun(&mut self) {
        let _sender_gone = self.0.wait_for(|ending| *ending).await;
    }
}

/// The signals that end the server.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes them from the system.
    ///
    /// # Errors
    /// Where the system does not give them.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Returns at the next one.
    pub async fn next(&mut self) {
        let name = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        info!(signal = name, "ending; a second signal ends at once");
    }
}
