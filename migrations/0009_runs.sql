-- Old runs are removed: a skipped start that names one has to be found without reading all of them.
CREATE INDEX runs_blocked ON runs (blocked_by) WHERE blocked_by IS NOT NULL;
