-- Where symbolic links point, in their own bytes: as they were seen, as they are to be made, as they were made.
ALTER TABLE scan ADD COLUMN link BLOB;
ALTER TABLE items ADD COLUMN link BLOB;
ALTER TABLE files ADD COLUMN link BLOB;

-- The path with its name as the least careful file system keeps it (lower case, normalisation form C), where that is another:
-- names of a folder with one key may be one name in the target.
ALTER TABLE scan ADD COLUMN fold BLOB;
CREATE INDEX scan_fold ON scan (run, side, fold) WHERE fold IS NOT NULL;
