//! An event comes in.

use std::sync::Arc;

use hookbox_core::retry::DeadReason;

use super::Journal;
use crate::store::sqlite::lanes::{Lane, Ready, Running};
use crate::store::sqlite::rows::{self, Dead, Place};
use crate::store::{Accept, Accepted, Key, NewDelivery, StoreError};

impl Journal {
    pub(super) fn accept(
        &mut self,
        accept: &Accept,
        now_ms: u64,
    ) -> rusqlite::Result<Result<Accepted, StoreError>> {
        if accept.duplicate_window_ms > 0
            && let Some(of) = rows::seen(&self.connection, &accept.event, now_ms)?
        {
            self.begin()?;
            rows::repeat(&self.connection, of)?;
            return Ok(Ok(Accepted::Duplicate { of }));
        }
        if self.owed + accept.deliveries.len() as u64 > self.limits.deliveries_max
            && !accept.deliveries.is_empty()
        {
            return Ok(Err(StoreError::Full));
        }
        self.begin()?;
        let seq = self.next_seq;
        self.next_seq += 1;
        rows::insert_event(&self.connection, seq, accept)?;
        if accept.duplicate_window_ms > 0 {
            let until_ms = now_ms.saturating_add(accept.duplicate_window_ms);
            rows::insert_seen(&self.connection, accept, until_ms)?;
        }
        let mut overflowed = Vec::new();
        for new in &accept.deliveries {
            if !self.owe(accept, new, seq, now_ms)? {
                overflowed.push(new.plugin.clone());
            }
        }
        Ok(Ok(Accepted::New { overflowed }))
    }

    /// One of the event's deliveries; where the plugin's worker waits for it, it
    /// is claimed at once, which costs nothing more. False: it is dead, since
    /// too much is owed to the plugin.
    fn owe(
        &mut self,
        accept: &Accept,
        new: &NewDelivery,
        seq: i64,
        now_ms: u64,
    ) -> rusqlite::Result<bool> {
        let lane = self.lanes.entry(new.plugin.clone()).or_insert_with(Lane::new);
        let key = Key { event: seq, replay: 0 };
        let place = Place { plugin: &new.plugin, key };
        let id = new.id.to_string();
        if lane.owed >= new.backlog_max {
            let reason = DeadReason::BacklogFull;
            let dead = Dead { place, id: &id, attempts: 0, reason, error: None };
            rows::insert_dead(&self.connection, &dead, now_ms)?;
            return Ok(false);
        }
        let entity = if new.ordered { accept.event.entity() } else { None };
        let entity = entity.map(|entity| entity.to_string());
        let blocked = match &entity {
            Some(entity) => rows::entity_is_open(&self.connection, new.plugin.as_str(), entity)?,
            None => false,
        };
        let at_once = !blocked && lane.takes_at_once(now_ms);
        let state = match (blocked, at_once) {
            (true, _) => "blocked",
            (false, true) => "running",
            (false, false) => "pending",
        };
        rows::insert_delivery(&self.connection, place, &id, state, entity.as_deref())?;
        lane.owed += 1;
        self.owed += 1;
        let ready = Ready {
            key,
            delivery: new.id,
            event_id: accept.id,
            event: Arc::clone(&accept.event),
            received_at_ms: accept.received_at_ms,
            attempts: 0,
            forgiven: 0,
            trace: accept.trace.clone(),
        };
        if at_once {
            lane.wants -= 1;
            lane.cursor = seq;
            // Only after the row is written: a permit must not be lost.
            let permit = lane.breaker.begin(now_ms);
            lane.running.insert(key, Running { permit, ..Running::default() });
            self.claims.push(ready.claim(&new.plugin));
        } else if !blocked && !lane.behind && lane.fresh.has_room() {
            lane.cursor = seq;
            lane.fresh.push(ready);
        } else if !blocked {
            lane.behind = true;
        }
        Ok(true)
    }
}
