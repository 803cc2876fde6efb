-- Uploads that can be gone on with (tus 1.0.0). Their content lies in a part beside the name that they will get.
CREATE TABLE resumable (
    id        TEXT    PRIMARY KEY,           -- 128 random bits, hexadecimal: the end of its address
    account   TEXT    NOT NULL,              -- whose it is
    path      BLOB    NOT NULL,              -- from the root of the tree, raw bytes
    size      INTEGER NOT NULL,              -- bytes when it is complete
    metadata  TEXT    NOT NULL,              -- as the client sent it
    ino       INTEGER NOT NULL,              -- of the part, 64 bits; the file keeps it
    confirmed INTEGER NOT NULL,              -- so many bytes are on the disk
    done      INTEGER NOT NULL CHECK (done IN (0, 1)),  -- it has its name
    expires   INTEGER NOT NULL               -- microseconds since 1970, UTC
) STRICT, WITHOUT ROWID;
CREATE INDEX resumable_account ON resumable (account, done);
CREATE INDEX resumable_expires ON resumable (expires);
