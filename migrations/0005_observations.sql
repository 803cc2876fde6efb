-- What was measured on real connections. No row holds a secret or a name of a file.
CREATE TABLE observations (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,   -- microseconds since 1970, UTC: when it ended, or was last seen open
    kind      TEXT    NOT NULL CHECK (kind IN ('connection', 'transfer')),
    family    TEXT    NOT NULL,   -- 'FTP', 'SFTP', 'WebDAV', 'local'
    protocol  TEXT    NOT NULL,   -- the URL's scheme
    role      TEXT    NOT NULL CHECK (role IN ('client', 'door')),
    endpoint  TEXT    NOT NULL,
    ended     TEXT    NOT NULL CHECK (ended IN ('clean', 'open', 'failed')),
    phase     TEXT,               -- of a failure
    fault     TEXT,               -- of a failure
    setup     INTEGER,            -- microseconds until ready; of connections that got there
    lasted    INTEGER NOT NULL,   -- microseconds: held (connection), from command to last byte (transfer)
    bytes     INTEGER,            -- of transfers
    direction TEXT CHECK (direction IN ('download', 'upload')),
    phases    TEXT                -- JSON: {"connect": microseconds, …}
) STRICT;
-- Answers every statistic of a window without touching the table.
CREATE INDEX observations_window ON observations (kind, family, at, role, ended, phase, fault, setup, lasted, bytes);
-- Failures are few: grouping them must not walk over all the others.
CREATE INDEX observations_failed ON observations (kind, family, at, role, phase, fault, setup) WHERE ended = 'failed';
CREATE INDEX observations_at ON observations (at);
-- What did not fit into the recorder's queue, by hour: the statistics say how much they did not see.
CREATE TABLE observations_dropped (
    hour  INTEGER PRIMARY KEY,    -- microseconds since 1970, UTC, of the hour's beginning
    count INTEGER NOT NULL
) STRICT;
