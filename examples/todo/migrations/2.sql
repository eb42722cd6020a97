CREATE TABLE sessions (
    key     TEXT PRIMARY KEY, -- the hash of the id that only the browser has: who steals this table is nobody
    data    TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires INTEGER NOT NULL  -- in seconds since 1970
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_in_order ON sessions (expires);
