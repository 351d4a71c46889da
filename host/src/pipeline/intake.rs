//! A body becomes an accepted event: verify, type, route, store.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hookbox_core::event::Event;
use hookbox_core::ids::{DeliveryId, Digest, EventId, SourceName};
use hookbox_core::verify::{Refusal, verify};
use tokio::sync::watch;
use tracing::field::display;
use tracing::{error, info, warn};

use crate::config::{Live, Order};
use crate::ingress::{Answer, Receive};
use crate::plugin::registry::Generations;
use crate::store::{Accept, Accepted, Health, NewDelivery, RefusedRequest, Store, StoreError};
use crate::telemetry::shown;
use crate::telemetry::traces::{Arrival, Received, Traces};

/// See the module's text.
pub struct Intake<S> {
    live: watch::Receiver<Arc<Live>>,
    generations: Generations,
    store: Arc<S>,
    traces: Traces,
}

impl<S: Store> Intake<S> {
    /// Takes what comes by the settings and for the plugins of the moment.
    pub fn new(live: watch::Receiver<Arc<Live>>, generations: Generations, store: Arc<S>) -> Self {
        Self { live, generations, store, traces: Traces::default() }
    }

    /// The same, of whose events there are traces.
    #[must_use]
    pub fn with_traces(mut self, traces: Traces) -> Self {
        self.traces = traces;
        self
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
        for (plugin, settings) in generation.subscribers(&event) {
            deliveries.push(NewDelivery {
                id: DeliveryId::new(received_at_ms, random()?),
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
                return Ok(Answer::Accepted { event_id: of, duplicate: true });
            }
        };
        let plugins = plugins - overflowed.len();
        info!(event = %id, name, %source, secret, plugins, trace, "accepted");
        for plugin in overflowed {
            error!(
                event = %id, name, plugin = %plugin,
                "dead: more deliveries are owed to the plugin than plugin.{plugin}.backlog_max"
            );
        }
        Ok(Answer::Accepted { event_id: id, duplicate: false })
    }

    /// Leaves a trace of a refused request: in the log, and in the store.
    fn note(&self, source: &str, peer: SocketAddr, answer: &Answer, body: Option<&[u8]>) {
        let code = noted(answer);
        let status = answer.status().as_u16();
        let source = shown(source);
        warn!(%peer, source, status, code, "refused");
        self.store.refused(RefusedRequest {
            at_ms: unix_ms(),
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
                self.traces.refused(&arrival, source, answer.status().as_u16(), noted(&answer));
                return answer;
            }
        };
        drop(body);
        let received = self.traces.received(&arrival, source, event.name());
        match self.accept(event, window_ms, &received).await {
            Ok(answer) => {
                if let Answer::Accepted { event_id, duplicate } = answer {
                    received.accepted(event_id, duplicate);
                }
                answer
            }
            Err(answer) => {
                self.note(source, peer, &answer, None);
                received.refused(answer.status().as_u16(), noted(&answer));
                answer
            }
        }
    }

    fn is_healthy(&self) -> bool {
        *self.store.health().borrow() == Health::Good
    }

    fn refused(&self, source: &str, peer: SocketAddr, arrival: &Arrival, answer: &Answer) {
        self.note(source, peer, answer, None);
        self.traces.refused(arrival, source, answer.status().as_u16(), noted(answer));
    }
}

/// The code by which a refusal is noted. The operator may know more than the
/// sender.
fn noted(answer: &Answer) -> &'static str {
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

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
