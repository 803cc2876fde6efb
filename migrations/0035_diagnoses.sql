-- Diagnoses that were started on the dashboard. The report is the JSON that 'causeway doctor --json' prints.
CREATE TABLE diagnoses (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint    INTEGER NOT NULL,           -- of the table endpoints, when it began
    url         TEXT    NOT NULL,           -- without a password
    by          TEXT    NOT NULL,           -- who started it
    incident    INTEGER,                    -- that it is to explain
    state       TEXT    NOT NULL CHECK (state IN ('running', 'done', 'failed', 'lost')),
    started     INTEGER NOT NULL,           -- microseconds since 1970
    ended       INTEGER,
    said        TEXT,                       -- why it failed, or in a line what it found
    report      TEXT
) STRICT;
CREATE INDEX diagnoses_incident ON diagnoses (incident) WHERE incident IS NOT NULL;
