-- What a scope ("key:17", "team:3", "organisation:1") may do in a time; `model` empty means all of its models.
CREATE TABLE limits (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    scope      TEXT    NOT NULL,
    model      TEXT    NOT NULL DEFAULT '',
    unit       TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount >= 0),
    window_s   INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    UNIQUE (scope, model, unit, window_s)
);
