//! A body becomes an accepted event: verify, type, route, store.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hookbox_core::event::Event;
use hookbox_core::ids::{DeliveryId, Digest, EventId, SourceName};
use hookbox_core::retry::DeadReason;
use hookbox_core::verify::{Refusal, verify};
use tokio::sync::watch;
use tracing::field::display;
use tracing::{error, info, warn};

use super::witness::Witness;
use crate::config::{Live, Order};
use crate::ingress::{Answer, Receive};
use crate::plugin::registry::Generations;
use crate::store::{Accept, Accepted, Health, NewDelivery, RefusedRequest, Store, StoreError};
use crate::telemetry::live::Notice;
use crate::telemetry::metrics::Request;
use crate::telemetry::traces::{Arrival, Received};
use crate::telemetry::{shown, unix_ms};

/// See the module's text.
pub struct Intake<S> {
    live: watch::Receiver<Arc<Live>>,
    generations: Generations,
    store: Arc<S>,
    deliveries_max: u64,
    witness: Witness,
}

impl<S: Store> Intake<S> {
    /// Takes what comes by the settings and for the plugins of the moment.
    ///
    /// `deliveries_max`: how many may be owed.
    pub fn new(
        live: watch::Receiver<Arc<Live>>,
        generations: Generations,
        store: Arc<S>,
        deliveries_max: u64,
        witness: Witness,
    ) -> Self {
        Self { live, generations, store, deliveries_max, witness }
    }

    /// The event, and how long the same body counts as a duplicate.
    fn event(&self, source: &str, body: &[u8]) -> Result<(Event, u64), Answer> {
        let live = Arc::clone(&self.live.borrow());
        let name: SourceName = source.parse().map_err(|_| Answer::UnknownSource)?;
        let source = live.sources.get(&name).ok_or(Answer::UnknownSource)?;
        let verified = verify(&name, &source.secrets, body).map_err(Answer::Refused)?;
        let event = Event::decode(verified).map_err(Answer::Refused)?;
        let window_ms = source.duplicate_window_ms(event.timestamp().is_some());
        Ok((event, window_ms))
    }

    async fn accept(
        &self,
        event: Event,
        duplicate_window_ms: u64,
        received: &Received,
    ) -> Result<Answer, Answer> {
        let received_at_ms = unix_ms();
        let id = EventId::new(received_at_ms, random()?);
        let generation = Arc::clone(&self.generations.borrow());
        let mut deliveries = Vec::new();
        // In the order of the subscribers.
        let mut ids = Vec::new();
        for (plugin, settings) in generation.subscribers(&event) {
            let id = DeliveryId::new(received_at_ms, random()?);
            ids.push(id);
            deliveries.push(NewDelivery {
                id,
                plugin: plugin.clone(),
                backlog_max: settings.backlog_max,
                ordered: settings.order == Order::Entity,
            });
        }
        let plugins = deliveries.len();
        let event = Arc::new(event);
        let accept = Accept {
            id,
            event: Arc::clone(&event),
            received_at_ms,
            duplicate_window_ms,
            deliveries,
            trace: received.trace(),
        };
        let commit = received.commit();
        let accepted = self.store.accept(accept).await;
        drop(commit);
        let accepted = accepted.map_err(|error| match error {
            StoreError::Full => Answer::Full,
            StoreError::Crowded => Answer::Busy,
            StoreError::Unwritable => Answer::Unwritable,
            StoreError::Closed => Answer::Ending,
        })?;
        let (name, source, secret) = (shown(event.name()), event.source(), event.secret());
        let trace = received.id().map(display);
        let overflowed = match accepted {
            Accepted::New { overflowed } => overflowed,
            Accepted::Duplicate { of } => {
                info!(event = %of, name, %source, secret, trace, "duplicate: it was accepted before");
                self.tell_received(received_at_ms, of, &event, 0, true);
                return Ok(Answer::Accepted { event_id: of, duplicate: true });
            }
        };
        let plugins = plugins - overflowed.len();
        info!(event = %id, name, %source, secret, plugins, trace, "accepted");
        self.tell_received(received_at_ms, id, &event, plugins, false);
        for plugin in overflowed {
            error!(
                event = %id, name, plugin = %plugin,
                "dead: more deliveries are owed to the plugin than plugin.{plugin}.backlog_max"
            );
            let subscribers = generation.subscribers(&event).map(|(name, _)| name);
            let delivery = subscribers.zip(&ids).find(|(name, _)| **name == plugin);
            if let Some((_, delivery)) = delivery {
                self.witness.dead(&plugin, id, *delivery, DeadReason::BacklogFull.to_string());
            }
        }
        Ok(Answer::Accepted { event_id: id, duplicate: false })
    }

    /// `id`: as the sender is told it.
    fn tell_received(
        &self,
        at_ms: u64,
        id: EventId,
        event: &Event,
        plugins: usize,
        duplicate: bool,
    ) {
        self.witness.live.tell_often(|| Notice::Received {
            at_ms,
            event: id.to_string(),
            name: shown(event.name()),
            source: event.source().to_string(),
            plugins,
            duplicate,
        });
    }

    /// Leaves a trace of a refused request: in the log, and in the store.
    fn note(&self, source: &str, peer: SocketAddr, answer: &Answer, body: Option<&[u8]>) {
        let code = log_code(answer);
        let status = answer.status().as_u16();
        let source = shown(source);
        warn!(%peer, source, status, code, "refused");
        let at_ms = unix_ms();
        self.witness.live.tell_often(|| Notice::Refused {
            at_ms,
            peer: peer.ip().to_string(),
            source: source.clone(),
            status,
            code: code.to_owned(),
        });
        self.store.refused(RefusedRequest {
            at_ms,
            peer: peer.ip().to_string(),
            source,
            status,
            code,
            bytes: body.map(<[u8]>::len),
            digest: body.filter(|_| !may_hold_a_secret(answer)).map(Digest::of),
        });
    }
}

impl<S: Store> Receive for Intake<S> {
    fn knows(&self, source: &str) -> bool {
        source.parse().is_ok_and(|name: SourceName| self.live.borrow().sources.contains_key(&name))
    }

    async fn receive(
        &self,
        source: &str,
        peer: SocketAddr,
        arrival: Arrival,
        body: Vec<u8>,
    ) -> Answer {
        let (event, window_ms) = match self.event(source, &body) {
            Ok(typed) => typed,
            Err(answer) => {
                self.note(source, peer, &answer, Some(&body));
                self.witness.traces.refused(
                    &arrival,
                    source,
                    answer.status().as_u16(),
                    log_code(&answer),
                );
                return answer;
            }
        };
        drop(body);
        let received = self.witness.traces.received(&arrival, source, event.name());
        match self.accept(event, window_ms, &received).await {
            Ok(answer) => {
                if let Answer::Accepted { event_id, duplicate } = answer {
                    received.accepted(event_id, duplicate);
                }
                answer
            }
            Err(answer) => {
                self.note(source, peer, &answer, None);
                received.refused(answer.status().as_u16(), log_code(&answer));
                answer
            }
        }
    }

    fn is_ready(&self) -> bool {
        *self.store.health().borrow() == Health::Good && self.store.owed() < self.deliveries_max
    }

    fn refused(&self, source: &str, peer: SocketAddr, arrival: &Arrival, answer: &Answer) {
        self.note(source, peer, answer, None);
        self.witness.traces.refused(arrival, source, answer.status().as_u16(), log_code(answer));
    }

    fn answered(&self, source: &str, answer: &Answer, elapsed: Duration) {
        let request = match answer {
            Answer::Accepted { duplicate: false, .. } => Request::Accepted { source },
            Answer::Accepted { duplicate: true, .. } => Request::Duplicate { source },
            // Whatever a stranger writes there is not counted apart.
            Answer::UnknownSource => Request::Refused { source: None, code: log_code(answer) },
            _ => Request::Refused { source: Some(source), code: log_code(answer) },
        };
        self.witness.metrics.request(request, elapsed);
    }
}

/// The answer's code, as the operator is told it: the sender is not told a
/// missing secret from a wrong one.
fn log_code(answer: &Answer) -> &'static str {
    match answer {
        Answer::Refused(refusal @ (Refusal::SecretMissing | Refusal::SecretWrong)) => {
            refusal.log_code()
        }
        other => other.code(),
    }
}

/// Whether a body that was refused so may hold a right secret all the same.
fn may_hold_a_secret(answer: &Answer) -> bool {
    !matches!(
        answer,
        Answer::Refused(Refusal::SecretMissing | Refusal::SecretWrong | Refusal::NotAnObject)
    )
}

fn random() -> Result<[u8; 10], Answer> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(|error| {
        error!(%error, "the system gives no random bytes, so that no event can be accepted");
        Answer::Busy
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
