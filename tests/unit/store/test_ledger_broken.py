"""A ledger that somebody has been at: each way of breaking it is found, and told by account or record."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.contract.test_money import NOW, grant, record, refund, top_up

from wicket.accounts.movements import format_movement_id
from wicket.accounts.request_ids import format_id
from wicket.store.sqlite import SqliteStore


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with everything in it."""
    path = tmp_path_factory.mktemp("ledger") / "wicket.db"
    with closing(SqliteStore(path)) as store:
        store.ensure_team("red", NOW)
        first = store.ledger.move(top_up(500, "a"), NOW).movement
        store.ledger.move(grant(30, "b", NOW + 10), NOW)
        store.ledger.move(grant(40, "c"), NOW)
        store.insert_records([record(n, cost=5, charge=7) for n in range(10)])
        store.insert_records([record(20, cost=5, charge=0), record(21, payer="", charge=3), record(22)])
        store.ledger.move(refund("r", 6, of_id=first.id), NOW)
        store.ledger.move(refund("s", 4, record_id=record(9).id), NOW + 20)
        store.ledger.expire(NOW + 20)
        assert store.ledger.verify() == []
    return path


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Iterator[Path]:
    copy = tmp_path / "wicket.db"
    copy.write_bytes(sound.read_bytes())
    return copy


def broken(path: Path, *statements: str) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "DROP TRIGGER transfers_are_not_changed; DROP TRIGGER transfers_are_not_deleted;"
            "PRAGMA ignore_check_constraints = ON;" + ";".join(statements)
        )
    with closing(SqliteStore(path)) as store:
        return store.ledger.verify()


R3, R20, R22 = (record(number).id for number in (3, 20, 22))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (f"DELETE FROM transfers WHERE entry_id = {R3} AND kind = 'charge'", format_id(R3)),
        (f"DELETE FROM transfers WHERE entry_id = {R3}", f"{format_id(R3)}: its transfers of cost are none"),
        (f"UPDATE transfers SET amount_nanos = 6 WHERE entry_id = {R3} AND kind = 'cost'", "should be 5 to"),
        (f"UPDATE transfers SET price_row = 'x' WHERE entry_id = {R3} AND kind = 'cost'", "at x and should"),
        (f"UPDATE transfers SET credit = 'cash' WHERE entry_id = {R3} AND kind = 'charge'", "elsewhere"),
        (
            f"INSERT INTO transfers VALUES ({R3}, 9, 'charge', 'receivable:team:2', 'revenue', 1, '')",
            "taken from",
        ),
        (f"INSERT INTO transfers VALUES ({R22}, 0, 'charge', 'cash', 'revenue', 1, '')", format_id(R22)),
        (f"INSERT INTO transfers VALUES ({R22 + 1}, 0, 'charge', 'cash', 'revenue', 1, '')", "no record"),
        (f"INSERT INTO transfers VALUES ({R22 + 1}, 0, 'top_up', 'cash', 'revenue', 1, '')", "no movement"),
        (f"UPDATE transfers SET amount_nanos = -5 WHERE entry_id = {R3}", "above zero"),
        (f"UPDATE transfers SET amount_nanos = 1.5 WHERE entry_id = {R3}", "whole number"),
        (f"UPDATE transfers SET debit = credit WHERE entry_id = {R3} AND kind = 'cost'", "pays itself"),
        (f"UPDATE records SET charge_nanos = 8 WHERE id = {R3}", f"{format_id(R3)}: 7 was charged"),
        (f"UPDATE records SET cost_nanos = 0 WHERE id = {R20}", f"{format_id(R20)}: its transfers of cost"),
        (f"DELETE FROM records WHERE id = {R3}", f"{format_id(R3)}: there are transfers but no record"),
        (
            "UPDATE balances SET credits_nanos = credits_nanos + 1 WHERE account = 'revenue'",
            "account revenue",
        ),
        ("DELETE FROM balances WHERE account = 'cash'", "account cash"),
        ("INSERT INTO balances VALUES ('credit:team:9', 0, 5)", "all accounts sum to 5"),
        ("DELETE FROM movements WHERE kind = 'top_up'", "no movement"),
        ("UPDATE movements SET amount_nanos = 7 WHERE kind = 'refund'", "not those of a refund of 7"),
        ("UPDATE movements SET amount_nanos = 5 WHERE kind = 'correction'", "not those of a correction of 5"),
        ("UPDATE movements SET record_id = 1 WHERE kind = 'correction'", "more was taken back"),
        (
            "INSERT INTO movements (id, kind, scope, amount_nanos) VALUES (7, 'top_up', 'team:1', 1)",
            f"{format_movement_id(7)}: its transfers are missing",
        ),
        (
            f"INSERT INTO transfers VALUES ({R3}, 9, 'charge', 'grant:2', 'revenue', 99, '')",
            "a grant is overdrawn",
        ),
    ],
)
def test_what_was_broken_is_told(path: Path, statement: str, told: str) -> None:
    findings = broken(path, statement)
    assert any(told in line for line in findings), findings


def test_two_wrongs_that_cancel_out_are_two_findings(path: Path) -> None:
    """The sums are right all the same; the records are not."""
    swap = "UPDATE transfers SET amount_nanos = amount_nanos + {} WHERE entry_id = {} AND kind = 'charge'"
    findings = broken(path, swap.format(1, record(6).id), swap.format(-1, record(7).id))
    assert len(findings) == 2 and all("was charged" in line for line in findings)


def test_a_transfer_is_neither_changed_nor_deleted(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in ("UPDATE transfers SET amount_nanos = 1", "DELETE FROM transfers"):
            with pytest.raises(sqlite3.IntegrityError, match="a transfer is never"):
                connection.execute(statement)


def test_findings_have_an_end(path: Path) -> None:
    rows = ",".join(f"({n}, 0, 'top_up', 'cash', 'revenue', 1, '')" for n in range(1, 2_000))
    findings = broken(path, f"INSERT INTO transfers VALUES {rows}")
    assert len(findings) == 1_001 and findings[-1] == "… and more"


def test_what_was_pruned_stays_in_the_ledger(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        before = store.ledger.accounts()
        assert store.prune(NOW + 1) == 13
        assert store.ledger.verify() == []
        assert store.ledger.accounts() == before
        assert store.insert_records([record(3, cost=5, charge=7)]) == (0, 1)
        assert store.ledger.accounts() == before
    assert "no record" not in str(broken(path, "SELECT 1"))


def test_records_from_before_the_ledger_have_no_transfers(tmp_path: Path) -> None:
    from wicket.store.opening import APPLICATION_ID, migrations

    path = tmp_path / "wicket.db"
    old = sqlite3.connect(path)
    for step in migrations()[:2]:
        old.executescript(step)
    old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    old.execute("PRAGMA user_version = 2")
    columns = [row[1] for row in old.execute("PRAGMA table_info(records)")]
    values = {"id": record(1).id, "cost_nanos": 5, "charge_nanos": 7, "model": "m", "api": "a"}
    texts = {"deployment", "served_model", "outcome", "price_row", "task"}
    row = [
        values.get(name, "" if name in texts else None if name in ("attempts", "dropped") else 0)
        for name in columns
    ]
    old.execute(f"INSERT INTO records VALUES ({','.join('?' * len(row))})", row)
    old.commit()
    old.close()
    with closing(SqliteStore(path)) as store:
        assert store.ledger.verify() == [] and store.ledger.accounts() == {}
        late = record(0, cost=5, charge=7)  # from a spool of the version before
        assert store.insert_records([late, record(2, cost=1)]) == (2, 0)
        assert store.ledger.verify() == [] and store.ledger.accounts()["cost"].debits_nanos == 6
    assert format_id(record(2).id) in str(
        broken(path, f"DELETE FROM transfers WHERE entry_id = {record(2).id}")
    )
