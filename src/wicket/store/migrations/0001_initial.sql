CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;

-- AUTOINCREMENT: the id of a key is never given out again, since records refer to it for ever.
CREATE TABLE keys (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id  TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    digest     BLOB    NOT NULL UNIQUE,
    shown      TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    team       TEXT    NOT NULL,
    expires_ms INTEGER NOT NULL,
    revoked_ms INTEGER NOT NULL,
    models     TEXT    NOT NULL,
    salt       TEXT    NOT NULL
);

-- The id sorts by time, so the table needs no second index: spans of time are spans of ids.
-- attempts and dropped are JSON, NULL where they say nothing that the row does not say (see store/rows.py).
CREATE TABLE records (
    id                 INTEGER PRIMARY KEY,
    started_ms         INTEGER NOT NULL,
    key_id             INTEGER NOT NULL,
    api                TEXT    NOT NULL,
    model              TEXT    NOT NULL,
    deployment         TEXT    NOT NULL,
    served_model       TEXT    NOT NULL,
    status             INTEGER NOT NULL,
    outcome            TEXT    NOT NULL,
    is_stream          INTEGER NOT NULL,
    input_tokens       INTEGER NOT NULL,
    output_tokens      INTEGER NOT NULL,
    cached_tokens      INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens   INTEGER NOT NULL,
    is_estimated       INTEGER NOT NULL,
    cost_nanos         INTEGER NOT NULL,
    charge_nanos       INTEGER NOT NULL,
    first_token_us     INTEGER NOT NULL,
    total_us           INTEGER NOT NULL,
    price_row          TEXT    NOT NULL,
    sent_us            INTEGER,
    answered_us        INTEGER,
    attempts           TEXT,
    dropped            TEXT
);

-- Sums per UTC day, written in the transaction that writes the records; they outlive pruned records.
CREATE TABLE usage_daily (
    day                INTEGER NOT NULL,
    key_id             INTEGER NOT NULL,
    api                TEXT    NOT NULL,
    model              TEXT    NOT NULL,
    deployment         TEXT    NOT NULL,
    requests           INTEGER NOT NULL,
    failed             INTEGER NOT NULL,
    estimated          INTEGER NOT NULL,
    input_tokens       INTEGER NOT NULL,
    output_tokens      INTEGER NOT NULL,
    cached_tokens      INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens   INTEGER NOT NULL,
    cost_nanos         INTEGER NOT NULL,
    charge_nanos       INTEGER NOT NULL,
    PRIMARY KEY (day, key_id, api, model, deployment)
) WITHOUT ROWID;
