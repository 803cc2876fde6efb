-- Files of a job's source that may still be being uploaded: as they looked the last time, and since when. A row goes when
-- its file was published or is gone.
CREATE TABLE uploads (
    job            INTEGER NOT NULL,
    path           BLOB    NOT NULL,        -- in the source
    size           INTEGER,
    mtime          INTEGER,
    mtime_precision INTEGER,
    mtime_told     INTEGER,
    unique_fact    TEXT,
    since          INTEGER NOT NULL,        -- this version has been seen, microseconds since 1970, UTC
    held           INTEGER NOT NULL,        -- the file has been waited for, whatever its versions
    looked         INTEGER NOT NULL,        -- the last look
    run            INTEGER NOT NULL,        -- the last run that left it
    PRIMARY KEY (job, path)
) STRICT, WITHOUT ROWID;

-- Folders of a job's source in which files were seen to change between two looks: there uploads are slow.
CREATE TABLE upload_folders (
    job            INTEGER NOT NULL,
    path           BLOB    NOT NULL,        -- in the source
    span           INTEGER NOT NULL,        -- so long a file was seen to change, microseconds
    at             INTEGER NOT NULL,        -- when this was seen last
    PRIMARY KEY (job, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_folders_at ON upload_folders (job, at);
