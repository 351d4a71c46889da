//! From the store to the plugins: as many workers for each live plugin as it may
//! have calls at once.
//!
//! Invariants:
//! - A delivery runs the code that is live when it is handed out, and stays with
//!   that code to its end.
//! - Workers of a plugin that is not live claim nothing; what is owed to it
//!   stays in the store.
//! - One plugin's calls never wait for another's, but for the instances that
//!   all share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use hookbox_core::breaker::BreakerPolicy;
use hookbox_core::ids::{DeliveryId, EventId, PluginName};
use hookbox_core::outcome::{FailureKind, Outcome};
use hookbox_core::retry::RetryPolicy;
use opentelemetry::trace::TraceId;
use tokio::task::{self, JoinSet};
use tracing::field::display;
use tracing::{debug, error, info, warn};

use super::witness::Witness;
use crate::config::{self, Order};
use crate::faults;
use crate::plugin::invoke::{Call, Runner};
use crate::plugin::registry::{Generation, Generations, Plugin};
use crate::store::{Attempt, Claim, LivePlugin, Policy, Settled, Store};
use crate::telemetry::shown;
use crate::telemetry::traces::Attempted;

/// Keeps workers for each live plugin. Returns once the store is closed and
/// every call has ended.
pub async fn run<S: Store>(
    store: Arc<S>,
    runner: Runner,
    mut generations: Generations,
    witness: Witness,
) {
    let mut workers: JoinSet<()> = JoinSet::new();
    let mut running: HashMap<task::Id, Seat> = HashMap::new();
    let mut told: Option<(Vec<LivePlugin>, Vec<PluginName>)> = None;
    let mut closed = false;
    while !closed || !workers.is_empty() {
        let generation = Arc::clone(&generations.borrow_and_update());
        let known = known(&generation);
        if told.as_ref() != Some(&known) {
            store.plugins(known.0.clone(), known.1.clone());
            told = Some(known);
        }
        if !closed {
            let taken: HashSet<Seat> = running.values().cloned().collect();
            for seat in seats(&generation).filter(|seat| !taken.contains(seat)) {
                let worker = Worker {
                    seat: seat.clone(),
                    store: Arc::clone(&store),
                    runner: runner.clone(),
                    generations: generations.clone(),
                    witness: witness.clone(),
                };
                running.insert(workers.spawn(worker.run()).id(), seat);
            }
        }
        tokio::select! {
            Some(ended) = workers.join_next_with_id() => {
                let id = match ended {
                    Ok((id, ())) => id,
                    Err(error) => {
                        error!(%error, "a worker failed; this is a mistake in hookbox");
                        error.id()
                    }
                };
                running.remove(&id);
            }
            changed = generations.changed(), if !closed => closed = changed.is_err(),
            () = store.closed(), if !closed => closed = true,
        }
    }
}

/// The place of one worker: a plugin, and one of the calls that it may have at
/// once, counted from 0.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Seat {
    plugin: PluginName,
    number: usize,
}

impl Seat {
    fn is_in(&self, generation: &Generation) -> bool {
        let plugin = generation.plugins.get(&self.plugin);
        plugin.is_some_and(|plugin| self.number < plugin.settings.concurrency)
    }
}

fn seats(generation: &Generation) -> impl Iterator<Item = Seat> {
    generation.plugins.values().flat_map(|plugin| {
        let numbers = 0..plugin.settings.concurrency;
        numbers.map(|number| Seat { plugin: plugin.name.clone(), number })
    })
}

/// What the store has to know of plugins.
fn known(generation: &Generation) -> (Vec<LivePlugin>, Vec<PluginName>) {
    let live = generation.plugins.values().map(|plugin| LivePlugin {
        name: plugin.name.clone(),
        digest: plugin.code.digest,
        asks_for: plugin.code.description.events.clone(),
        policy: policy(&plugin.settings),
    });
    (live.collect(), generation.unloadable.keys().cloned().collect())
}

fn policy(settings: &config::Plugin) -> Policy {
    Policy {
        retry: RetryPolicy {
            attempts_max: settings.attempts_max,
            backoff_first_ms: settings.backoff_first_ms,
            backoff_max_ms: settings.backoff_max_ms,
        },
        breaker: BreakerPolicy {
            failures: settings.breaker_failures,
            open_first_ms: settings.breaker_open_first_ms,
            open_max_ms: settings.breaker_open_max_ms,
        },
        ordered: settings.order == Order::Entity,
        serial: settings.grants.keyvalue() && !settings.keyvalue_parallel,
    }
}

/// Whoever has a seat.
struct Worker<S> {
    seat: Seat,
    store: Arc<S>,
    runner: Runner,
    generations: Generations,
    witness: Witness,
}

impl<S: Store> Worker<S> {
    /// One call after another, as long as the plugin is live and may have as
    /// many.
    async fn run(mut self) {
        loop {
            let claim = tokio::select! {
                claim = self.store.claim(&self.seat.plugin) => claim,
                _ = self.generations.wait_for(|generation| !self.seat.is_in(generation)) => None,
            };
            let Some(claim) = claim else { return };
            // What is live may have changed while it waited.
            let live = self.generations.borrow().plugins.get(&self.seat.plugin).cloned();
            match live {
                Some(plugin) => self.attempt(plugin, claim).await,
                None => return self.store.release(claim),
            }
        }
    }

    /// One call. Its result is given to the store, so that it and the next claim
    /// share a commit.
    async fn attempt(&self, plugin: Arc<Plugin>, claim: Claim) {
        let digest = plugin.code.digest;
        let span = self.witness.traces.attempt(
            claim.trace.as_deref(),
            &Attempted {
                event: claim.event_id,
                name: claim.event.name(),
                delivery: claim.delivery,
                plugin: &plugin.name,
                digest,
                generation: plugin.since,
                attempt: claim.attempt,
            },
        );
        let call = Call {
            delivery: claim.delivery,
            event_id: claim.event_id,
            event: Arc::clone(&claim.event),
            received_at_ms: claim.received_at_ms,
            attempt: claim.attempt,
            replay: claim.is_replay(),
            caller: span.caller(),
        };
        faults::point("call.before");
        let mut held = Held { store: &*self.store, claim: Some(claim) };
        let done = self.runner.handle(Arc::clone(&plugin), call).await;
        let Some(claim) = held.claim.take() else { return };
        faults::point("call.after");
        let since = done.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let attempt = Attempt {
            digest,
            generation: plugin.since,
            started_at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            duration: done.duration,
            outcome: done.outcome,
            log: done.log,
            changes: done.changes,
            calls: done.calls,
        };
        let trace = span.id();
        span.ended(&attempt.outcome, attempt.duration);
        tell(&plugin, &claim, &attempt, trace);
        self.witness.attempt(&plugin, &claim, &attempt);
        let handled = attempt.outcome == Outcome::Handled;
        let (delivery, event) = (claim.delivery, claim.event_id);
        let settled = self.store.settle(claim, attempt);
        if !handled {
            tokio::spawn(tell_dead(settled, plugin, event, delivery, self.witness.clone()));
        }
    }
}

/// A claim that goes back to the store where the worker is dropped with it.
struct Held<'a, S: Store> {
    store: &'a S,
    claim: Option<Claim>,
}

impl<S: Store> Drop for Held<'_, S> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.store.release(claim);
        }
    }
}

async fn tell_dead(
    settled: impl Future<Output = Option<Settled>>,
    plugin: Arc<Plugin>,
    event: EventId,
    delivery: DeliveryId,
    witness: Witness,
) {
    match settled.await {
        Some(Settled::Dead(reason)) => {
            error!(
                plugin = %plugin.name, %event, %delivery, %reason,
                "dead: the delivery is given up; `hookbox dead list` shows it"
            );
            witness.dead(&plugin.name, event, delivery, reason.to_string());
        }
        Some(Settled::Waiting { until_ms }) => debug!(
            plugin = %plugin.name, %event, %delivery, until_ms, "the delivery is tried again"
        ),
        Some(Settled::Succeeded) => {}
        None => warn!(
            plugin = %plugin.name, %event, %delivery,
            "the result of the call could not be kept: the event is handed over again"
        ),
    }
}

fn tell(plugin: &Plugin, claim: &Claim, attempt: &Attempt, trace: Option<TraceId>) {
    let digest = plugin.code.digest.short();
    let name = shown(claim.event.name());
    let trace = trace.map(display);
    let duration_us = u64::try_from(attempt.duration.as_micros()).unwrap_or(u64::MAX);
    match &attempt.outcome {
        Outcome::Handled => info!(
            plugin = %plugin.name, %digest, generation = plugin.since, event = %claim.event_id,
            name, delivery = %claim.delivery, attempt = claim.attempt, duration_us, trace,
            "handled"
        ),
        Outcome::Failed(failure) => warn!(
            plugin = %plugin.name, %digest, generation = plugin.since, event = %claim.event_id,
            name, delivery = %claim.delivery, attempt = claim.attempt, duration_us,
            failure = %failure.kind,
            retry_after_ms = retry_after_ms(failure.kind), error = failure.message, trace, "failed"
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
