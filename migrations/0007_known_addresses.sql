-- From where an account came in lately. Failures from there are counted for themselves, so that a stranger
-- who guesses at the account from elsewhere does not keep its owner out.
CREATE TABLE account_addresses (
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    peer    TEXT    NOT NULL,              -- address (IPv6: its /64)
    seen    INTEGER NOT NULL,              -- the last login from there
    PRIMARY KEY (account, peer)
) STRICT, WITHOUT ROWID;

-- 'known': failures on an account from one of its addresses; the subject is name, space, address.
CREATE TABLE guesses_now (
    kind         TEXT    NOT NULL CHECK (kind IN ('account', 'known', 'peer')),
    subject      TEXT    NOT NULL,
    failures     INTEGER NOT NULL,
    first        INTEGER NOT NULL,          -- of the failures being counted
    last         INTEGER NOT NULL,
    locked_until INTEGER,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
INSERT INTO guesses_now SELECT kind, subject, failures, first, last, locked_until FROM guesses;
DROP TABLE guesses;
ALTER TABLE guesses_now RENAME TO guesses;
CREATE INDEX guesses_last ON guesses (last);
