-- The mirror's memory: what a job's target is known to hold, what a run sees, and the journal of what it does.
-- Paths are raw bytes, relative to the roots. Instants are microseconds since 1970, UTC; times of files are
-- nanoseconds, because local trees tell them so. Words (states, actions, faults) are the stable words of the code.

-- One row per path that a job published. It outlives runs: an incremental run compares with it.
CREATE TABLE files (
    job            INTEGER NOT NULL,
    path           BLOB    NOT NULL,        -- in the source
    target         BLOB    NOT NULL,        -- in the target
    kind           INTEGER NOT NULL,        -- 0 file, 1 directory
    size           INTEGER,
    mtime          INTEGER,                 -- of the source, as exact as it was told
    mtime_precision INTEGER,
    mtime_told     INTEGER,
    unique_fact    TEXT,
    listed_mtime   INTEGER,                 -- of the source, as its listing said: like is compared with like
    listed_precision INTEGER,
    listed_told    INTEGER,
    listed_unique  TEXT,
    sha256         BLOB CHECK (sha256 IS NULL OR length(sha256) = 32),
    proven         INTEGER NOT NULL,        -- 1 read from the source and hashed, 0 only found there
    target_size    INTEGER,                 -- what the target said after publishing
    target_mtime   INTEGER,
    run            INTEGER NOT NULL,
    at             INTEGER NOT NULL,
    PRIMARY KEY (job, path)
) STRICT, WITHOUT ROWID;

-- What this run sees on both sides. Emptied when the run ends.
CREATE TABLE scan (
    run            INTEGER NOT NULL,
    side           INTEGER NOT NULL,        -- 0 source, 1 target
    path           BLOB    NOT NULL,        -- in the target's naming; a source name that cannot be mapped: its own
    source         BLOB,                    -- in the source's naming, when it differs
    kind           INTEGER NOT NULL,        -- 0 file, 1 directory, 2 link, 3 special, 4 unknown
    size           INTEGER,
    mtime          INTEGER,
    mtime_precision INTEGER,
    mtime_told     INTEGER,
    mode           INTEGER,
    unique_fact    TEXT,
    refused        TEXT,                    -- why the name cannot be mirrored (JSON of the fault)
    listing        INTEGER NOT NULL DEFAULT 0, -- directories: 0 waiting, 1 queued, 2 proven, 3 doubtful, 4 failed
    doubt          TEXT,                    -- JSON of the doubts or the fault
    touched        INTEGER NOT NULL DEFAULT 0, -- directories: something in it was changed by this run
    PRIMARY KEY (run, side, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX scan_waiting ON scan (run, side) WHERE kind = 1 AND listing = 0;
CREATE INDEX scan_unsure ON scan (run, side) WHERE kind = 1 AND listing > 2;

-- The journal: every path that a run had to do something about.
CREATE TABLE items (
    id             INTEGER PRIMARY KEY,
    job            INTEGER NOT NULL,
    run            INTEGER NOT NULL,
    path           BLOB    NOT NULL,
    target         BLOB    NOT NULL,
    kind           INTEGER NOT NULL,
    action         TEXT    NOT NULL,        -- copy, replace, adopt, make-dir, trash, skip, refuse
    state          TEXT    NOT NULL,        -- planned, transferring, verified, published, failed, skipped
    size           INTEGER,
    mtime          INTEGER,
    mtime_precision INTEGER,
    mtime_told     INTEGER,
    unique_fact    TEXT,
    mode           INTEGER,
    part           BLOB,                    -- the part file that holds what was confirmed
    confirmed      INTEGER NOT NULL DEFAULT 0,
    sha256         BLOB CHECK (sha256 IS NULL OR length(sha256) = 32),
    attempts       INTEGER NOT NULL DEFAULT 0,
    fault_kind     TEXT,
    fault          TEXT,                    -- JSON of the last fault
    at             INTEGER NOT NULL,
    UNIQUE (run, path)
) STRICT;
CREATE INDEX items_run ON items (run, id);
CREATE INDEX items_state ON items (run, state, id);
CREATE INDEX items_fault ON items (run, fault_kind, id) WHERE fault_kind IS NOT NULL;
CREATE INDEX items_parts ON items (job, path) WHERE part IS NOT NULL;

-- One row per finished try at an item. Never edited.
CREATE TABLE attempts (
    id             INTEGER PRIMARY KEY,
    item           INTEGER NOT NULL,
    number         INTEGER NOT NULL,
    started        INTEGER NOT NULL,
    ended          INTEGER NOT NULL,
    from_offset    INTEGER NOT NULL,
    bytes          INTEGER NOT NULL,        -- moved in this attempt
    fault          TEXT,                    -- JSON; none = it worked
    retry_at       INTEGER                  -- when the next try was due
) STRICT;
CREATE INDEX attempts_item ON attempts (item, number);

-- Paths that a run found to be gone from the source, by proven listings only. A deletion takes two runs in agreement.
CREATE TABLE tombstones (
    job            INTEGER NOT NULL,
    path           BLOB    NOT NULL,
    first_run      INTEGER NOT NULL,
    last_run       INTEGER NOT NULL,
    PRIMARY KEY (job, path)
) STRICT, WITHOUT ROWID;
