-- Folders of a job's source in which something changed, as its runs saw it: between the scheduled runs, the hot ones can be
-- looked at alone.
CREATE TABLE heat (
    job            INTEGER NOT NULL,
    path           BLOB    NOT NULL,        -- of the folder, in the source
    target         BLOB    NOT NULL,        -- of the folder, in the target
    changes        INTEGER NOT NULL,        -- files and folders that came, changed or went
    at             INTEGER NOT NULL,        -- of the last change, microseconds since 1970, UTC
    PRIMARY KEY (job, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX heat_at ON heat (job, at);

-- What a run looks at: the whole tree, or its hot folders. A whole one may wait behind a hot one of its job, so that a
-- start that is due is never lost to it.
ALTER TABLE runs ADD COLUMN extent TEXT NOT NULL DEFAULT 'whole' CHECK (extent IN ('whole', 'hot'));
DROP INDEX runs_active;
-- Overlapping runs of one job cannot be stored.
CREATE UNIQUE INDEX runs_active ON runs (job, dry, extent)
    WHERE state IN ('queued', 'running', 'pausing', 'paused', 'cancelling', 'interrupted');

-- When the hot folders of a job are looked at next.
ALTER TABLE jobs ADD COLUMN next_hot INTEGER;
CREATE INDEX jobs_hot ON jobs (next_hot) WHERE next_hot IS NOT NULL AND removed IS NULL AND paused = 0;

-- Since when a job's target has held everything that its source showed: when its last complete runs began.
CREATE TABLE looks (
    job            INTEGER NOT NULL,
    extent         TEXT    NOT NULL CHECK (extent IN ('whole', 'hot')),
    at             INTEGER NOT NULL,        -- microseconds since 1970, UTC
    PRIMARY KEY (job, extent)
) STRICT, WITHOUT ROWID;
