-- What else was seen of a connection or a transfer. NULL is "not known", never zero. Times are microseconds.
ALTER TABLE observations ADD COLUMN ended_by TEXT CHECK (ended_by IN ('us', 'them', 'nobody'));
ALTER TABLE observations ADD COLUMN idle INTEGER;          -- since the last byte either way
ALTER TABLE observations ADD COLUMN errno INTEGER;         -- of the system's error
ALTER TABLE observations ADD COLUMN rtt INTEGER;           -- of the TCP connection at its end, as the kernel told
ALTER TABLE observations ADD COLUMN min_rtt INTEGER;
ALTER TABLE observations ADD COLUMN retransmits INTEGER;   -- segments
ALTER TABLE observations ADD COLUMN lost INTEGER;          -- segments
ALTER TABLE observations ADD COLUMN delivery_rate INTEGER; -- bytes per second
ALTER TABLE observations ADD COLUMN rwnd_limited INTEGER;  -- waited for the other side's receive window
ALTER TABLE observations ADD COLUMN wire INTEGER;          -- bytes on the way
ALTER TABLE observations ADD COLUMN payload INTEGER;       -- bytes of files that went over a connection
ALTER TABLE observations ADD COLUMN round_trips INTEGER;
ALTER TABLE observations ADD COLUMN encrypted INTEGER CHECK (encrypted IN (0, 1));
ALTER TABLE observations ADD COLUMN post_quantum INTEGER CHECK (post_quantum IN (0, 1));
ALTER TABLE observations ADD COLUMN file INTEGER;          -- a keyed hash; the key is kept nowhere
ALTER TABLE observations ADD COLUMN round INTEGER;         -- of paired probes
