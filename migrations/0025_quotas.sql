-- The most that an account's home folder may hold; NULL is as much as the disk holds.
ALTER TABLE accounts ADD COLUMN quota_bytes INTEGER CHECK (quota_bytes > 0);
ALTER TABLE accounts ADD COLUMN quota_files INTEGER CHECK (quota_files > 0);
