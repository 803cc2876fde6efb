-- The tamper-evident operation log. Rows are only ever appended; the triggers stop accidents, the hash
-- chain shows attacks. `at`, `actor` and `action` repeat what stands in `entry`, for searching; the
-- verification compares them.
CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY,        -- 1, 2, 3 … without a hole
    at     INTEGER NOT NULL,           -- microseconds since 1970, UTC
    actor  TEXT    NOT NULL,           -- 'system', 'account:<name>' or 'job:<id>'
    action TEXT    NOT NULL,           -- the event's stable word
    entry  TEXT    NOT NULL,           -- canonical JSON with seq, time, actor, event and the previous hash
    hash   BLOB    NOT NULL CHECK (length(hash) = 32)  -- SHA-256(entry)
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_actor ON audit (actor, seq);
CREATE INDEX audit_action ON audit (action, seq);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows are never removed'); END;
