-- Roll-ups: what the observations of one endpoint come to in a minute, an hour, a day. Digests add up; see
-- src/reliability/rollup. Raw observations stay for a while, roll-ups for years.
CREATE TABLE series (
    id       INTEGER PRIMARY KEY,
    family   TEXT NOT NULL,
    role     TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    UNIQUE (family, role, endpoint)
) STRICT;
CREATE TABLE rollups (
    span   INTEGER NOT NULL,  -- microseconds: of a minute, an hour, a day
    series INTEGER NOT NULL REFERENCES series (id),
    at     INTEGER NOT NULL,  -- microseconds since 1970, UTC: where it begins
    digest BLOB    NOT NULL,
    PRIMARY KEY (span, series, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX rollups_at ON rollups (span, at);
-- How far the work is: of span 0 the last observation that is in the minutes, else the time up to which a span is whole.
CREATE TABLE rollup_marks (
    span INTEGER PRIMARY KEY,
    mark INTEGER NOT NULL
) STRICT;

-- The statistics are made of roll-ups now. A kind more: a comparison of a file's content with its source.
CREATE TABLE observations_now (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    at            INTEGER NOT NULL,   -- microseconds since 1970, UTC: when it ended, or was last seen open
    kind          TEXT    NOT NULL CHECK (kind IN ('connection', 'transfer', 'check')),
    family        TEXT    NOT NULL,   -- 'FTP', 'SFTP', 'WebDAV', 'local'
    protocol      TEXT    NOT NULL,   -- the URL's scheme
    role          TEXT    NOT NULL CHECK (role IN ('client', 'door')),
    endpoint      TEXT    NOT NULL,
    ended         TEXT    NOT NULL CHECK (ended IN ('clean', 'open', 'failed')),
    phase         TEXT,               -- of a failure
    fault         TEXT,               -- of a failure
    setup         INTEGER,            -- microseconds until ready; of connections that got there
    lasted        INTEGER NOT NULL,   -- microseconds: held (connection), from command to last byte (transfer)
    bytes         INTEGER,            -- of transfers and checks
    direction     TEXT CHECK (direction IN ('download', 'upload')),
    phases        TEXT,               -- JSON: {"connect": microseconds, …}
    -- What else was seen. NULL is "not known", never zero.
    ended_by      TEXT CHECK (ended_by IN ('us', 'them', 'nobody')),
    idle          INTEGER,            -- microseconds since the last byte either way
    errno         INTEGER,
    rtt           INTEGER,            -- microseconds, of the TCP connection at its end, as the kernel told
    min_rtt       INTEGER,
    retransmits   INTEGER,            -- segments
    lost          INTEGER,            -- segments
    delivery_rate INTEGER,            -- bytes per second
    rwnd_limited  INTEGER,            -- microseconds that waited for the other side's receive window
    wire          INTEGER,            -- bytes on the way
    payload       INTEGER,            -- bytes of files that went over a connection
    round_trips   INTEGER,
    encrypted     INTEGER CHECK (encrypted IN (0, 1)),
    post_quantum  INTEGER CHECK (post_quantum IN (0, 1)),
    file          INTEGER,            -- a keyed hash; the key is kept nowhere
    round         INTEGER             -- of paired probes
) STRICT;
INSERT INTO observations_now
SELECT id, at, kind, family, protocol, role, endpoint, ended, phase, fault, setup, lasted, bytes, direction, phases,
       ended_by, idle, errno, rtt, min_rtt, retransmits, lost, delivery_rate, rwnd_limited, wire, payload, round_trips,
       encrypted, post_quantum, file, round
FROM observations;
DROP TABLE observations;
ALTER TABLE observations_now RENAME TO observations;
CREATE INDEX observations_at ON observations (at);
