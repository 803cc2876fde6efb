-- What shows the clock of a server's listings: times as they were listed, and the exact ones of the same files. Learned by
-- one run, used by all that read the same server.
CREATE TABLE clocks (
    server         TEXT    PRIMARY KEY,     -- who is asked there, where
    pairs          TEXT    NOT NULL,        -- JSON
    at             INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- By which zone the times were read that the table files remembers of listings: they follow when another one is known.
CREATE TABLE readings (
    job            INTEGER PRIMARY KEY,
    zone           TEXT    NOT NULL
) STRICT;

-- Until now nobody could tell "UTC" from "not said": from now on what is not said is learned.
UPDATE endpoints SET options = json_remove(options, '$.zone') WHERE json_extract(options, '$.zone') IN ('UTC', 0);
UPDATE endpoints SET options = json_remove(options, '$."zone-minutes"') WHERE json_extract(options, '$."zone-minutes"') = 0;
