-- Who is behind a key: organisations have teams, teams have keys, users are members of organisations or teams.
-- Nobody is ever deleted from these tables: what is ended says so, and its history stays.
CREATE TABLE organisations (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id  TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    status     TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted'))
);


CREATE TABLE teams (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id       TEXT    NOT NULL UNIQUE,
    organisation_id INTEGER NOT NULL REFERENCES organisations (id),
    name            TEXT    NOT NULL,
    created_ms      INTEGER NOT NULL,
    status          TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted'))
);

-- The name of what is deleted may be given again.
CREATE UNIQUE INDEX teams_name ON teams (organisation_id, name) WHERE status <> 'deleted';

-- One organisation is always there; teams that were only names become rows of it.
INSERT INTO organisations (id, public_id, name, created_ms)
VALUES (1, 'org_' || lower(hex(randomblob(8))), 'default', CAST(strftime('%s', 'now') AS INTEGER) * 1000);

INSERT INTO teams (public_id, organisation_id, name, created_ms)
SELECT 'team_' || lower(hex(randomblob(8))), 1, team, min(created_ms) FROM keys WHERE team <> '' GROUP BY team;

-- 0: the key belongs to no team. Its name stays beside it, as reports group by it.
-- A rotated key's old text works until previous_until_ms. A hidden key is a session's own.
ALTER TABLE keys ADD COLUMN team_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN organisation_id INTEGER NOT NULL DEFAULT 1;
ALTER TABLE keys ADD COLUMN networks TEXT NOT NULL DEFAULT '[]';
ALTER TABLE keys ADD COLUMN routes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE keys ADD COLUMN suspended_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN rotated_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN previous_digest BLOB NOT NULL DEFAULT x'';
ALTER TABLE keys ADD COLUMN previous_until_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN session_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN is_hidden INTEGER NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
CREATE INDEX keys_team ON keys (team_id);
CREATE INDEX keys_session ON keys (session_id) WHERE session_id <> 0;

UPDATE keys SET team_id = COALESCE((SELECT id FROM teams WHERE name = keys.team), 0);

-- `email` is as it was typed, `email_key` what it is compared by. `password` is a hash, '' for none.
CREATE TABLE users (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id  TEXT    NOT NULL UNIQUE,
    email      TEXT    NOT NULL,
    email_key  TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    password   TEXT    NOT NULL,
    issuer     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    status     TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted'))
);

CREATE UNIQUE INDEX users_email ON users (email_key) WHERE status <> 'deleted';
CREATE UNIQUE INDEX users_subject ON users (issuer, subject) WHERE subject <> '' AND status <> 'deleted';

-- team_id 0: the whole organisation.
CREATE TABLE memberships (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id         INTEGER NOT NULL REFERENCES users (id),
    organisation_id INTEGER NOT NULL REFERENCES organisations (id),
    team_id         INTEGER NOT NULL DEFAULT 0,
    role            TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    created_ms      INTEGER NOT NULL,
    UNIQUE (user_id, organisation_id, team_id)
);

CREATE INDEX memberships_organisation ON memberships (organisation_id, team_id);

CREATE TABLE sessions (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id       TEXT    NOT NULL UNIQUE,
    digest          BLOB    NOT NULL UNIQUE,
    user_id         INTEGER NOT NULL REFERENCES users (id),
    organisation_id INTEGER NOT NULL,
    created_ms      INTEGER NOT NULL,
    seen_ms         INTEGER NOT NULL,
    ends_ms         INTEGER NOT NULL,
    ended_ms        INTEGER NOT NULL,
    address         TEXT    NOT NULL,
    agent           TEXT    NOT NULL
);

CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE invitations (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id       TEXT    NOT NULL UNIQUE,
    digest          BLOB    NOT NULL UNIQUE,
    organisation_id INTEGER NOT NULL,
    team_id         INTEGER NOT NULL,
    role            TEXT    NOT NULL,
    email           TEXT    NOT NULL,
    created_ms      INTEGER NOT NULL,
    expires_ms      INTEGER NOT NULL,
    used_ms         INTEGER NOT NULL,
    revoked_ms      INTEGER NOT NULL,
    made_by         TEXT    NOT NULL
);

-- Who did what to whom. `changes` is JSON without secrets. organisation_id 0: the house's own.
CREATE TABLE audit (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms           INTEGER NOT NULL,
    actor_kind      TEXT    NOT NULL,
    actor           TEXT    NOT NULL,
    actor_name      TEXT    NOT NULL,
    organisation_id INTEGER NOT NULL,
    verb            TEXT    NOT NULL,
    target          TEXT    NOT NULL,
    changes         TEXT    NOT NULL,
    request_id      TEXT    NOT NULL,
    address         TEXT    NOT NULL
);

CREATE INDEX audit_organisation ON audit (organisation_id, id);

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'rows of the audit log are never changed');
END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'rows of the audit log are never deleted');
END;
