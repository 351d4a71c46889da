-- Version 3: what operators look through and steer.

-- The span that an event's later spans belong to, as the value of a W3C
-- `traceparent` field; none where it is not traced. It is here so that a trace
-- goes on after a restart.
ALTER TABLE events ADD COLUMN trace TEXT;

-- Paused by an operator since then. Over restarts, and whatever its file does.
ALTER TABLE plugins ADD COLUMN paused_at_ms INTEGER;

-- What changed: what runs, and what operators did. The newest are kept.
CREATE TABLE changes (
    seq     INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    kind    TEXT    NOT NULL, -- such as plugin-live, breaker-open, paused, revealed
    plugin  TEXT,             -- that it concerns
    subject TEXT,             -- the event or delivery that it concerns
    actor   TEXT,             -- the operator who did it: a token's name, or local; none: hookbox
    text    TEXT    NOT NULL  -- in words, without secrets
) STRICT;
CREATE INDEX changes_by_plugin ON changes (plugin, seq) WHERE plugin IS NOT NULL;

-- So that dead letters can be counted without reading their errors.
CREATE INDEX dead_letters_open ON dead_letters (plugin) WHERE discarded_at_ms IS NULL;

-- By which a replay is found by its delivery's id. An event's own deliveries are
-- found by their time, which is the event's, and pay for no index.
CREATE INDEX queue_replays ON queue (id) WHERE replay > 0;
CREATE INDEX attempts_replays ON attempts (delivery) WHERE replay > 0;

-- As before, and parked too while the plugin is paused.
DROP VIEW deliveries;
CREATE VIEW deliveries AS
    SELECT q.id, q.event, q.plugin, q.replay,
        CASE WHEN q.state IN ('pending', 'waiting')
                  AND (p.present = 0 OR p.breaker_until_ms IS NOT NULL
                       OR p.paused_at_ms IS NOT NULL)
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
