//! What is noted of plugins.

use hookbox_core::ids::PluginName;
use rusqlite::{Connection, params};

use super::{integer, natural};
use crate::store::LivePlugin;

/// Plugins that are in neither list were deleted.
pub(in crate::store::sqlite) fn mark_absent(
    connection: &Connection,
    live: &[LivePlugin],
    unloadable: &[PluginName],
    now_ms: u64,
) -> rusqlite::Result<()> {
    let mut names = connection.prepare_cached("SELECT name FROM plugins")?;
    let names: Vec<String> =
        names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for name in names.iter().filter(|name| !live.iter().any(|p| p.name.as_str() == *name)) {
        let deleted = !unloadable.iter().any(|p| p.as_str() == name);
        connection
            .prepare_cached(
                "UPDATE plugins SET present = 0, changed_at_ms = ?3, breaker_until_ms = NULL,
                 deleted_at_ms = CASE WHEN ?2 THEN coalesce(deleted_at_ms, ?3) END
             WHERE name = ?1 AND (present <> 0 OR (deleted_at_ms IS NULL) = ?2)",
            )?
            .execute(params![name, deleted, integer(now_ms)])?;
    }
    Ok(())
}

pub(in crate::store::sqlite) fn mark_live(
    connection: &Connection,
    plugin: &LivePlugin,
    now_ms: u64,
) -> rusqlite::Result<()> {
    let asks_for = serde_json::to_string(&plugin.asks_for).unwrap_or_default();
    connection
        .prepare_cached(
            "INSERT INTO plugins (name, digest, asks_for, present, changed_at_ms)
             VALUES (?1, ?2, ?3, 1, ?4)
             ON CONFLICT (name) DO UPDATE SET digest = ?2, asks_for = ?3, present = 1,
                 deleted_at_ms = NULL, changed_at_ms = ?4
             WHERE digest <> ?2 OR asks_for <> ?3 OR present = 0",
        )?
        .execute(params![
            plugin.name.as_str(),
            plugin.digest.to_string(),
            asks_for,
            integer(now_ms)
        ])?;
    Ok(())
}

pub(in crate::store::sqlite) fn note_breaker(
    connection: &Connection,
    plugin: &PluginName,
    until_ms: Option<u64>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE plugins SET breaker_until_ms = ?2 WHERE name = ?1")?
        .execute(params![plugin.as_str(), until_ms.map(integer)])?;
    Ok(())
}

/// The plugins whose breakers are open, as the file says, and until when.
pub(in crate::store::sqlite) fn breakers(
    connection: &Connection,
) -> rusqlite::Result<Vec<(PluginName, u64)>> {
    let mut statement = connection
        .prepare("SELECT name, breaker_until_ms FROM plugins WHERE breaker_until_ms IS NOT NULL")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let mut breakers = Vec::new();
    for row in rows {
        let (name, until): (String, i64) = row?;
        if let Ok(name) = name.parse() {
            breakers.push((name, natural(until)));
        }
    }
    Ok(breakers)
}

/// Breakers start closed with each process.
pub(in crate::store::sqlite) fn forget_breakers(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE plugins SET breaker_until_ms = NULL WHERE breaker_until_ms IS NOT NULL",
        [],
    )?;
    Ok(())
}

/// Plugins whose files had not been deleted, with what they ask for.
pub(in crate::store::sqlite) fn known(
    connection: &Connection,
) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement =
        connection.prepare("SELECT name, asks_for FROM plugins WHERE deleted_at_ms IS NULL")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}
