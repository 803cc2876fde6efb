-- One-time codes beside the password (TOTP, RFC 6238).
CREATE TABLE second_factors (
    account   INTEGER PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    secret    BLOB    NOT NULL,                -- sealed
    confirmed INTEGER NOT NULL CHECK (confirmed IN (0, 1)),  -- counts only after a first right code
    last_step INTEGER NOT NULL                 -- the step (of 30 seconds since 1970) of the last code that was used
) STRICT;
