//! Pausing a plugin: it is handed nothing until it is resumed.
//!
//! What is in the file counts: it holds over restarts, and whatever the plugin's
//! file does meanwhile. The lane in memory follows with the step that changes it.

use hookbox_core::ids::PluginName;
use rusqlite::{Connection, params};

use super::operate::{Step, known};
use super::query::{QueryError, signed};

/// Pausing what is paused changes nothing, also not since when.
pub(super) fn pause(conn: &Connection, plugin: &str, now_ms: u64) -> Result<Step, QueryError> {
    known(conn, plugin)?;
    let changed = conn
        .prepare_cached(
            "UPDATE plugins SET paused_at_ms = ?2 WHERE name = ?1 AND paused_at_ms IS NULL",
        )?
        .execute(params![plugin, signed(now_ms)])?;
    Ok(step(plugin, changed, true))
}

/// The end of it.
pub(super) fn resume(conn: &Connection, plugin: &str) -> Result<Step, QueryError> {
    known(conn, plugin)?;
    let changed = conn
        .prepare_cached(
            "UPDATE plugins SET paused_at_ms = NULL WHERE name = ?1 AND paused_at_ms IS NOT NULL",
        )?
        .execute([plugin])?;
    Ok(step(plugin, changed, false))
}

fn step(plugin: &str, changed: usize, paused: bool) -> Step {
    let mut step = Step::default();
    step.report.count = changed as u64;
    step.set_paused(plugin, paused);
    step
}

/// The plugins that are paused.
pub(super) fn paused(conn: &Connection) -> rusqlite::Result<Vec<PluginName>> {
    let mut statement = conn.prepare("SELECT name FROM plugins WHERE paused_at_ms IS NOT NULL")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let names = names.collect::<rusqlite::Result<Vec<_>>>()?;
    // A name that is none has no lane.
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}
