//! A body becomes an accepted event: verify, type, route, store.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hookbox_core::event::Event;
use hookbox_core::ids::{DeliveryId, EventId, SourceName};
use hookbox_core::verify::{Refusal, verify};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::config::Live;
use crate::ingress::{Answer, Receive};
use crate::plugin::registry::Generations;
use crate::store::{Accept, NewDelivery, Store, StoreError};
use crate::telemetry::shown;

/// See the module's text.
pub struct Intake<S> {
    live: watch::Receiver<Arc<Live>>,
    generations: Generations,
    store: Arc<S>,
}

impl<S: Store> Intake<S> {
    /// Takes what comes by the settings and for the plugins of the moment.
    pub fn new(live: watch::Receiver<Arc<Live>>, generations: Generations, store: Arc<S>) -> Self {
        Self { live, generations, store }
    }

    fn event(&self, source: &str, body: &[u8]) -> Result<Event, Answer> {
        let live = Arc::clone(&self.live.borrow());
        let name: SourceName = source.parse().map_err(|_| Answer::UnknownSource)?;
        let (_, secrets) = live.sources.get(&name).ok_or(Answer::UnknownSource)?;
        let verified = verify(&name, secrets, body).map_err(Answer::Refused)?;
        Event::decode(verified).map_err(Answer::Refused)
    }

    async fn accept(&self, event: Event) -> Result<EventId, Answer> {
        let received_at_ms = unix_ms();
        let id = EventId::new(received_at_ms, random()?);
        let generation = Arc::clone(&self.generations.borrow());
        let mut deliveries = Vec::new();
        for plugin in generation.subscribers(&event) {
            deliveries.push(NewDelivery {
                id: DeliveryId::new(received_at_ms, random()?),
                plugin: plugin.name.clone(),
                backlog_max: plugin.settings.backlog_max,
                backlog_bytes_max: plugin.settings.backlog_bytes_max,
            });
        }
        let plugins = deliveries.len();
        let event = Arc::new(event);
        let accept = Accept { id, event: Arc::clone(&event), received_at_ms, deliveries };
        let accepted = self.store.accept(accept).await.map_err(|error| match error {
            StoreError::Full => Answer::Busy,
            StoreError::Closed => Answer::Ending,
        })?;
        let plugins = plugins - accepted.overflowed.len();
        info!(
            event = %id, name = shown(event.name()), source = %event.source(),
            secret = event.secret(), plugins, "accepted"
        );
        for plugin in accepted.overflowed {
            error!(
                event = %id, name = shown(event.name()), plugin = %plugin,
                "the plugin does not get this event: too many wait for it: \
                 plugin.{plugin}.backlog_max, backlog_bytes_max"
            );
        }
        Ok(id)
    }
}

impl<S: Store> Receive for Intake<S> {
    fn knows(&self, source: &str) -> bool {
        source.parse().is_ok_and(|name: SourceName| self.live.borrow().sources.contains_key(&name))
    }

    async fn receive(&self, source: &str, peer: SocketAddr, body: Vec<u8>) -> Answer {
        let accepted = match self.event(source, &body) {
            Ok(event) => {
                drop(body);
                self.accept(event).await
            }
            Err(answer) => Err(answer),
        };
        match accepted {
            Ok(event_id) => Answer::Accepted { event_id },
            Err(answer) => {
                self.refused(source, peer, &answer);
                answer
            }
        }
    }

    fn refused(&self, source: &str, peer: SocketAddr, answer: &Answer) {
        let code = match answer {
            Answer::Refused(refusal @ (Refusal::SecretMissing | Refusal::SecretWrong)) => {
                refusal.log_code()
            }
            other => other.code(),
        };
        warn!(%peer, source = shown(source), status = answer.status().as_u16(), code, "refused");
    }
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
