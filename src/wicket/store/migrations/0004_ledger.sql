-- Money moves between accounts, each time in one row: `amount_nanos` (1e-9 USD) leaves `debit` for `credit`,
-- so all rows together sum to zero at every moment. What is booked at once has one `entry_id`: a record's id,
-- or that of a row of `movements`; both sort by time (id >> 21 is Unix ms).
CREATE TABLE transfers (
    entry_id     INTEGER NOT NULL,
    place        INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    debit        TEXT    NOT NULL,
    credit       TEXT    NOT NULL,
    amount_nanos INTEGER NOT NULL CHECK (amount_nanos > 0),
    price_row    TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (entry_id, place)
) WITHOUT ROWID;

CREATE TRIGGER transfers_are_not_changed BEFORE UPDATE ON transfers
BEGIN SELECT RAISE(ABORT, 'a transfer is never changed'); END;

CREATE TRIGGER transfers_are_not_deleted BEFORE DELETE ON transfers
BEGIN SELECT RAISE(ABORT, 'a transfer is never deleted'); END;

-- What an account's transfers come to, written in the transaction that writes them: what went out, what came
-- in. A sum beyond 63 bits would become a float, hence the checks.
CREATE TABLE balances (
    account       TEXT    PRIMARY KEY,
    debits_nanos  INTEGER NOT NULL DEFAULT 0 CHECK (typeof(debits_nanos) = 'integer'),
    credits_nanos INTEGER NOT NULL DEFAULT 0 CHECK (typeof(credits_nanos) = 'integer')
) WITHOUT ROWID;

-- Why money moved other than by a request. `asked` is what was asked for under that idempotency key, `of_id`
-- the movement that is taken back.
CREATE TABLE movements (
    id              INTEGER PRIMARY KEY,
    kind            TEXT    NOT NULL,
    scope           TEXT    NOT NULL,
    amount_nanos    INTEGER NOT NULL CHECK (amount_nanos > 0),
    grant_number    INTEGER NOT NULL DEFAULT 0,
    expires_ms      INTEGER NOT NULL DEFAULT 0,
    of_id           INTEGER NOT NULL DEFAULT 0,
    record_id       INTEGER NOT NULL DEFAULT 0,
    idempotency_key TEXT    NOT NULL DEFAULT '',
    asked           TEXT    NOT NULL DEFAULT '',
    memo            TEXT    NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX movements_key ON movements (idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX movements_of ON movements (of_id) WHERE of_id <> 0;
CREATE INDEX movements_record ON movements (record_id) WHERE record_id <> 0;

-- Scopes with prepaid credit. `below_nanos`: where a low balance is told (NULL: as configured); `is_low`: it
-- has been told and the balance has not risen above since.
CREATE TABLE credits (
    scope       TEXT    PRIMARY KEY,
    created_ms  INTEGER NOT NULL,
    below_nanos INTEGER,
    is_low      INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Promotional credit; the account of each is 'grant:' and its number. Open: neither spent nor expired.
CREATE TABLE grants (
    number       INTEGER PRIMARY KEY,
    scope        TEXT    NOT NULL,
    amount_nanos INTEGER NOT NULL,
    expires_ms   INTEGER NOT NULL,
    is_open      INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX grants_open ON grants (scope) WHERE is_open = 1;

-- Messages for the webhook, kept until they have been delivered or given up.
CREATE TABLE notices (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT    NOT NULL UNIQUE,
    at_ms    INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0,
    next_ms  INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL DEFAULT 0,
    outcome  TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX notices_waiting ON notices (next_ms) WHERE ended_ms = 0;

-- Records from before there was a ledger have no transfers.
INSERT INTO meta SELECT 'ledger_from_id', COALESCE(max(id) + 1, 0) FROM records;
