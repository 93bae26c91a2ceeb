-- Answers by whose they are and their id. items and answer are JSON; previous is '' where nothing went before.
CREATE TABLE responses (
    tenant     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    model      TEXT    NOT NULL,
    previous   TEXT    NOT NULL,
    items      BLOB    NOT NULL,
    answer     BLOB    NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX responses_by_age ON responses (created_ms);

-- Files by id; the content lies in a file named by its SHA-256. expires_ms 0: never.
CREATE TABLE files (
    tenant     TEXT    NOT NULL,
    id         TEXT    NOT NULL PRIMARY KEY,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    purpose    TEXT    NOT NULL,
    num_bytes  INTEGER NOT NULL,
    digest     TEXT    NOT NULL
);
CREATE INDEX files_by_tenant ON files (tenant, created_ms, id);
CREATE INDEX files_by_digest ON files (digest);
CREATE INDEX files_by_expiry ON files (expires_ms) WHERE expires_ms > 0;

-- Batches; metadata, moments and errors are JSON.
CREATE TABLE batches (
    tenant      TEXT    NOT NULL,
    id          TEXT    NOT NULL PRIMARY KEY,
    created_ms  INTEGER NOT NULL,
    caller      INTEGER NOT NULL,
    endpoint    TEXT    NOT NULL,
    input_file  TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    metadata    BLOB    NOT NULL,
    moments     BLOB    NOT NULL,
    total       INTEGER NOT NULL,
    completed   INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    output_file TEXT    NOT NULL,
    error_file  TEXT    NOT NULL,
    errors      BLOB    NOT NULL
);
CREATE INDEX batches_by_tenant ON batches (tenant, created_ms, id);
CREATE INDEX batches_by_status ON batches (status);

-- Lines that were begun, and what came of them: result is '' while nothing has.
CREATE TABLE batch_lines (
    batch     TEXT    NOT NULL,
    number    INTEGER NOT NULL,
    num_begun INTEGER NOT NULL,
    is_good   INTEGER NOT NULL,
    result    BLOB    NOT NULL,
    PRIMARY KEY (batch, number)
) WITHOUT ROWID;
