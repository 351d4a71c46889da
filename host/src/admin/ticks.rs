//! The state of the server once a second, made once for all who look on, and
//! only while someone does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::Backend;
use super::views::StatusView;
use crate::shutdown::Ending;
use crate::telemetry::stats::Series;

/// Between two ticks.
const STEP: Duration = Duration::from_secs(1);

/// Where ticks come from. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ticks(watch::Sender<Arc<str>>);

impl Ticks {
    /// To be called on a runtime.
    pub(super) fn start(backend: Arc<dyn Backend>, mut ending: Ending) -> Self {
        let (sender, _) = watch::channel(Arc::from(""));
        let ticks = Self(sender.clone());
        tokio::spawn(async move {
            let mut times = tokio::time::interval(STEP);
            times.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    () = ending.begun() => return,
                    _ = times.tick() => {}
                }
                if sender.receiver_count() > 0
                    && let Some(tick) = tick(&*backend).await
                {
                    sender.send_replace(tick);
                }
            }
        });
        ticks
    }

    /// Those from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<str>> {
        let mut receiver = self.0.subscribe();
        receiver.mark_unchanged();
        receiver
    }
}

/// The status without what is long. None: it cannot be had now.
pub(super) async fn tick(backend: &dyn Backend) -> Option<Arc<str>> {
    let mut status: StatusView = backend.status().await.ok()?;
    status.stats.series = Series::default();
    serde_json::to_string(&status).ok().map(Arc::from)
}
