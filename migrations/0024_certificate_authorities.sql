-- Who may sign SSH certificates that open accounts (OpenSSH's PROTOCOL.certkeys).
CREATE TABLE certificate_authorities (
    fingerprint TEXT    PRIMARY KEY,       -- SHA256:…
    blob        BLOB    NOT NULL,          -- the public key as SSH sends it
    algorithm   TEXT    NOT NULL,
    comment     TEXT    NOT NULL,
    added       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Certificates that open nothing any more. They stay revoked when their authority goes and comes back.
CREATE TABLE revoked_certificates (
    authority TEXT    NOT NULL,            -- fingerprint
    kind      TEXT    NOT NULL CHECK (kind IN ('serial', 'key-id')),
    subject   TEXT    NOT NULL,            -- the serial in decimal, or the key id
    revoked   INTEGER NOT NULL,
    PRIMARY KEY (authority, kind, subject)
) STRICT, WITHOUT ROWID;
