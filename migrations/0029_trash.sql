-- What people deleted, and where it was. It lies in the trash at the root of the tree, in a folder with the row's number.
CREATE TABLE trashed (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: the folder is named after it
    account TEXT    NOT NULL,                   -- who deleted it
    path    BLOB    NOT NULL,                   -- where it was, from the root of the tree, raw bytes
    at      INTEGER NOT NULL,                   -- microseconds since 1970, UTC
    bytes   INTEGER,                            -- of content; none until they are counted
    files   INTEGER,                            -- names: files, folders, links; none until they are counted
    is_dir  INTEGER NOT NULL CHECK (is_dir IN (0, 1))
) STRICT;
CREATE INDEX trashed_account ON trashed (account, id);
CREATE INDEX trashed_at ON trashed (at);
