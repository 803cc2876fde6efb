-- Who may come in. Passwords as argon2id PHC strings, session tokens as SHA-256: nothing here opens a door.
CREATE TABLE accounts (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    password   TEXT,                        -- PHC string; NULL = keys only
    home       BLOB    NOT NULL,            -- relative to the served tree's root, raw bytes
    access     TEXT    NOT NULL CHECK (access IN ('read-only', 'read-write')),
    admin      INTEGER NOT NULL CHECK (admin IN (0, 1)),
    disabled   INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    created    INTEGER NOT NULL,            -- microseconds since 1970, UTC, as all times here
    changed    INTEGER NOT NULL,            -- last change of password, scope or flags
    last_login INTEGER
) STRICT;

CREATE TABLE account_keys (
    account     INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    fingerprint TEXT    NOT NULL,           -- SHA256:…
    blob        BLOB    NOT NULL,           -- the key as SSH sends it
    algorithm   TEXT    NOT NULL,
    comment     TEXT    NOT NULL,
    added       INTEGER NOT NULL,
    last_used   INTEGER,
    PRIMARY KEY (account, fingerprint)
) STRICT, WITHOUT ROWID;

-- Failed logins, for slow-down and lock-out. Names that do not exist are counted like those that do.
CREATE TABLE guesses (
    kind         TEXT    NOT NULL CHECK (kind IN ('account', 'peer')),
    subject      TEXT    NOT NULL,          -- account name, or address (IPv6: its /64)
    failures     INTEGER NOT NULL,
    first        INTEGER NOT NULL,          -- of the failures being counted
    last         INTEGER NOT NULL,
    locked_until INTEGER,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX guesses_last ON guesses (last);

CREATE TABLE sessions (
    token   BLOB    PRIMARY KEY CHECK (length(token) = 32),  -- SHA-256 of the random token
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    used    INTEGER NOT NULL,
    peer    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_used ON sessions (used);
