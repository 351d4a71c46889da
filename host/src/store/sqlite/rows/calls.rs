//! Requests that calls of plugins sent.

use hookbox_core::effects::OutboundCall;
use rusqlite::{Connection, params};

use super::integer;
use crate::store::Claim;

/// None where the event was removed while the call ran, as with its attempt.
pub(in crate::store::sqlite) fn insert_calls(
    connection: &Connection,
    claim: &Claim,
    calls: &[OutboundCall],
) -> rusqlite::Result<()> {
    for (number, call) in (1_i64..).zip(calls) {
        let (code, error) = match &call.error {
            Some((code, error)) => (Some(*code), Some(error.as_str())),
            None => (None, None),
        };
        let duration_us = i64::try_from(call.duration.as_micros()).unwrap_or(i64::MAX);
        let (request, response) = (&call.request, &call.response);
        // Replaced where a failed commit was in the file after all.
        let mut statement = connection.prepare_cached(
            "INSERT OR REPLACE INTO calls (event, plugin, replay, attempt, number, started_at_ms,
                 duration_us, method, url, address, status, code, error,
                 request_bytes, request_sha256, request_body,
                 response_bytes, response_sha256, response_body)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19
             WHERE EXISTS (SELECT 1 FROM events WHERE seq = ?1)",
        )?;
        statement.execute(params![
            claim.key.event,
            claim.plugin.as_str(),
            claim.key.replay,
            claim.attempt,
            number,
            integer(call.started_at_ms),
            duration_us,
            call.method,
            call.url,
            call.address.map(|address| address.to_string()),
            call.status,
            code,
            error,
            integer(request.bytes),
            request.digest.map(|digest| digest.to_string()),
            request.kept,
            integer(response.bytes),
            response.digest.map(|digest| digest.to_string()),
            response.kept,
        ])?;
    }
    Ok(())
}
