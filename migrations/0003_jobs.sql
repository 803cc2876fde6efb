-- Endpoints, jobs and their runs. Times are microseconds since 1970, UTC. Ids are never given twice
-- (AUTOINCREMENT): sealed passwords and audit entries name them.
CREATE TABLE endpoints (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT    NOT NULL UNIQUE,     -- often the URL, whose path knows upper and lower case
    url      TEXT    NOT NULL,            -- without password
    password BLOB,                        -- sealed for 'endpoints/<id>/password'
    options  TEXT    NOT NULL,            -- JSON
    ad_hoc   INTEGER NOT NULL DEFAULT 0,  -- made by `causeway mirror`
    created  INTEGER NOT NULL,
    changed  INTEGER NOT NULL
) STRICT;
CREATE INDEX endpoints_url ON endpoints (url);

CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL COLLATE NOCASE,
    ad_hoc     INTEGER NOT NULL DEFAULT 0,
    source     INTEGER NOT NULL REFERENCES endpoints (id),
    target     INTEGER NOT NULL REFERENCES endpoints (id),
    policy     TEXT    NOT NULL,          -- JSON
    schedule   TEXT    NOT NULL,          -- JSON
    zone       TEXT    NOT NULL,          -- IANA name
    paused     INTEGER NOT NULL DEFAULT 0,
    next_start INTEGER,                   -- when the schedule is due next
    created    INTEGER NOT NULL,
    changed    INTEGER NOT NULL,
    removed    INTEGER                    -- removed jobs keep their history
) STRICT;
CREATE UNIQUE INDEX jobs_name ON jobs (name) WHERE removed IS NULL;
CREATE INDEX jobs_due ON jobs (next_start) WHERE removed IS NULL AND paused = 0;
CREATE INDEX jobs_source ON jobs (source);
CREATE INDEX jobs_target ON jobs (target);

CREATE TABLE runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    job         INTEGER NOT NULL REFERENCES jobs (id),
    state       TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'pausing', 'paused', 'cancelling',
                    'interrupted', 'done', 'incomplete', 'failed', 'cancelled', 'skipped')),
    cause       TEXT    NOT NULL CHECK (cause IN ('manual', 'schedule', 'misfire', 'ad-hoc')),
    planned     INTEGER,                  -- when the schedule wanted it
    queued      INTEGER NOT NULL,
    started     INTEGER,                  -- first claim
    ended       INTEGER,
    owner       TEXT,                     -- the process that holds the lease
    lease_until INTEGER,
    heartbeat   INTEGER,
    claims      INTEGER NOT NULL DEFAULT 0,  -- how often a process took it up
    skips       INTEGER NOT NULL DEFAULT 0,  -- starts that this row stands for when it is 'skipped'
    blocked_by  INTEGER REFERENCES runs (id),
    counters    TEXT,                     -- JSON, at the last heartbeat
    summary     TEXT,                     -- JSON, at the end
    reason      TEXT                      -- why it failed, was skipped or waits; for people
) STRICT;
-- Overlapping runs of one job cannot be stored.
CREATE UNIQUE INDEX runs_active ON runs (job)
    WHERE state IN ('queued', 'running', 'pausing', 'paused', 'cancelling', 'interrupted');
CREATE INDEX runs_job ON runs (job, id);
CREATE INDEX runs_waiting ON runs (state, queued) WHERE state IN ('queued', 'interrupted');
