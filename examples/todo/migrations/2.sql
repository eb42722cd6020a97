CREATE TABLE sessions (
    key     BLOB PRIMARY KEY, -- the hash of the id, which only the browser has: who steals this table is nobody
    account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    expires INTEGER NOT NULL  -- in seconds since 1970
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_in_order ON sessions (expires);
