-- Version 2: what plugins keep, and what they sent.

-- Key-value state of plugins. Changed by the transaction that ends a call.
CREATE TABLE state (
    plugin        TEXT    NOT NULL,
    key           TEXT    NOT NULL,
    value         BLOB    NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    PRIMARY KEY (plugin, key)
) STRICT, WITHOUT ROWID;

-- How much each plugin that keeps anything does, so that its limit can be
-- checked without reading all of it.
CREATE TABLE state_sizes (
    plugin TEXT    PRIMARY KEY,
    keys   INTEGER NOT NULL,
    bytes  INTEGER NOT NULL  -- of keys and values, and 64 for each key
) STRICT, WITHOUT ROWID;

-- Requests that calls of plugins sent, without header fields.
CREATE TABLE calls (
    event           INTEGER NOT NULL REFERENCES events (seq),
    plugin          TEXT    NOT NULL,
    replay          INTEGER NOT NULL,
    attempt         INTEGER NOT NULL, -- attempts.number
    number          INTEGER NOT NULL, -- counted from 1
    started_at_ms   INTEGER NOT NULL,
    duration_us     INTEGER NOT NULL, -- to the end of the response, or of trying
    method          TEXT    NOT NULL,
    url             TEXT    NOT NULL, -- without the query, secrets replaced
    address         TEXT,             -- to which it was sent
    status          INTEGER,          -- of the response
    code            TEXT,             -- where it failed or was refused
    error           TEXT,
    request_bytes   INTEGER NOT NULL,
    request_sha256  TEXT,             -- where it passed whole
    request_body    BLOB,             -- the first of it, where the plugin's configuration says so
    response_bytes  INTEGER NOT NULL,
    response_sha256 TEXT,
    response_body   BLOB,
    PRIMARY KEY (event, plugin, replay, attempt, number)
) STRICT, WITHOUT ROWID;
