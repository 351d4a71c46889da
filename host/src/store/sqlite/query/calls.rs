//! Requests that the calls of an event sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, Row, params};

use super::{rows, unsigned};
use crate::store::records::{AttemptRecord, BodyRecord, CallRecord, Content};

/// The attempt that sent it.
pub(super) struct Place {
    plugin: String,
    replay: i64,
    attempt: u32,
}

impl Place {
    pub(super) fn is(&self, replay: i64, attempt: &AttemptRecord) -> bool {
        self.replay == replay && self.attempt == attempt.number && self.plugin == attempt.plugin
    }
}

/// Those of an event, in order, at most so many.
pub(super) fn of(
    conn: &Connection,
    event: i64,
    most: usize,
) -> rusqlite::Result<Vec<(Place, CallRecord)>> {
    conn.prepare_cached(
        "SELECT plugin, replay, attempt, started_at_ms, duration_us, method, url, address, status,
                code, error, request_bytes, request_sha256, request_body,
                response_bytes, response_sha256, response_body
         FROM calls WHERE event = ?1 ORDER BY plugin, replay, attempt, number LIMIT ?2",
    )?
    .query_map(params![event, rows(most)], |row| Ok((place(row)?, call(row)?)))?
    .collect()
}

fn place(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place { plugin: row.get(0)?, replay: row.get(1)?, attempt: row.get(2)? })
}

fn call(row: &Row<'_>) -> rusqlite::Result<CallRecord> {
    Ok(CallRecord {
        started_at_ms: unsigned(row.get(3)?),
        duration_us: unsigned(row.get(4)?),
        method: row.get(5)?,
        url: row.get(6)?,
        address: row.get(7)?,
        status: row.get(8)?,
        code: row.get(9)?,
        error: row.get(10)?,
        request: body(row, 11)?,
        response: body(row, 14)?,
    })
}

fn body(row: &Row<'_>, first: usize) -> rusqlite::Result<BodyRecord> {
    Ok(BodyRecord {
        bytes: unsigned(row.get(first)?),
        sha256: row.get(first + 1)?,
        kept: row.get::<_, Option<Vec<u8>>>(first + 2)?.map(content),
    })
}

fn content(bytes: Vec<u8>) -> Content {
    match String::from_utf8(bytes) {
        Ok(text) => Content::Text(text),
        Err(error) => Content::Base64(STANDARD.encode(error.as_bytes())),
    }
}
