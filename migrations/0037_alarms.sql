-- Early warning. What is known of each endpoint: the state of its detectors, so that they go on after a restart.
CREATE TABLE watches (
    family   TEXT    NOT NULL,
    role     TEXT    NOT NULL CHECK (role IN ('client', 'door')),
    endpoint TEXT    NOT NULL,           -- as observations name it
    until    INTEGER NOT NULL,           -- what was seen before is in the state; microseconds since 1970
    state    TEXT    NOT NULL,           -- JSON
    PRIMARY KEY (family, role, endpoint)
) STRICT;
-- Something changed for the worse. Alarms begin and end by themselves.
CREATE TABLE alarms (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    family   TEXT    NOT NULL,
    role     TEXT    NOT NULL CHECK (role IN ('client', 'door')),
    endpoint TEXT    NOT NULL,
    sign     TEXT    NOT NULL CHECK (sign IN ('setup-time', 'errors', 'resets')),
    since    INTEGER NOT NULL,           -- when it probably began, microseconds since 1970
    noticed  INTEGER NOT NULL,
    ended    INTEGER,
    ending   TEXT CHECK (ending IN ('normal', 'forgotten', 'relearnt')),
    usual    REAL    NOT NULL,           -- seconds, or a share
    seen     REAL    NOT NULL,           -- the same, since it began until it was noticed
    evidence TEXT    NOT NULL,           -- JSON: the slots that it rests on
    CHECK ((ended IS NULL) = (ending IS NULL))
) STRICT;
CREATE UNIQUE INDEX alarms_open ON alarms (family, role, endpoint, sign) WHERE ended IS NULL;
CREATE INDEX alarms_noticed ON alarms (noticed);
