-- Content digests are of one of two algorithms: a SHA-256 is its 32 bytes, a BLAKE3 is 0x1e (its multihash code) and its 32.
ALTER TABLE files ADD COLUMN digest BLOB CHECK (digest IS NULL OR length(digest) IN (32, 33));
UPDATE files SET digest = sha256 WHERE sha256 IS NOT NULL;
ALTER TABLE files DROP COLUMN sha256;
ALTER TABLE items ADD COLUMN digest BLOB CHECK (digest IS NULL OR length(digest) IN (32, 33));
UPDATE items SET digest = sha256 WHERE sha256 IS NOT NULL;
ALTER TABLE items DROP COLUMN sha256;
