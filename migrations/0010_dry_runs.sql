-- A dry run changes nothing: it may stand beside a run that is active, and never takes that one's place.
ALTER TABLE runs ADD COLUMN dry INTEGER NOT NULL DEFAULT 0;
DROP INDEX runs_active;
-- Overlapping runs of one job cannot be stored.
CREATE UNIQUE INDEX runs_active ON runs (job, dry)
    WHERE state IN ('queued', 'running', 'pausing', 'paused', 'cancelling', 'interrupted');
-- What a run was about to do when it ended is looked for by every later run of its job.
CREATE INDEX items_intended ON items (job, action) WHERE state = 'planned' AND action IN ('trash', 'make-dir', 'set-mode');
