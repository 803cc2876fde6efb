-- Paired probes: the same small work at several endpoints within the same minute, so that they can be compared.
CREATE TABLE probe_sets (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    name   TEXT    NOT NULL UNIQUE,
    work   TEXT    NOT NULL,              -- JSON: what a visit does
    every  INTEGER NOT NULL,              -- seconds between the starts of two rounds, on average
    logins INTEGER NOT NULL,              -- within an hour, all members together
    bytes  INTEGER NOT NULL,              -- payload within an hour, both ways
    is_on  INTEGER NOT NULL CHECK (is_on IN (0, 1)),
    made   INTEGER NOT NULL,              -- microseconds since 1970, UTC, as all times here
    changed INTEGER NOT NULL              -- rounds before it had other work to do
) STRICT;

-- Who is visited. A set of which endpoints were removed goes on with the others, if there are two.
CREATE TABLE probe_members (
    set_id   INTEGER NOT NULL REFERENCES probe_sets (id) ON DELETE CASCADE,
    place    INTEGER NOT NULL,            -- the order of the page
    endpoint INTEGER NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    PRIMARY KEY (set_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE probe_rounds (
    id     INTEGER PRIMARY KEY,
    set_id INTEGER NOT NULL REFERENCES probe_sets (id) ON DELETE CASCADE,
    at     INTEGER NOT NULL,              -- when it began
    is_cut INTEGER NOT NULL CHECK (is_cut IN (0, 1)),  -- it was ended early, and has no visits
    logins INTEGER NOT NULL,
    bytes  INTEGER NOT NULL
) STRICT;
CREATE INDEX probe_rounds_set ON probe_rounds (set_id, at);
CREATE INDEX probe_rounds_at ON probe_rounds (at);

CREATE TABLE probe_visits (
    round    INTEGER NOT NULL REFERENCES probe_rounds (id) ON DELETE CASCADE,
    endpoint INTEGER NOT NULL,            -- it may have been removed since
    family   TEXT    NOT NULL,            -- 'FTP', 'SFTP', 'WebDAV', as it was then
    turn     INTEGER NOT NULL,            -- 0 = it was visited first
    at       INTEGER NOT NULL,
    phases   TEXT    NOT NULL,            -- JSON: {"connect": microseconds, …} of the set-up
    PRIMARY KEY (round, endpoint)
) STRICT, WITHOUT ROWID;

-- Files that visits could not remove again; the next one tries it.
CREATE TABLE probe_left (
    endpoint INTEGER NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    path     BLOB    NOT NULL,            -- below the endpoint's folder, raw bytes
    PRIMARY KEY (endpoint, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE probe_steps (
    round    INTEGER NOT NULL REFERENCES probe_rounds (id) ON DELETE CASCADE,
    endpoint INTEGER NOT NULL,
    step     TEXT    NOT NULL CHECK (step IN ('login', 'small', 'medium', 'list', 'upload')),
    outcome  TEXT    NOT NULL CHECK (outcome IN ('done', 'differs', 'failed')),
    took     INTEGER,                     -- microseconds from the command to the last word; NULL = failed
    first    INTEGER,                     -- microseconds to the first byte
    amount   INTEGER,                     -- payload bytes; of a listing the entries
    phase    TEXT,                        -- of a failure
    fault    TEXT,
    said     TEXT,
    PRIMARY KEY (round, endpoint, step)
) STRICT, WITHOUT ROWID;
