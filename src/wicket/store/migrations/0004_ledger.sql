-- Money moves between accounts, each time in one row: `amount_nanos` (1e-9 USD) leaves `debit` for `credit`.
-- Rows are never changed and never deleted, so all of them sum to zero at every moment.
CREATE TABLE transfers (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms        INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    debit        TEXT    NOT NULL,
    credit       TEXT    NOT NULL,
    amount_nanos INTEGER NOT NULL CHECK (amount_nanos > 0),
    record_id    INTEGER NOT NULL DEFAULT 0,
    price_row    TEXT    NOT NULL DEFAULT '',
    memo         TEXT    NOT NULL DEFAULT ''
);

-- What an account's transfers come to, written in the transaction that writes them: what came in, what left.
CREATE TABLE balances (
    account       TEXT    PRIMARY KEY,
    debits_nanos  INTEGER NOT NULL DEFAULT 0,
    credits_nanos INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
