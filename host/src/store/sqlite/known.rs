//! The plugins that a journal knows, for a look at it without a server.

use rusqlite::Connection;
use serde::Serialize;

/// A plugin, as far as the journal knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginRecord {
    /// Its name.
    pub name: String,
    /// SHA-256 of the file that was last live.
    pub digest: String,
    /// Whether it was live when the server ended.
    pub present: bool,
    /// When an operator paused it, which it is still: milliseconds since the Unix
    /// epoch.
    pub paused_at_ms: Option<u64>,
    /// Deliveries that it is owed.
    pub owed: u64,
    /// Its dead letters that were not discarded.
    pub dead: u64,
}

/// All there are, by name. There are as many as were ever live and not
/// forgotten.
pub(super) fn plugins(conn: &Connection) -> rusqlite::Result<Vec<PluginRecord>> {
    let mut statement = conn.prepare(
        "SELECT name, digest, present, paused_at_ms,
            (SELECT count(*) FROM queue WHERE queue.plugin = plugins.name),
            (SELECT count(*) FROM dead_letters
             WHERE dead_letters.plugin = plugins.name AND discarded_at_ms IS NULL)
         FROM plugins ORDER BY name",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(PluginRecord {
            name: row.get(0)?,
            digest: row.get(1)?,
            present: row.get(2)?,
            paused_at_ms: row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs),
            owed: row.get::<_, i64>(4)?.unsigned_abs(),
            dead: row.get::<_, i64>(5)?.unsigned_abs(),
        })
    })?;
    rows.collect()
}
