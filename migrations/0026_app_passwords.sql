-- Passwords for one device or program each. They open WebDAV and /files/, and nothing else. Removed ones stay for a
-- while, so that a lost device that goes on trying is known by its label and taken for no guesser.
CREATE TABLE app_passwords (
    id        INTEGER PRIMARY KEY,
    hash      BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),  -- SHA-256: the password has 160 random bits
    account   INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    label     TEXT    NOT NULL,              -- the device or program
    folder    BLOB    NOT NULL,              -- below the account's home, raw bytes
    read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),
    made      INTEGER NOT NULL,              -- microseconds since 1970, UTC, as all times here
    expires   INTEGER,                       -- NULL = never
    last_used INTEGER,
    last_peer TEXT,                          -- from where then
    refused   INTEGER,                       -- when the log last said that it was shown in vain
    removed   INTEGER                        -- NULL = it holds
) STRICT;
CREATE UNIQUE INDEX app_passwords_label ON app_passwords (account, label) WHERE removed IS NULL;
CREATE INDEX app_passwords_removed ON app_passwords (account, removed);
