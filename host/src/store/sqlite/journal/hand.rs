//! Handing out: which delivery is next, and that it runs.

use hookbox_core::ids::PluginName;
use hookbox_core::retry::DeadReason;
use tracing::error;

use super::{Journal, News};
use crate::store::records::ChangeKind;
use crate::store::sqlite::lanes::{Ready, Running, WINDOW};
use crate::store::sqlite::rows::{self, Dead, Place, Unreadable};

/// Deliveries of one plugin that a batch looks at: what is dead or was taken
/// away uses up no worker, and a batch must end.
const LOOKS_MAX: usize = 2 * WINDOW;

/// Attempts past a plugin's limit that a delivery has where hookbox ended during
/// the ones before, since nobody knows whether these had begun. Not without
/// end: it may be the delivery that ends hookbox.
const INTERRUPTED_MAX: u32 = 3;

impl Journal {
    /// Hands out what can be.
    pub(super) fn hand_out(&mut self, now_ms: u64) -> rusqlite::Result<()> {
        let names: Vec<PluginName> = self
            .lanes
            .iter()
            .filter(|(_, lane)| {
                lane.takes(now_ms) || lane.breaker_until_ms(now_ms) != lane.breaker_noted
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            for _ in 0..LOOKS_MAX {
                if !self.lane(&name).takes(now_ms) {
                    break;
                }
                let Some(ready) = self.next(&name, now_ms)? else { break };
                self.hand(&name, ready, now_ms)?;
            }
            self.note_breaker(&name, now_ms)?;
        }
        Ok(())
    }

    /// Writes how the breaker stands, where that is not what the file says. That
    /// it opened or closed is a change to look up later; that it stays open after
    /// a trial is none.
    fn note_breaker(&mut self, name: &PluginName, now_ms: u64) -> rusqlite::Result<()> {
        let lane = self.lane(name);
        let (until, noted) = (lane.breaker_until_ms(now_ms), lane.breaker_noted);
        let live = lane.live.is_some();
        if until == noted {
            return Ok(());
        }
        self.begin()?;
        rows::note_breaker(&self.connection, name, until)?;
        let told = match (noted, until) {
            (None, Some(until)) => {
                let for_ms = until.saturating_sub(now_ms);
                let text = format!(
                    "too many of its calls failed in a row: it gets nothing for {for_ms} ms, then \
                     one event as a trial"
                );
                Some((ChangeKind::BreakerOpen, text))
            }
            (Some(_), None) if live => {
                Some((ChangeKind::BreakerClosed, "it gets events again".to_owned()))
            }
            (Some(_), None) => Some((ChangeKind::BreakerClosed, "its code is gone".to_owned())),
            _ => None,
        };
        if let Some((kind, text)) = told {
            let change = rows::breaker_change(name, kind, text.clone(), now_ms);
            rows::insert_change(&self.connection, &change)?;
            self.news.push(News::Breaker { plugin: name.clone(), kind, text });
        }
        self.lane(name).breaker_noted = until;
        Ok(())
    }

    fn hand(&mut self, name: &PluginName, ready: Ready, now_ms: u64) -> rusqlite::Result<()> {
        // After a failed commit that was in the file after all, one can stand
        // there as waiting whose end is still to be written again; that says
        // when it is next.
        if self.lane(name).running.contains_key(&ready.key) {
            return Ok(());
        }
        self.begin()?;
        let place = Place { plugin: name, key: ready.key };
        let attempts_max =
            self.lane(name).policy.map_or(u32::MAX, |policy| policy.retry.attempts_max.max(1));
        let had = ready.attempts.saturating_sub(ready.forgiven);
        if had >= attempts_max.saturating_add(INTERRUPTED_MAX) {
            return self.give_up(place, &ready, now_ms);
        }
        // An operator may have taken it away since it was read.
        if !rows::run(&self.connection, place)? {
            return Ok(());
        }
        let lane = self.lane(name);
        lane.wants -= 1;
        let permit = lane.breaker.begin(now_ms);
        lane.running.insert(ready.key, Running { permit, ..Running::default() });
        self.claims.push(ready.claim(name));
        Ok(())
    }

    fn give_up(&mut self, place: Place<'_>, ready: &Ready, now_ms: u64) -> rusqlite::Result<()> {
        if self.finish(place, now_ms)? {
            let id = ready.delivery.to_string();
            let reason = DeadReason::AttemptsExhausted;
            let text = format!(
                "{} attempts, and none came to an end that counts: hookbox ended during them, or \
                 plugin.{}.attempts_max was lowered",
                ready.attempts, place.plugin
            );
            let error = Some(text.as_str());
            let dead = Dead { place, id: &id, attempts: ready.attempts, reason, error };
            self.insert_dead(&dead, now_ms)?;
            error!(
                plugin = %place.plugin, event = %ready.event_id, delivery = id,
                reason = reason.code(), error,
                "dead: the delivery is given up; `hookbox dead list` shows it"
            );
            let (plugin, event) = (place.plugin.clone(), ready.event_id.to_string());
            self.news.push(News::Dead { plugin, event, delivery: id, reason });
        }
        Ok(())
    }

    /// The next delivery of a plugin: in turn one that waited and one that was
    /// never tried, where there are both.
    fn next(&mut self, name: &PluginName, now_ms: u64) -> rusqlite::Result<Option<Ready>> {
        self.read_due(name, now_ms)?;
        self.read_fresh(name, now_ms)?;
        let lane = self.lane(name);
        let due_first = !lane.due_was_last || lane.fresh.is_empty();
        let ready = if due_first { lane.due.pop() } else { None };
        lane.due_was_last = ready.is_some();
        Ok(ready.or_else(|| lane.fresh.pop()))
    }

    fn read_due(&mut self, name: &PluginName, now_ms: u64) -> rusqlite::Result<()> {
        let lane = self.lane(name);
        if !lane.due.is_empty() || lane.next_due_ms.is_none_or(|due| due > now_ms) {
            return Ok(());
        }
        let read = rows::read_due(&self.connection, name, now_ms)?;
        let more = read.complete.then(|| rows::next_due(&self.connection, name, now_ms));
        let next_due = more.transpose()?.unwrap_or(Some(now_ms));
        let lane = self.lane(name);
        lane.next_due_ms = next_due;
        read.ready.into_iter().for_each(|ready| lane.due.push(ready));
        self.bury(name, read.unreadable, now_ms)
    }

    fn read_fresh(&mut self, name: &PluginName, now_ms: u64) -> rusqlite::Result<()> {
        let lane = self.lane(name);
        if !lane.behind || !lane.fresh.is_empty() {
            return Ok(());
        }
        let cursor = lane.cursor;
        let last = self.next_seq - 1;
        let read = rows::read_fresh(&self.connection, name, cursor)?;
        let lane = self.lane(name);
        lane.behind = !read.complete;
        lane.cursor = if read.complete { last } else { read.last_event.max(cursor) };
        read.ready.into_iter().for_each(|ready| lane.fresh.push(ready));
        self.bury(name, read.unreadable, now_ms)
    }

    /// Deliveries whose events cannot be understood any more are dead, or they
    /// would be read for ever.
    fn bury(
        &mut self,
        name: &PluginName,
        unreadable: Vec<Unreadable>,
        now_ms: u64,
    ) -> rusqlite::Result<()> {
        for row in unreadable {
            self.begin()?;
            let place = Place { plugin: name, key: row.key };
            if self.finish(place, now_ms)? {
                let reason = DeadReason::Unreadable;
                let error = Some(row.error.as_str());
                let dead = Dead { place, id: &row.id, attempts: row.attempts, reason, error };
                self.insert_dead(&dead, now_ms)?;
                error!(
                    plugin = %name, delivery = row.id, error = row.error,
                    "dead: the journal's copy of the event cannot be read"
                );
                let event = rows::event_id(&self.connection, row.key)?;
                self.news.push(News::Dead {
                    plugin: name.clone(),
                    event,
                    delivery: row.id,
                    reason,
                });
            }
        }
        Ok(())
    }
}
