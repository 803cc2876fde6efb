-- Surveys that were started on the dashboard. The report is the JSON that 'causeway survey --json' prints.
CREATE TABLE surveys (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint    INTEGER NOT NULL,           -- of the table endpoints, when it began
    url         TEXT    NOT NULL,           -- without a password
    by          TEXT    NOT NULL,           -- who started it
    state       TEXT    NOT NULL,           -- running, whole, partial, failed, lost
    started     INTEGER NOT NULL,           -- microseconds since 1970
    ended       INTEGER,
    said        TEXT,                       -- why it failed, or in a line what it found
    report      TEXT
) STRICT;
CREATE INDEX surveys_started ON surveys (started);
