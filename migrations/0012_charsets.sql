-- The character set of the names in a folder of a job's source, where it was found out. Once decided it stays, so that the
-- name of a file in the target never changes by itself.
CREATE TABLE charsets (
    job            INTEGER NOT NULL,
    path           BLOB    NOT NULL,        -- of the folder, in the source
    charset        TEXT,                    -- none: it could not be told, and the bytes are kept
    why            TEXT    NOT NULL,        -- found, around (the folders above), unclear
    run            INTEGER NOT NULL,
    at             INTEGER NOT NULL,
    PRIMARY KEY (job, path)
) STRICT, WITHOUT ROWID;
