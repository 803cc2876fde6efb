-- Clusters of like faults in what the mirrors, the probes and the doors saw. They open and close by themselves.
CREATE TABLE incidents (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    role        TEXT    NOT NULL CHECK (role IN ('client', 'door')),
    endpoint    TEXT    NOT NULL,           -- as observations name it
    protocol    TEXT    NOT NULL,           -- the URL's scheme
    kind        TEXT    NOT NULL CHECK (kind IN ('connection', 'transfer', 'check')),
    phase       TEXT    NOT NULL,
    fault       TEXT    NOT NULL,
    since       INTEGER NOT NULL,           -- the first of its faults, microseconds since 1970
    last        INTEGER NOT NULL,           -- the last one
    closed      INTEGER,                    -- when it was found to be over
    faults      INTEGER NOT NULL,           -- how many
    seen        INTEGER NOT NULL,           -- the number of the last observation that counts
    verdict     TEXT    NOT NULL            -- JSON: findings, evidence, the observations behind it
) STRICT;
CREATE UNIQUE INDEX incidents_open ON incidents (role, endpoint, protocol, kind, phase, fault) WHERE closed IS NULL;
CREATE INDEX incidents_last ON incidents (last);
CREATE TABLE incident_entries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    incident    INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    at          INTEGER NOT NULL,           -- microseconds since 1970
    said        TEXT    NOT NULL
) STRICT;
CREATE INDEX incident_entries_incident ON incident_entries (incident);
