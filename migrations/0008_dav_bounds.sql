-- Who stored a property, and how much each account stores: what one may store is bounded. What was stored before
-- counts for nobody.
ALTER TABLE dav_properties ADD COLUMN account TEXT NOT NULL DEFAULT '';

CREATE TABLE dav_stored (
    account TEXT    PRIMARY KEY,
    bytes   INTEGER NOT NULL               -- of its properties, with their names and paths
) STRICT, WITHOUT ROWID;

CREATE TRIGGER dav_properties_put AFTER INSERT ON dav_properties BEGIN
    INSERT INTO dav_stored (account, bytes)
    VALUES (new.account, length(new.path) + length(new.namespace) + length(new.name) + length(new.xml))
    ON CONFLICT (account) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER dav_properties_gone AFTER DELETE ON dav_properties BEGIN
    UPDATE dav_stored
    SET bytes = bytes - length(old.path) - length(old.namespace) - length(old.name) - length(old.xml)
    WHERE account = old.account;
END;
