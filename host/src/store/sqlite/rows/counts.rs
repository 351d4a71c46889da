//! What is counted once, when the file is taken up, and then known in memory.

use rusqlite::Connection;

use super::natural;

/// The newest event; 0 where there is none.
pub(in crate::store::sqlite) fn last_event(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(seq), 0) FROM events", [], |row| row.get(0))
}

/// What is owed to each plugin, and how much of it runs.
pub(in crate::store::sqlite) fn owed(
    connection: &Connection,
) -> rusqlite::Result<Vec<(String, u64, u64)>> {
    let mut statement = connection
        .prepare("SELECT plugin, count(*), sum(state = 'running') FROM queue GROUP BY plugin")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, natural(row.get(1)?), natural(row.get(2)?))))?;
    rows.collect()
}

/// The dead letters of each plugin that are not discarded.
pub(in crate::store::sqlite) fn dead(
    connection: &Connection,
) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut statement = connection.prepare(
        "SELECT plugin, count(*) FROM dead_letters INDEXED BY dead_letters_open
         WHERE discarded_at_ms IS NULL GROUP BY plugin",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, natural(row.get(1)?))))?;
    rows.collect()
}
