//! Opening again, and taking up what the file says.

use hookbox_core::ids::PluginName;
use rusqlite::Connection;
use tracing::info;

use super::Journal;
use crate::store::records::ChangeKind;
use crate::store::sqlite::lanes::Lane;
use crate::store::sqlite::pause;
use crate::store::sqlite::rows::{self, Place};
use crate::store::sqlite::schema::{self, OpenError};

/// No delivery waits longer than this: what says so was written while the clock
/// was wrong.
const WAIT_MAX_MS: u64 = 31 * 86_400_000;

impl Journal {
    /// Opens the file anew after a failure, and checks it where `doubtful`. What
    /// this process handed out stays so.
    ///
    /// # Errors
    /// See [`OpenError`]. The journal stays unusable.
    pub fn reopen(&mut self, doubtful: bool, now_ms: u64) -> Result<(), OpenError> {
        // Replaced first, so that the failed one is closed before the new one opens.
        self.connection = Connection::open_in_memory()?;
        self.writing = false;
        self.connection = schema::open(&self.path, self.vfs)?;
        if doubtful {
            schema::check(&self.connection)?;
            schema::write_again(&self.connection)?;
        } else {
            // It frees the log where there is room for that already.
            let _later = schema::write_again(&self.connection);
        }
        self.take_up(false, now_ms)
    }

    /// Reads anew what memory says of the file.
    ///
    /// `started`: whether the process has just begun, so that it runs nothing.
    pub(super) fn take_up(&mut self, started: bool, now_ms: u64) -> Result<(), OpenError> {
        self.begin()?;
        self.lanes.values_mut().for_each(Lane::forget);
        self.next_seq = rows::last_event(&self.connection)? + 1;
        self.owed = 0;
        let mut interrupted = 0;
        for (plugin, owed, running) in rows::owed(&self.connection)? {
            self.owed += owed;
            let Ok(name) = plugin.parse::<PluginName>() else { continue };
            self.lane(&name).owed = owed;
            rows::wait_no_longer(&self.connection, &name, now_ms, now_ms + WAIT_MAX_MS)?;
            if running > 0 {
                interrupted += self.take_back(&name, started, now_ms)?;
            }
        }
        self.lanes.values_mut().for_each(|l| l.running.retain(|_, running| !running.abandoned));
        for (plugin, dead) in rows::dead(&self.connection)? {
            let Ok(name) = plugin.parse::<PluginName>() else { continue };
            self.lane(&name).dead = dead;
        }
        for name in pause::paused(&self.connection)? {
            self.lane(&name).paused = true;
        }
        self.take_up_breakers(started, now_ms)?;
        // Writes a page, so that it is known whether that can be done.
        self.connection.pragma_update(None, "user_version", schema::VERSION as i64)?;
        self.commit()?;
        if self.owed > 0 {
            info!(owed = self.owed, interrupted, "deliveries are owed from before");
        }
        Ok(())
    }

    /// Breakers start closed with each process. Else what memory says of them
    /// holds, and is written by the next batch where the file says otherwise.
    fn take_up_breakers(&mut self, started: bool, now_ms: u64) -> Result<(), OpenError> {
        self.lanes.values_mut().for_each(|lane| lane.breaker_noted = None);
        for (name, until) in rows::breakers(&self.connection)? {
            if started {
                let text = "hookbox started, and breakers with it".to_owned();
                let kind = ChangeKind::BreakerClosed;
                let change = rows::breaker_change(&name, kind, text, now_ms);
                rows::insert_change(&self.connection, &change)?;
            } else {
                self.lane(&name).breaker_noted = Some(until);
            }
        }
        if started {
            rows::forget_breakers(&self.connection)?;
        }
        Ok(())
    }

    /// Deliveries that the file says are running, but this process does not.
    fn take_back(
        &mut self,
        name: &PluginName,
        started: bool,
        now_ms: u64,
    ) -> Result<usize, OpenError> {
        let mut taken = 0;
        for row in rows::running(&self.connection, name)? {
            let handed_out = self.lane(name).running.get(&row.key);
            let abandoned = handed_out.is_some_and(|running| running.abandoned);
            if handed_out.is_some() && !abandoned {
                continue;
            }
            let place = Place { plugin: name, key: row.key };
            if started || abandoned {
                rows::interrupt(&self.connection, place, &row, now_ms)?;
                taken += 1;
            } else {
                // It was claimed by a batch that failed, and never handed out.
                rows::put_back(&self.connection, place, now_ms)?;
            }
        }
        Ok(taken)
    }
}
