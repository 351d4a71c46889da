//! A claim ends: by the result of a call, or given back untouched.

use hookbox_core::breaker::Verdict;
use hookbox_core::outcome::Outcome;
use hookbox_core::retry::Next;

use super::{Journal, tell};
use crate::store::sqlite::lanes::Lane;
use crate::store::sqlite::rows::{self, Dead, Place};
use crate::store::sqlite::state;
use crate::store::{Attempt, Claim, Settled};

impl Journal {
    pub(super) fn settle(
        &mut self,
        claim: &Claim,
        attempt: &Attempt,
        now_ms: u64,
    ) -> rusqlite::Result<Settled> {
        let next = self.decide(claim, attempt, now_ms);
        self.begin()?;
        let place = Place { plugin: &claim.plugin, key: claim.key };
        let log_bytes_max = self.limits.attempt_log_bytes_max;
        rows::insert_attempt(&self.connection, claim, attempt, next, log_bytes_max)?;
        rows::insert_calls(&self.connection, claim, &attempt.calls)?;
        match next {
            Next::Retry { at_ms } => {
                self.lane(&claim.plugin).waits_until(at_ms);
                rows::wait(&self.connection, place, at_ms)?;
                Ok(Settled::Waiting { until_ms: at_ms })
            }
            Next::Succeeded => {
                // Once only: where a failed commit was in the file after all,
                // the delivery is not in the queue any more.
                if self.finish(place, now_ms)? {
                    let plugin = claim.plugin.as_str();
                    state::apply(&self.connection, plugin, &attempt.changes, now_ms)?;
                }
                Ok(Settled::Succeeded)
            }
            Next::Dead(reason) => {
                let error = match &attempt.outcome {
                    Outcome::Failed(failure) => Some(failure.message.as_str()),
                    Outcome::Handled => None,
                };
                if self.finish(place, now_ms)? {
                    let id = claim.delivery.to_string();
                    let dead = Dead { place, id: &id, attempts: claim.attempt, reason, error };
                    self.insert_dead(&dead, now_ms)?;
                }
                Ok(Settled::Dead(reason))
            }
        }
    }

    /// What becomes of the delivery. Decided once, also where it has to be
    /// written again; and the breaker is told once.
    fn decide(&mut self, claim: &Claim, attempt: &Attempt, now_ms: u64) -> Next {
        let lane = self.lane(&claim.plugin);
        let policy = lane.policy;
        let mut running = lane.running.remove(&claim.key).unwrap_or_default();
        if let Some(permit) = running.permit.take()
            && let Some(policy) = policy
        {
            let verdict = Verdict::from(&attempt.outcome);
            let change = lane.breaker.end(permit, verdict, now_ms, &policy.breaker);
            tell(&claim.plugin, change, now_ms);
        }
        let counted = claim.attempt.saturating_sub(claim.forgiven);
        let next = *running.decided.get_or_insert_with(|| match (policy, &attempt.outcome) {
            (Some(policy), outcome) => policy.retry.after(outcome, counted, now_ms, random()),
            (None, Outcome::Handled) => Next::Succeeded,
            (None, Outcome::Failed(_)) => Next::Retry { at_ms: now_ms },
        });
        self.ended.push((claim.plugin.clone(), claim.key, running));
        next
    }

    pub(super) fn release(&mut self, claim: &Claim, now_ms: u64) -> rusqlite::Result<()> {
        let lane = self.lane(&claim.plugin);
        let mut running = lane.running.remove(&claim.key).unwrap_or_default();
        if let Some(permit) = running.permit.take() {
            lane.breaker.give_back(permit);
        }
        lane.waits_until(now_ms);
        self.ended.push((claim.plugin.clone(), claim.key, running));
        self.begin()?;
        rows::put_back(&self.connection, Place { plugin: &claim.plugin, key: claim.key }, now_ms)
    }

    /// Takes a delivery out of the queue, and lets the next one of its entity
    /// go. False where it was not in it any more.
    pub(super) fn finish(&mut self, place: Place<'_>, now_ms: u64) -> rusqlite::Result<bool> {
        let Some(entity) = rows::take_out(&self.connection, place)? else { return Ok(false) };
        self.owed = self.owed.saturating_sub(1);
        let lane = self.lanes.entry(place.plugin.clone()).or_insert_with(Lane::new);
        lane.owed = lane.owed.saturating_sub(1);
        if let Some(entity) = entity
            && rows::unblock(&self.connection, place.plugin.as_str(), &entity, now_ms)?
        {
            lane.waits_until(now_ms);
        }
        Ok(true)
    }

    /// Writes a dead letter of what was taken out of the queue, and counts it.
    pub(super) fn insert_dead(&mut self, dead: &Dead<'_>, now_ms: u64) -> rusqlite::Result<()> {
        rows::insert_dead(&self.connection, dead, now_ms)?;
        self.lane(dead.place.plugin).dead += 1;
        Ok(())
    }

    /// For a command that is given up after a failure: its claim is not handed
    /// out any more, so that opening again puts the delivery back.
    ///
    /// `called`: whether the plugin was called. Then the attempt counts, so that
    /// a result which can never be written does not call it without end.
    pub fn abandon(&mut self, claim: &Claim, called: bool) {
        let running = &mut self.lane(&claim.plugin).running;
        if called {
            running.entry(claim.key).or_default().abandoned = true;
        } else {
            running.remove(&claim.key);
        }
    }
}

/// For the jitter of waits. Where the system gives none, waits are not spread.
fn random() -> u64 {
    let mut bytes = [0; 8];
    let _not_spread = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
