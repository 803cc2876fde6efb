-- Where symbolic links point, in their own bytes: as they were seen, as they are to be made, as they were made.
ALTER TABLE scan ADD COLUMN link BLOB;
ALTER TABLE items ADD COLUMN link BLOB;
ALTER TABLE files ADD COLUMN link BLOB;
