//! A step of an operator's: done in the file, and known in memory.

use hookbox_core::ids::PluginName;

use super::Journal;
use crate::store::records::{Operation, Report, RequestError};
use crate::store::sqlite::{delivery_id, operate, unavailable};

impl Journal {
    pub(super) fn operate(
        &mut self,
        operation: &Operation,
        now_ms: u64,
    ) -> rusqlite::Result<Result<Report, RequestError>> {
        self.begin()?;
        // A step that fails half-way must leave nothing, and the batch goes on.
        self.connection.execute_batch("SAVEPOINT operation")?;
        let lanes = &self.lanes;
        let of = |name: &str| name.parse::<PluginName>().ok().and_then(|name| lanes.get(&name));
        let mut context = operate::Context {
            now_ms,
            // The policy is kept while the plugin is away. Order is kept where
            // nothing is known, since that does no harm.
            ordered: &|name| of(name).and_then(|l| l.policy).is_none_or(|p| p.ordered),
            live: &|name| of(name).is_some_and(|lane| lane.live.is_some()),
            new_id: &mut || delivery_id(now_ms),
        };
        let step = match operate::step(&self.connection, operation, &mut context) {
            Ok(Ok(step)) => step,
            Ok(Err(error)) => {
                self.connection.execute_batch("ROLLBACK TO operation; RELEASE operation")?;
                return Ok(Err(error));
            }
            // Not the disk's: a row that cannot be read.
            Err(error) if error.sqlite_error_code().is_none() => {
                self.connection.execute_batch("ROLLBACK TO operation; RELEASE operation")?;
                return Ok(Err(unavailable(&error)));
            }
            Err(error) => return Err(error),
        };
        self.connection.execute_batch("RELEASE operation")?;
        for (plugin, change) in step.touched {
            let lane = self.lane(&plugin);
            lane.waits_until(now_ms);
            lane.owed = lane.owed.saturating_add_signed(change);
            self.owed = self.owed.saturating_add_signed(change);
        }
        for (plugin, change) in step.dead {
            let lane = self.lane(&plugin);
            lane.dead = lane.dead.saturating_add_signed(change);
        }
        if let Some((plugin, paused)) = step.paused {
            // In the file with this commit. Where that fails, it is read again.
            self.lane(&plugin).paused = paused;
        }
        Ok(Ok(step.report))
    }
}
