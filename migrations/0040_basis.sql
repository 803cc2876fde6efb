-- The observations behind a figure, the newest first, and those of a round.
CREATE INDEX observations_basis ON observations (kind, family, at);
CREATE INDEX observations_round ON observations (round) WHERE round IS NOT NULL;

-- What became of a file whose attempts failed: at its last attempt.
CREATE TABLE observation_outcomes (
    observation INTEGER PRIMARY KEY REFERENCES observations (id) ON DELETE CASCADE,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('retried', 'lost')),
    took        INTEGER NOT NULL   -- microseconds since the end of the first failed attempt
) STRICT;

-- How much was seen, without reading a digest. NULL: the digest is older than these columns; it is counted soon.
ALTER TABLE rollups ADD COLUMN connections INTEGER;
ALTER TABLE rollups ADD COLUMN transfers INTEGER;
ALTER TABLE rollups ADD COLUMN failed INTEGER;    -- connections and transfers, for whatever reason
ALTER TABLE rollups ADD COLUMN stood INTEGER;     -- connections of which the TCP connection stood
ALTER TABLE rollups ADD COLUMN resets INTEGER;    -- of those
DROP INDEX rollups_at;
CREATE INDEX rollups_at ON rollups (span, at, series, connections, transfers, failed, stood, resets);
CREATE INDEX rollups_uncounted ON rollups (span) WHERE connections IS NULL;
