-- The journal of hookbox, version 1. Any SQLite tool can open it; see
-- docs/operators.md. Times are milliseconds since the Unix epoch, durations
-- microseconds. Views are for people, tables for the program.

-- What was received and verified, one row for each event, without the secret.
CREATE TABLE events (
    seq            INTEGER PRIMARY KEY, -- order in which they were accepted
    id             TEXT    NOT NULL,    -- what the sender was told
    source         TEXT    NOT NULL,
    name           TEXT    NOT NULL,    -- such as sd_encoded
    secret         TEXT    NOT NULL,    -- name of the secret that it came with
    received_at_ms INTEGER NOT NULL,
    deliveries     INTEGER NOT NULL,    -- plugins it was for when accepted; 0: unrouted
    repeats        INTEGER NOT NULL DEFAULT 0, -- how often the same body came again
    document       TEXT    NOT NULL     -- the body without the secret
) STRICT;
CREATE UNIQUE INDEX events_by_id ON events (id);
CREATE INDEX events_unrouted ON events (id) WHERE deliveries = 0;

-- By which duplicates are known, until the source's window is over. The body's
-- own timestamp comes first so that neighbours in time are neighbours on disk.
CREATE TABLE seen (
    body_time INTEGER NOT NULL, -- the body's timestamp; 0 where it has none
    sha256    BLOB    NOT NULL, -- of the body without the secret
    source    TEXT    NOT NULL,
    event_id  TEXT    NOT NULL, -- events.id
    until_ms  INTEGER NOT NULL,
    PRIMARY KEY (body_time, sha256, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_by_end ON seen (until_ms);

-- What is still owed to plugins. A delivery leaves it by succeeding or dying.
CREATE TABLE queue (
    plugin    TEXT    NOT NULL,
    event     INTEGER NOT NULL REFERENCES events (seq),
    replay    INTEGER NOT NULL, -- 0: the event's own delivery; else counted up
    id        TEXT    NOT NULL, -- of the delivery
    state     TEXT    NOT NULL, -- pending, running, waiting (until due), blocked (by its entity)
    attempts  INTEGER NOT NULL, -- begun so far
    forgiven  INTEGER NOT NULL, -- of these, before it was last redriven
    due_at_ms INTEGER,          -- of those that wait
    entity    TEXT,             -- what it is ordered by, such as video:17
    PRIMARY KEY (plugin, event, replay)
) STRICT, WITHOUT ROWID;
CREATE INDEX queue_due ON queue (plugin, due_at_ms) WHERE state = 'waiting';
CREATE INDEX queue_entity ON queue (plugin, entity, event, replay) WHERE entity IS NOT NULL;
CREATE INDEX queue_open ON queue (plugin, entity) WHERE entity IS NOT NULL AND state <> 'blocked';

-- What was given up. Kept until it is redriven, or discarded and old.
CREATE TABLE dead_letters (
    id              TEXT    PRIMARY KEY, -- of the delivery
    plugin          TEXT    NOT NULL,
    event           INTEGER NOT NULL REFERENCES events (seq),
    replay          INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    died_at_ms      INTEGER NOT NULL,
    reason          TEXT    NOT NULL, -- rejected, attempts-exhausted, backlog-full, unreadable, forgotten
    error           TEXT,
    discarded_at_ms INTEGER           -- by the operator
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letters_by_plugin ON dead_letters (plugin, died_at_ms);
CREATE INDEX dead_letters_by_event ON dead_letters (event);

-- Each call of a plugin with an event.
CREATE TABLE attempts (
    event         INTEGER NOT NULL REFERENCES events (seq),
    plugin        TEXT    NOT NULL,
    replay        INTEGER NOT NULL,
    number        INTEGER NOT NULL, -- counted from 1
    delivery      TEXT    NOT NULL, -- queue.id, dead_letters.id
    digest        TEXT    NOT NULL, -- SHA-256 of the plugin's file
    generation    INTEGER NOT NULL,
    started_at_ms INTEGER NOT NULL,
    duration_us   INTEGER NOT NULL,
    outcome       TEXT    NOT NULL, -- handled, retry, retry-after, rejected, trap, deadline, cpu, memory, host, interrupted
    blame         TEXT,             -- guest, plugin, host
    error         TEXT,
    log           TEXT,             -- what the plugin logged, up to journal.attempt_log_bytes_max
    became        TEXT    NOT NULL, -- succeeded, waiting, dead
    PRIMARY KEY (event, plugin, replay, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_failed ON attempts (started_at_ms) WHERE outcome <> 'handled';

-- Requests that were refused, without their bodies.
CREATE TABLE refused (
    seq    INTEGER PRIMARY KEY,
    at_ms  INTEGER NOT NULL,
    peer   TEXT    NOT NULL, -- its address
    source TEXT    NOT NULL, -- as it was asked for
    status INTEGER NOT NULL,
    code   TEXT    NOT NULL,
    bytes  INTEGER,          -- of the body, where it was read
    sha256 TEXT              -- of the same, where it cannot hold a right secret
) STRICT;

-- Plugins that were ever live, and what holds up their deliveries.
CREATE TABLE plugins (
    name             TEXT    PRIMARY KEY,
    digest           TEXT    NOT NULL, -- SHA-256 of the file that was last live
    asks_for         TEXT    NOT NULL, -- JSON array of events; empty: all
    present          INTEGER NOT NULL, -- 1: it is live; 0: its file is gone or was refused
    deleted_at_ms    INTEGER,          -- its file is gone since then
    changed_at_ms    INTEGER NOT NULL,
    breaker_until_ms INTEGER           -- its breaker is open until then, at least
) STRICT, WITHOUT ROWID;

-- Every delivery there is. parked: its plugin is gone, or its breaker is open.
CREATE VIEW deliveries AS
    SELECT q.id, q.event, q.plugin, q.replay,
        CASE WHEN q.state IN ('pending', 'waiting')
                  AND (p.present = 0 OR p.breaker_until_ms IS NOT NULL)
             THEN 'parked' ELSE q.state END AS state,
        q.attempts, q.due_at_ms, q.entity, NULL AS reason
    FROM queue q LEFT JOIN plugins p ON p.name = q.plugin
    UNION ALL
    SELECT id, event, plugin, replay,
        CASE WHEN discarded_at_ms IS NULL THEN 'dead' ELSE 'discarded' END,
        attempts, NULL, NULL, reason
    FROM dead_letters
    UNION ALL
    SELECT delivery, event, plugin, replay, 'succeeded', number, NULL, NULL, NULL
    FROM attempts WHERE became = 'succeeded';

-- What is still owed, oldest first.
CREATE VIEW pending AS
    SELECT d.id AS delivery, d.plugin, d.state, e.id AS event, e.name, e.source,
        strftime('%Y-%m-%dT%H:%M:%fZ', e.received_at_ms / 1000.0, 'unixepoch') AS received,
        d.attempts,
        strftime('%Y-%m-%dT%H:%M:%fZ', d.due_at_ms / 1000.0, 'unixepoch') AS due,
        d.entity
    FROM deliveries d JOIN events e ON e.seq = d.event
    WHERE d.state IN ('pending', 'running', 'waiting', 'blocked', 'parked')
    ORDER BY e.seq;

-- What was given up and not discarded, newest first.
CREATE VIEW dead AS
    SELECT d.id AS delivery, d.plugin, d.reason, d.error, d.attempts,
        strftime('%Y-%m-%dT%H:%M:%fZ', d.died_at_ms / 1000.0, 'unixepoch') AS died,
        e.id AS event, e.name, e.source
    FROM dead_letters d JOIN events e ON e.seq = d.event
    WHERE d.discarded_at_ms IS NULL
    ORDER BY d.died_at_ms DESC;

-- Attempts of the last hour that failed, newest first.
CREATE VIEW failures_last_hour AS
    SELECT strftime('%Y-%m-%dT%H:%M:%fZ', a.started_at_ms / 1000.0, 'unixepoch') AS started,
        a.plugin, a.outcome, a.blame, a.error, a.number AS attempt, a.became,
        a.delivery, e.id AS event, e.name
    FROM attempts a JOIN events e ON e.seq = a.event
    WHERE a.outcome <> 'handled' AND a.started_at_ms > (unixepoch('now') - 3600) * 1000
    ORDER BY a.started_at_ms DESC;

-- Events that no plugin was subscribed to when they came, and that were
-- replayed to none since.
CREATE VIEW unrouted AS
    SELECT id AS event, name, source,
        strftime('%Y-%m-%dT%H:%M:%fZ', received_at_ms / 1000.0, 'unixepoch') AS received
    FROM events WHERE deliveries = 0
        AND seq NOT IN (SELECT event FROM queue WHERE replay > 0)
        AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.event = events.seq)
        AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.event = events.seq)
    ORDER BY seq DESC;
