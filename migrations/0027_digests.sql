-- Checksums of files in the tree. They belong to a content, not to a name: to an inode, and to one version of it.
CREATE TABLE digests (
    id      INTEGER PRIMARY KEY,           -- the latest have the highest: the oldest make room
    dev     INTEGER NOT NULL,              -- of the inode, 64 bits each
    ino     INTEGER NOT NULL,
    version TEXT    NOT NULL,              -- its entity tag: inode, birth, size and time
    sums    TEXT    NOT NULL,              -- "sha-1:… md5:…", hexadecimal
    UNIQUE (dev, ino)
) STRICT;

-- What clients said themselves was not looked at, and stayed when the content became another one.
DELETE FROM dav_properties WHERE namespace = 'http://owncloud.org/ns' AND name = 'checksums';
