//! What is noted beside deliveries: refused requests, and changes.

use hookbox_core::ids::PluginName;
use rusqlite::{Connection, params};

use super::integer;
use crate::store::RefusedRequest;
use crate::store::records::{ChangeKind, NewChange};

/// Bytes of each name in a change that are kept: all names that are looked up
/// are shorter.
const NAME_BYTES_MAX: usize = 256;

pub(in crate::store::sqlite) fn insert_refused(
    connection: &Connection,
    refused: &RefusedRequest,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO refused (at_ms, peer, source, status, code, bytes, sha256)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute(params![
        integer(refused.at_ms),
        refused.peer,
        refused.source,
        refused.status,
        refused.code,
        refused.bytes.map(|bytes| bytes as i64),
        refused.digest.map(|digest| digest.to_string()),
    ])?;
    Ok(())
}

/// Its words and names are cut to their bounds, between characters.
pub(in crate::store::sqlite) fn insert_change(
    connection: &Connection,
    change: &NewChange,
) -> rusqlite::Result<()> {
    let name =
        |name: &Option<String>| name.as_deref().map(|name| cut(name, NAME_BYTES_MAX).to_owned());
    let mut statement = connection.prepare_cached(
        "INSERT INTO changes (at_ms, kind, plugin, subject, actor, text)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    statement.execute(params![
        integer(change.at_ms),
        change.kind.code(),
        name(&change.plugin),
        name(&change.subject),
        name(&change.actor),
        cut(&change.text, NewChange::TEXT_BYTES_MAX),
    ])?;
    Ok(())
}

/// What hookbox itself notes of a plugin's breaker.
pub(in crate::store::sqlite) fn breaker_change(
    plugin: &PluginName,
    kind: ChangeKind,
    text: String,
    now_ms: u64,
) -> NewChange {
    let plugin = Some(plugin.to_string());
    NewChange { at_ms: now_ms, kind, plugin, subject: None, actor: None, text }
}

fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}
