-- The id is the request's, which sorts by time: spans of time are spans of ids.
-- request and answer are JSON, scrubbed; confidence is -1 where no mini answered.
CREATE TABLE examples (
    id         INTEGER PRIMARY KEY,
    started_ms INTEGER NOT NULL,
    task       TEXT    NOT NULL,
    key_id     INTEGER NOT NULL,
    model      TEXT    NOT NULL,
    deployment TEXT    NOT NULL,
    request    BLOB    NOT NULL,
    answer     BLOB    NOT NULL,
    confidence REAL    NOT NULL
);
CREATE INDEX examples_by_task ON examples (task, id);
CREATE INDEX examples_by_key ON examples (key_id, id);

-- What was said of an answer, the last word of each kind. A score of -1 and an empty correction: none given.
CREATE TABLE feedback (
    request_id INTEGER PRIMARY KEY,
    created_ms INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    score      REAL    NOT NULL,
    corrected  TEXT    NOT NULL
);
CREATE INDEX feedback_by_key ON feedback (key_id);
