-- How a server bears to be asked: what was tried there, and what came of it. All rows of a server are about one
-- greeting and one answer to FEAT; with others it is another server, about which nothing is known.
CREATE TABLE manners (
    server   TEXT    NOT NULL,              -- URL without the folder: the user's rights may decide
    manner   TEXT    NOT NULL CHECK (manner IN ('login', 'batches', 'chains', 'active', 'stat')),
    greeting TEXT    NOT NULL,              -- SHA-256, without what changes by itself
    features TEXT    NOT NULL,              -- SHA-256 of the answer to FEAT
    at       INTEGER NOT NULL,              -- when it was found
    why      TEXT,                          -- what went wrong; none: it is borne
    until    INTEGER,                       -- then it is tried again
    PRIMARY KEY (server, manner),
    CHECK ((why IS NULL) = (until IS NULL))
) STRICT, WITHOUT ROWID;
