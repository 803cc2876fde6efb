-- Links by which people without an account see one file or folder, or send files into a folder. They see it as the
-- account that made the link would see it now.
CREATE TABLE shares (
    id       INTEGER PRIMARY KEY,
    hash     BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),  -- SHA-256: what is in the link has 256 random bits
    account  INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    path     BLOB    NOT NULL,              -- below the account's home, raw bytes
    kind     TEXT    NOT NULL CHECK (kind IN ('file', 'folder', 'drop-box')),
    password TEXT,                          -- argon2id, as a PHC string; NULL = none is asked for
    made     INTEGER NOT NULL,              -- microseconds since 1970, UTC, as all times here
    expires  INTEGER,                       -- NULL = never
    most     INTEGER CHECK (most > 0),      -- uses; NULL = any number
    used     INTEGER NOT NULL DEFAULT 0,
    last     INTEGER,                       -- when it was last used
    ended    INTEGER                        -- NULL = nobody has ended it
) STRICT;
CREATE INDEX shares_account ON shares (account, made);

-- Browsers that have opened a link: they give its password once, and what they fetch again is the same use.
CREATE TABLE share_visits (
    hash  BLOB    NOT NULL CHECK (length(hash) = 32),  -- of what its cookie holds
    share INTEGER NOT NULL REFERENCES shares (id) ON DELETE CASCADE,
    begun INTEGER NOT NULL,
    used  INTEGER NOT NULL CHECK (used IN (0, 1)),  -- it counts as a use
    PRIMARY KEY (hash, share)
) STRICT, WITHOUT ROWID;
CREATE INDEX share_visits_begun ON share_visits (begun);
