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

use std::collections::HashMap;
use std::sync::Arc;

use hookbox_core::ids::PluginName;
use hookbox_core::outcome::{FailureKind, Outcome};
use tokio::task::{self, JoinSet};
use tracing::{error, info, warn};

use crate::plugin::invoke::{Call, Runner};
use crate::plugin::registry::{Generations, Plugin};
use crate::store::{Claim, Store};
use crate::telemetry::shown;

/// Keeps a lane for each live plugin. Returns once the store is closed and
/// nothing waits for any live plugin.
pub async fn run<S: Store>(store: Arc<S>, runner: Runner, mut generations: Generations) {
    let mut lanes: JoinSet<()> = JoinSet::new();
    let mut running: HashMap<task::Id, PluginName> = HashMap::new();
    loop {
        let closed = store.is_closed();
        let live: Vec<PluginName> =
            generations.borrow_and_update().plugins.keys().cloned().collect();
        for name in live {
            // When nothing more comes, only what waits needs a lane.
            let wanted = !closed || store.waiting(&name) > 0;
            if wanted && !running.values().any(|have| *have == name) {
                let lane =
                    lane(name.clone(), Arc::clone(&store), runner.clone(), generations.clone());
                running.insert(lanes.spawn(lane).id(), name);
            }
        }
        if closed && lanes.is_empty() {
            return;
        }
        tokio::select! {
            Some(ended) = lanes.join_next_with_id() => match ended {
                Ok((id, ())) => {
                    running.remove(&id);
                }
                Err(error) => {
                    let plugin = running.remove(&error.id());
                    let plugin = plugin.as_ref().map(PluginName::as_str);
                    error!(plugin, %error, "a lane failed; this is a mistake in hookbox");
                }
            },
            changed = generations.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = store.closed(), if !closed => {}
        }
    }
}

/// One plugin's deliveries, until the plugin is gone or the store is closed and
/// has nothing more for it, and each call has ended.
async fn lane<S: Store>(
    name: PluginName,
    store: Arc<S>,
    runner: Runner,
    mut generations: Generations,
) {
    let mut calls = JoinSet::new();
    let mut drained = false;
    let mut parked = false;
    loop {
        let plugin = live(&mut generations, &name);
        if (drained || plugin.is_none()) && calls.is_empty() {
            return;
        }
        if plugin.is_none() && !parked {
            let waiting = store.waiting(&name);
            if waiting > 0 {
                warn!(plugin = %name, waiting, "deliveries wait for the plugin's file to come back");
            }
        }
        parked = plugin.is_none();
        let room = plugin.is_some_and(|plugin| calls.len() < plugin.settings.concurrency);
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
            claim = store.claim(&name), if room && !drained => match claim {
                None => drained = true,
                // What is live may have changed while waiting.
                Some(claim) => match live(&mut generations, &name) {
                    Some(plugin) => {
                        calls.spawn(attempt(Arc::clone(&store), runner.clone(), plugin, claim));
                    }
                    None => store.release(claim),
                },
            },
        }
    }
    while calls.join_next().await.is_some() {}
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
