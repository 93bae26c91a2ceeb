"""Rows of tenants in every store: what is kept, what is found, and all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from wicket.accounts.keys import create_key
from wicket.accounts.tenants import (
    AuditEntry,
    Invitation,
    Membership,
    Organisation,
    Session,
    Team,
    User,
)
from wicket.errors import StoreFault
from wicket.store.contract import Between, Rows, Store
from wicket.store.memory import MemoryStore
from wicket.store.sqlite import SqliteStore
from wicket.store.table_rows import TABLES

AWKWARD = "'; DROP TABLE users; -- \"\\ ☃ <script>"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "a store?.db")
    yield made
    made.close()


def samples(rows: Rows) -> list[msgspec.Struct]:
    organisation = rows.insert(Organisation("org_1", AWKWARD, 5))
    team = rows.insert(Team("team_1", organisation.id, AWKWARD, 6))
    user = rows.insert(User("user_1", AWKWARD, "key", 7, AWKWARD, "scrypt$"))
    key = create_key("k", 8, team="t", models=("a", AWKWARD))[0]
    changed = msgspec.structs.replace(key, networks=("10.0.0.0/8",), routes=("chat",), is_hidden=True)
    return [
        organisation,
        team,
        user,
        rows.insert(Membership(user.id, organisation.id, "admin", 9, team.id)),
        rows.insert(Session("session_1", b"\0" * 32, user.id, organisation.id, 1, 2, 3, agent=AWKWARD)),
        rows.insert(Invitation("inv_1", b"\1" * 32, organisation.id, "viewer", 1, 2)),
        rows.insert(AuditEntry(1, "user", "user_1", AWKWARD, "v", "t", changes='{"a": "☃"}')),
        rows.insert(changed),
    ]


def test_every_kind_comes_back_as_it_was(store: Store) -> None:
    kept = store.transact(samples)
    assert {type(row) for row in kept} == set(TABLES)
    for row in kept:
        number = row.id  # type: ignore[attr-defined]
        assert number and store.look(lambda rows, row=row, id=number: rows.one(type(row), id=id)) == row


def test_a_row_is_changed_found_and_taken_out(store: Store) -> None:
    team = store.transact(lambda rows: rows.insert(Team("team_1", 1, "a", 5)))
    changed = store.transact(lambda rows: rows.update(team, name=AWKWARD, status="suspended"))
    assert (changed.name, changed.id) == (AWKWARD, team.id)
    assert store.look(lambda rows: rows.all(Team, name=AWKWARD)) == [changed]
    assert store.look(lambda rows: rows.all(Team, name=["x", AWKWARD], status="suspended")) == [changed]
    assert store.look(lambda rows: rows.all(Team, name=[])) == []
    assert store.look(lambda rows: rows.one(Team, name="a")) is None
    store.transact(lambda rows: rows.delete(changed))
    assert store.look(lambda rows: rows.all(Team)) == []


def test_pages_and_spans(store: Store) -> None:
    for number in range(1, 8):
        store.transact(lambda rows, at=number: rows.insert(AuditEntry(at, "user", "u", "n", "v", "t")))
    newest = store.look(lambda rows: rows.all(AuditEntry, limit=3, newest_first=True))
    assert [row.at_ms for row in newest] == [7, 6, 5]
    older = store.look(lambda rows: rows.all(AuditEntry, before_id=newest[-1].id, newest_first=True))
    assert [row.at_ms for row in older] == [4, 3, 2, 1]
    assert [row.at_ms for row in store.look(lambda rows: rows.all(AuditEntry, at_ms=Between(2, 4)))] == [2, 3]


def test_an_act_is_whole_or_nothing(store: Store) -> None:
    def half(rows: Rows) -> None:
        rows.insert(Team("team_1", 1, "a", 5))
        raise KeyError("in the middle")

    with pytest.raises(KeyError):
        store.transact(half)
    assert store.look(lambda rows: rows.all(Team)) == []
    store.transact(lambda rows: rows.insert(Team("team_1", 1, "a", 5)))
    with pytest.raises(StoreFault) as caught:
        store.transact(lambda rows: rows.insert(Team("team_2", 1, "a", 5)))
    assert caught.value.code == "record_refused"
    assert len(store.look(lambda rows: rows.all(Team))) == 1


@pytest.mark.parametrize("column", ["colour", "id; --", "1=1 OR id"])
def test_a_column_that_is_not_there_is_refused(store: Store, column: str) -> None:
    with pytest.raises(ValueError, match="has no"):
        store.look(lambda rows: rows.all(Team, **{column: 1}))


def test_callers_say_what_of_them_is_not_active(store: Store) -> None:
    organisation = store.transact(lambda rows: rows.insert(Organisation("org_2", "o", 1)))
    team = store.transact(lambda rows: rows.insert(Team("team_1", organisation.id, "t", 5)))
    key = create_key("k", 8)[0]
    kept = store.add_key(msgspec.structs.replace(key, team_id=team.id, organisation_id=organisation.id))

    def blocked() -> list[str]:
        return [caller.blocked for caller in store.live_callers(10)]

    assert blocked() == [""]
    store.transact(lambda rows: rows.update(team, status="suspended"))
    assert blocked() == ["team"]
    store.transact(lambda rows: rows.update(team, status="active"))
    store.transact(lambda rows: rows.update(organisation, status="deleted"))
    assert blocked() == ["organisation"]
    store.transact(lambda rows: rows.update(organisation, status="active"))
    store.transact(lambda rows: rows.update(kept, suspended_ms=9))
    assert blocked() == ["key"]
    store.revoke_key(kept.public_id, 9)
    assert blocked() == []
