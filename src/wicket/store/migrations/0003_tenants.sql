-- Who is behind a key: organisations have teams, teams have keys and members.
CREATE TABLE organisations (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id  TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    status     TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted'))
);

CREATE TABLE teams (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id       TEXT    NOT NULL UNIQUE,
    organisation_id INTEGER NOT NULL REFERENCES organisations (id),
    name            TEXT    NOT NULL,
    created_ms      INTEGER NOT NULL,
    status          TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
    UNIQUE (organisation_id, name)
);

-- One organisation is always there; teams that were only names become rows of it.
INSERT INTO organisations (id, public_id, name, created_ms)
VALUES (1, 'org_' || lower(hex(randomblob(8))), 'default', CAST(strftime('%s', 'now') AS INTEGER) * 1000);

INSERT INTO teams (public_id, organisation_id, name, created_ms)
SELECT 'team_' || lower(hex(randomblob(8))), 1, team, min(created_ms) FROM keys WHERE team <> '' GROUP BY team;

-- 0: the key belongs to no team. Its name stays beside it, as reports group by it.
ALTER TABLE keys ADD COLUMN team_id INTEGER NOT NULL DEFAULT 0;

UPDATE keys SET team_id = COALESCE((SELECT id FROM teams WHERE name = keys.team), 0);
