CREATE TABLE accounts (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE COLLATE NOCASE,
    password TEXT NOT NULL -- the hash, with its salt and its cost; empty: nobody can log in
) STRICT;

-- The list of all who have no account, for `--open`.
INSERT INTO accounts (id, name, password) VALUES (0, 'everybody', '');

CREATE TABLE todos (
    id        INTEGER PRIMARY KEY AUTOINCREMENT, -- so that the URL of a todo never becomes that of another
    account   INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    title     TEXT NOT NULL,
    completed INTEGER NOT NULL DEFAULT 0,
    place     INTEGER NOT NULL DEFAULT 0, -- the API's `order`, which is a word of SQL
    version   INTEGER NOT NULL DEFAULT 1  -- rises with each change: the API's `ETag`
) STRICT;

CREATE INDEX todos_in_order ON todos (account, place, id);
