-- What a login must show; 'any' is a key, or the password (with its code where there is a second factor).
ALTER TABLE accounts ADD COLUMN required TEXT NOT NULL DEFAULT 'any' CHECK (required IN
    ('any', 'key', 'password', 'key+password', 'key+code', 'password+code', 'key+password+code'));
