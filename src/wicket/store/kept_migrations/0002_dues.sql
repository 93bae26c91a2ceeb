-- What goes on at a provider and is not settled yet, by the request that began it. record and price are msgpack.
CREATE TABLE dues (
    tenant     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    record_id  INTEGER NOT NULL PRIMARY KEY,
    created_ms INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    provider   TEXT    NOT NULL,
    credential BLOB    NOT NULL,
    remote     TEXT    NOT NULL,
    record     BLOB    NOT NULL,
    price      BLOB    NOT NULL,
    markup_ppm INTEGER NOT NULL
);
CREATE UNIQUE INDEX dues_by_id ON dues (tenant, id);
