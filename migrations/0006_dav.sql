-- What WebDAV clients leave behind: locks, and properties that mean something to them only.
CREATE TABLE dav_locks (
    token   TEXT    PRIMARY KEY,           -- urn:uuid:…
    path    BLOB    NOT NULL,              -- from the root of the tree
    account TEXT    NOT NULL,
    owner   TEXT,                          -- what the client says about itself, as XML
    shared  INTEGER NOT NULL,
    deep    INTEGER NOT NULL,              -- covers everything below
    seconds INTEGER NOT NULL,              -- what the client was promised
    until   INTEGER NOT NULL               -- microseconds since 1970, UTC
) STRICT, WITHOUT ROWID;

CREATE TABLE dav_properties (
    path      BLOB NOT NULL,               -- from the root of the tree
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    prefix    TEXT,
    xml       BLOB NOT NULL,               -- the whole element
    PRIMARY KEY (path, namespace, name)
) STRICT, WITHOUT ROWID;
