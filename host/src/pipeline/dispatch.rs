//! From the store to the plugins: one lane for each live plugin, with as many
//! calls at once as the plugin may have.
//!
//! Invariants:
//! - A delivery runs the code that is live when it is claimed, and stays with
//!   that code to its end.
//! - The lane of a plugin whose file is gone claims nothing more; what waits
//!   for it stays in the store until the plugin is back.
//! - One plugin's calls never wait for another's, but for the instances that
//!   all share.

use std::collections::BTreeSet;
use std::sync::Arc;

use hookbox_core::ids::PluginName;
use hookbox_core::outcome::{FailureKind, Outcome};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::plugin::invoke::{Call, Runner};
use crate::plugin::registry::{Generations, Plugin};
use crate::store::{Claim, Store};
use crate::telemetry::shown;

/// Keeps a lane for each live plugin. Returns once the store is closed and
/// nothing waits for any live plugin.
pub async fn run<S: Store>(store: Arc<S>, runner: Runner, mut generations: Generations) {
    let mut lanes: JoinSet<(PluginName, bool)> = JoinSet::new();
    let mut running: BTreeSet<PluginName> = BTreeSet::new();
    let mut drained = false;
    loop {
        let live: Vec<PluginName> =
            generations.borrow_and_update().plugins.keys().cloned().collect();
        for name in live {
            if !drained && running.insert(name.clone()) {
                lanes.spawn(lane(name, Arc::clone(&store), runner.clone(), generations.clone()));
            }
        }
        if drained && lanes.is_empty() {
            return;
        }
        tokio::select! {
            Some(ended) = lanes.join_next() => match ended {
                Ok((name, closed)) => {
                    drained |= closed;
                    running.remove(&name);
                }
                Err(error) => error!(%error, "a lane failed; this is a mistake in hookbox"),
            },
            changed = generations.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            // With no plugin live, no lane can tell.
            () = store.closed(), if running.is_empty() => return,
        }
    }
}

/// One plugin's deliveries. Returns its name, and whether the store is closed
/// and empty for it; else the plugin is gone.
async fn lane<S: Store>(
    name: PluginName,
    store: Arc<S>,
    runner: Runner,
    mut generations: Generations,
) -> (PluginName, bool) {
    let mut calls = JoinSet::new();
    let mut closed = false;
    loop {
        let Some(plugin) = live(&mut generations, &name) else { break };
        if closed && calls.is_empty() {
            break;
        }
        let room = calls.len() < plugin.settings.concurrency;
        tokio::select! {
            changed = generations.changed() => {
                if changed.is_err() {
                    break;
                }
            }
            Some(ended) = calls.join_next() => {
                if let Err(error) = ended {
                    error!(plugin = %name, %error, "a call's task failed; this is a mistake in hookbox");
                }
            }
            claim = store.claim(&name), if room && !closed => match claim {
                None => closed = true,
                Some(claim) => {
                    // What is live may have changed while waiting.
                    let Some(plugin) = live(&mut generations, &name) else {
                        store.release(claim);
                        break;
                    };
                    calls.spawn(attempt(Arc::clone(&store), runner.clone(), plugin, claim));
                }
            },
        }
    }
    while calls.join_next().await.is_some() {}
    let waiting = store.waiting(&name);
    if !closed && waiting > 0 {
        warn!(plugin = %name, waiting, "deliveries wait for the plugin's file to come back");
    }
    (name, closed)
}

fn live(generations: &mut Generations, name: &PluginName) -> Option<Arc<Plugin>> {
    generations.borrow_and_update().plugins.get(name).cloned()
}

async fn attempt<S: Store>(store: Arc<S>, runner: Runner, plugin: Arc<Plugin>, claim: Claim) {
    let call = Call {
        delivery: claim.delivery,
        event_id: claim.event_id,
        event: Arc::clone(&claim.event),
        received_at_ms: claim.received_at_ms,
        attempt: claim.attempt,
    };
    let done = runner.handle(Arc::clone(&plugin), call).await;
    store.settle(&claim, &done.outcome).await;

    let digest = plugin.code.digest.short();
    let name = shown(claim.event.name());
    let duration_us = u64::try_from(done.duration.as_micros()).unwrap_or(u64::MAX);
    match &done.outcome {
        Outcome::Handled => info!(
            plugin = %plugin.name, %digest, generation = plugin.since, event = %claim.event_id,
            name, delivery = %claim.delivery, attempt = claim.attempt, duration_us, "handled"
        ),
        Outcome::Failed(failure) => error!(
            plugin = %plugin.name, %digest, generation = plugin.since, event = %claim.event_id,
            name, delivery = %claim.delivery, attempt = claim.attempt, duration_us,
            failure = %failure.kind,
            retry_after_ms = retry_after_ms(failure.kind), error = failure.message, "failed"
        ),
    }
}

/// When the plugin asked to be called again, where it did.
fn retry_after_ms(kind: FailureKind) -> Option<u64> {
    match kind {
        FailureKind::RetryAfter(wait) => u64::try_from(wait.as_millis()).ok(),
        _ => None,
    }
}
