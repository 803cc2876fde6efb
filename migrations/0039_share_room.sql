-- How much a drop box takes by one link, besides the quota of the account that lends it.
ALTER TABLE shares ADD COLUMN room INTEGER CHECK (room > 0);    -- bytes; NULL = any number
ALTER TABLE shares ADD COLUMN taken INTEGER NOT NULL DEFAULT 0; -- bytes that were sent by it
