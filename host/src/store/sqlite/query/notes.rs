//! Refused requests and changes, newest first.

use rusqlite::{Connection, Row, params};

use super::{QueryError, ROWS_MAX, rows, signed, unsigned};
use crate::store::records::{ChangeKind, ChangeRecord, Page, RefusalRecord, RequestError};

/// Which refused requests.
pub(super) struct Refused<'a> {
    pub(super) source: Option<&'a str>,
    pub(super) code: Option<&'a str>,
    pub(super) since_ms: Option<u64>,
    pub(super) until_ms: Option<u64>,
}

impl Refused<'_> {
    fn is_meant(&self, record: &RefusalRecord) -> bool {
        self.source.is_none_or(|source| source == record.source)
            && self.code.is_none_or(|code| code == record.code)
            && self.since_ms.is_none_or(|since| record.at_ms >= since)
            && self.until_ms.is_none_or(|until| record.at_ms < until)
    }
}

/// A page of refused requests.
pub(super) fn refusals(
    conn: &Connection,
    which: &Refused<'_>,
    limit: usize,
    after: Option<&str>,
) -> Result<Page<RefusalRecord>, QueryError> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, at_ms, peer, source, status, code, bytes, sha256
         FROM refused WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
    )?;
    let mut read = statement.query(params![before(after)?, rows(ROWS_MAX)])?;
    let (mut items, mut looked) = (Vec::new(), 0);
    while let Some(row) = read.next()? {
        looked += 1;
        let record = refusal(row)?;
        let id = record.id;
        if which.is_meant(&record) {
            items.push(record);
        }
        if items.len() >= limit || looked >= ROWS_MAX {
            return Ok(Page { items, next: Some(id.to_string()) });
        }
    }
    Ok(Page { items, next: None })
}

fn refusal(row: &Row<'_>) -> rusqlite::Result<RefusalRecord> {
    Ok(RefusalRecord {
        id: unsigned(row.get(0)?),
        at_ms: unsigned(row.get(1)?),
        peer: row.get(2)?,
        source: row.get(3)?,
        status: row.get(4)?,
        code: row.get(5)?,
        bytes: row.get::<_, Option<i64>>(6)?.map(unsigned),
        sha256: row.get(7)?,
    })
}

/// Without the index's name SQLite may walk all changes for one plugin's.
pub(super) const CHANGES_OF: &str = "SELECT seq, at_ms, kind, plugin, subject, actor, text
    FROM changes INDEXED BY changes_by_plugin
    WHERE plugin = ?3 AND seq < ?1 ORDER BY seq DESC LIMIT ?2";
pub(super) const CHANGES: &str = "SELECT seq, at_ms, kind, plugin, subject, actor, text
    FROM changes WHERE ?3 IS NULL AND seq < ?1 ORDER BY seq DESC LIMIT ?2";

/// A page of changes.
pub(super) fn changes(
    conn: &Connection,
    plugin: Option<&str>,
    kind: Option<ChangeKind>,
    limit: usize,
    after: Option<&str>,
) -> Result<Page<ChangeRecord>, QueryError> {
    let mut statement = conn.prepare_cached(if plugin.is_some() { CHANGES_OF } else { CHANGES })?;
    let mut read = statement.query(params![before(after)?, rows(ROWS_MAX), plugin])?;
    let (mut items, mut looked) = (Vec::new(), 0);
    while let Some(row) = read.next()? {
        looked += 1;
        let id: i64 = row.get(0)?;
        items.extend(change(row)?.filter(|change| kind.is_none_or(|kind| kind == change.kind)));
        if items.len() >= limit || looked >= ROWS_MAX {
            return Ok(Page { items, next: Some(id.to_string()) });
        }
    }
    Ok(Page { items, next: None })
}

/// None: of a kind that nobody knows any more.
fn change(row: &Row<'_>) -> rusqlite::Result<Option<ChangeRecord>> {
    let kind: String = row.get(2)?;
    let Some(kind) = ChangeKind::from_code(&kind) else { return Ok(None) };
    Ok(Some(ChangeRecord {
        id: unsigned(row.get(0)?),
        at_ms: unsigned(row.get(1)?),
        kind,
        plugin: row.get(3)?,
        subject: row.get(4)?,
        actor: row.get(5)?,
        text: row.get(6)?,
    }))
}

/// The number before which a page begins.
fn before(after: Option<&str>) -> Result<i64, RequestError> {
    let Some(after) = after else { return Ok(i64::MAX) };
    let number = after.parse::<u64>().map(signed);
    number.map_err(|_| RequestError::invalid("`after` is not the `next` of a page"))
}

#[cfg(test)]
mod tests;
