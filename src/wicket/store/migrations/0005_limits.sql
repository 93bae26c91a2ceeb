-- What a scope ("key:17", "team:3", "organisation:1") may do in a period: limits (requests, tokens, requests at
-- once) and budgets (1e-9 USD). `model` '' is all of them; days and months begin at the zone's midnights.
-- AUTOINCREMENT: the workers know a meter by its id, so that is never given out again.
CREATE TABLE limits (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    scope      TEXT    NOT NULL,
    model      TEXT    NOT NULL DEFAULT '',
    unit       TEXT    NOT NULL CHECK (unit IN ('nanos', 'requests', 'tokens', 'concurrent')),
    amount     INTEGER NOT NULL CHECK (amount >= 0),
    period     TEXT    NOT NULL CHECK (period IN ('', 'minute', 'day', 'month', 'total')),
    zone       TEXT    NOT NULL DEFAULT 'UTC',
    is_soft    INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    UNIQUE (scope, model, unit, period, is_soft)
);
