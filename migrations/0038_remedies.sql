-- What helps at a server, or on the way to it, as a diagnosis showed: at most one row of a kind.
CREATE TABLE remedies (
    server TEXT    NOT NULL,                -- URL without the folder
    kind   TEXT    NOT NULL CHECK (kind IN ('keepalive', 'rest', 'connections', 'short-segments', 'pasv', 'peer-address')),
    value  INTEGER NOT NULL,                -- seconds or a number; 1 where the kind says it all
    why    TEXT    NOT NULL,                -- what was found
    at     INTEGER NOT NULL,                -- when
    until  INTEGER NOT NULL,                -- networks are changed: then it is forgotten
    PRIMARY KEY (server, kind)
) STRICT, WITHOUT ROWID;
