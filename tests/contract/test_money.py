"""The ledger: the same cases on every store, and both held against each other and the invariants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from wicket.accounts.movements import Moved, Order
from wicket.accounts.record import Attempt, Record, Usage
from wicket.accounts.transfers import Balance, Transfer
from wicket.errors import CallerFault, Fault, StoreFault
from wicket.store.contract import Store
from wicket.store.ledger_contract import Notice, TransferFilter
from wicket.store.memory import MemoryStore
from wicket.store.sqlite import SqliteStore

NOW = 1_750_000_000_000
RED = "credit:team:1"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "a.db")
    made.ensure_team("red", NOW)
    yield made
    assert made.ledger.verify() == []
    made.close()


def record(number: int, cost: int = 0, charge: int = 0, **changes: object) -> Record:
    plain = Record(
        id=(NOW << 21) + number,
        started_ms=NOW,
        key_id=1,
        api="chat.completions",
        model="small",
        deployment="mine/small",
        served_model="small",
        status=200,
        outcome="ok",
        is_stream=False,
        usage=Usage(1, 1),
        cost_nanos=cost,
        charge_nanos=charge,
        first_token_us=-1,
        total_us=9,
        attempts=[Attempt("mine/small", 200, cost_nanos=cost)] if cost else [],
        price_row="mine/small@1",
        payer=RED,
    )
    return msgspec.structs.replace(plain, **changes)


def top_up(nanos: int, key: str, scope: str = "team:1") -> Order:
    asked = f"top_up {scope} {nanos}"
    return Order(kind="top_up", scope=scope, amount_nanos=nanos, idempotency_key=key, asked=asked)


def grant(nanos: int, key: str, expires_ms: int = 0, scope: str = "team:1") -> Order:
    return Order(
        kind="grant",
        scope=scope,
        amount_nanos=nanos,
        expires_ms=expires_ms,
        idempotency_key=key,
        asked=f"grant {scope} {nanos} {expires_ms}",
    )


def refund(key: str, nanos: int = 0, *, of_id: int = 0, record_id: int = 0) -> Order:
    return Order(
        kind="refund",
        amount_nanos=nanos,
        of_id=of_id,
        record_id=record_id,
        idempotency_key=key,
        asked=f"refund {of_id} {record_id} {nanos}",
    )


def code_of(work: Callable[[], object]) -> tuple[str, int]:
    with pytest.raises(Fault) as caught:
        work()
    return caught.value.code, caught.value.status


def left(store: Store, scope: str = "team:1") -> int:
    return store.ledger.balances([scope]).of[scope]


def nanos_of(store: Store, account: str) -> int:
    return store.ledger.accounts().get(account, Balance()).nanos


def test_a_request_moves_its_cost_and_its_charge(store: Store) -> None:
    ledger = store.ledger
    ledger.move(top_up(1_000, "k"), NOW)
    store.insert_records([record(1, cost=70, charge=100)])
    assert left(store) == 900
    assert {name: b.nanos for name, b in ledger.accounts().items()} == {
        "cash": -1_000,
        "cost": -70,
        "provider:mine": 70,
        RED: 900,
        "revenue": 100,
    }
    assert ledger.transfers(TransferFilter(record_id=record(1).id)) == [
        Transfer(record(1).id, 1, "charge", RED, "revenue", 100),
        Transfer(record(1).id, 0, "cost", "cost", "provider:mine", 70, "mine/small@1"),
    ]


def test_a_record_that_comes_twice_is_charged_once(store: Store) -> None:
    store.ledger.move(top_up(1_000, "k"), NOW)
    store.insert_records([record(1, charge=100)])
    store.insert_records([record(1, charge=100), record(2, charge=30), record(2, charge=30)])
    assert left(store) == 870
    store.insert_records([record(1, charge=7)])  # the first to come counts
    assert left(store) == 870 and nanos_of(store, "revenue") == 130


def test_grants_pay_first_and_the_prepaid_credit_may_be_overdrawn(store: Store) -> None:
    ledger = store.ledger
    ledger.move(top_up(50, "a"), NOW)
    ledger.move(grant(30, "b"), NOW)
    ledger.move(grant(20, "c", NOW + 5_000), NOW)
    assert left(store) == 100
    store.insert_records([record(1, charge=25), record(2, charge=15), record(3, charge=75)])
    charges = [
        (t.entry_id & 3, t.debit, t.amount_nanos) for t in ledger.transfers(TransferFilter(kind="charge"))
    ]
    assert charges[::-1] == [
        *((1, "grant:2", 20), (1, "grant:1", 5)),
        (2, "grant:1", 15),
        *((3, "grant:1", 10), (3, RED, 65)),
    ]
    assert left(store) == -15
    [credit] = ledger.credits()
    assert (credit.prepaid_nanos, credit.grants) == (-15, ())


def test_an_idempotency_key_stands_for_one_order(store: Store) -> None:
    ledger = store.ledger
    first = ledger.move(top_up(100, "k"), NOW)
    again = ledger.move(top_up(100, "k"), NOW + 999)
    assert first.is_new and again == Moved(first.movement, is_new=False)
    for other in (top_up(101, "k"), top_up(100, "k", "team:2"), grant(100, "k"), refund("k", of_id=1)):
        assert code_of(lambda other=other: ledger.move(other, NOW)) == ("idempotency_conflict", 409)
    assert left(store) == 100 and len(ledger.movements()) == 1
    assert ledger.known("k") == first.movement and ledger.known("other") is None
    assert list(ledger.balances().of) == ["team:1"]


def test_a_top_up_is_refunded_up_to_what_is_left_of_it_and_of_the_credit(store: Store) -> None:
    ledger = store.ledger
    first = ledger.move(top_up(100, "a"), NOW).movement
    ledger.move(top_up(50, "b"), NOW)
    ledger.move(grant(500, "c", NOW + 1), NOW)
    assert ledger.move(refund("r1", 40, of_id=first.id), NOW).is_new
    assert not ledger.move(refund("r1", 40, of_id=first.id), NOW).is_new
    assert code_of(lambda: ledger.move(refund("r2", 61, of_id=first.id), NOW)) == ("not_enough_credit", 409)
    store.insert_records([record(1, charge=570)])
    assert nanos_of(store, RED) == 40
    assert code_of(lambda: ledger.move(refund("r3", 41, of_id=first.id), NOW)) == ("not_enough_credit", 409)
    assert ledger.move(refund("r4", of_id=first.id), NOW).movement.amount_nanos == 40
    assert nanos_of(store, RED) == 0 and nanos_of(store, "cash") == -70
    assert code_of(lambda: ledger.move(refund("r5", of_id=first.id), NOW)) == ("not_enough_credit", 409)
    assert code_of(lambda: ledger.move(refund("r6", of_id=12), NOW)) == ("unknown_movement", 404)
    grants = [m for m in ledger.movements() if m.kind == "grant"]
    assert code_of(lambda: ledger.move(refund("r7", of_id=grants[0].id), NOW)) == ("unknown_movement", 404)


def test_a_requests_charge_goes_back_to_who_paid_it(store: Store) -> None:
    ledger = store.ledger
    ledger.move(top_up(50, "a"), NOW)
    ledger.move(grant(30, "b", NOW + 10), NOW)
    ledger.move(grant(20, "c", NOW + 20_000), NOW)
    paid = record(1, charge=80)
    store.insert_records([paid])
    assert (nanos_of(store, RED), nanos_of(store, "grant:1"), nanos_of(store, "grant:2")) == (20, 0, 0)
    assert ledger.move(refund("r1", 35, record_id=paid.id), NOW + 100).movement.scope == "team:1"
    assert (nanos_of(store, RED), nanos_of(store, "grant:2")) == (50, 5)
    assert left(store) == 55  # what was granted can be spent again
    assert code_of(lambda: ledger.move(refund("r2", 46, record_id=paid.id), NOW)) == (
        "more_than_charged",
        409,
    )
    ledger.move(refund("r3", record_id=paid.id), NOW + 100)
    assert (nanos_of(store, RED), nanos_of(store, "grant:1"), nanos_of(store, "grant:2")) == (50, 0, 20)
    assert left(store) == 70 and nanos_of(store, "revenue") == 0  # the first grant's part had expired
    assert code_of(lambda: ledger.move(refund("r4", record_id=paid.id), NOW)) == ("more_than_charged", 409)
    assert code_of(lambda: ledger.move(refund("r5", record_id=9), NOW)) == ("unknown_charge", 404)
    kinds = [t.kind for t in ledger.transfers(TransferFilter(record_id=paid.id))]
    assert sorted(kinds) == ["charge"] * 3 + ["correction"] * 4 + ["expiry"]


def test_a_receivable_is_corrected_too(store: Store) -> None:
    owed = record(1, charge=80, payer="")
    store.insert_records([owed])
    moved = store.ledger.move(refund("r", 30, record_id=owed.id), NOW).movement
    assert (moved.scope, nanos_of(store, "receivable:key:1"), nanos_of(store, "revenue")) == (
        "key:1",
        -50,
        50,
    )


def test_a_grant_ends_with_what_is_left_of_it(store: Store) -> None:
    ledger = store.ledger
    ledger.move(grant(30, "a", NOW + 10), NOW)
    ledger.move(grant(30, "b", NOW + 10), NOW)
    ledger.move(grant(5, "c"), NOW)
    store.insert_records([record(1, charge=40)])
    assert ledger.expire(NOW + 9) == []
    [ended] = ledger.expire(NOW + 10)
    assert (ended.kind, ended.grant_number, ended.amount_nanos) == ("expiry", 2, 20)
    assert ledger.expire(NOW + 11) == []
    assert left(store) == 5 and nanos_of(store, "promotions") == -45
    late = msgspec.structs.replace(record(2, charge=9), id=(NOW + 50) << 21)
    store.insert_records([late])
    assert left(store) == -4


def test_a_grant_does_not_pay_for_what_began_after_its_end(store: Store) -> None:
    store.ledger.move(grant(30, "a", NOW), NOW - 1)
    store.insert_records([record(1, charge=10)])
    assert nanos_of(store, RED) == -10 and nanos_of(store, "grant:1") == 30


def test_transfers_are_found_and_paged(store: Store) -> None:
    ledger = store.ledger
    ledger.move(top_up(50, "a", "team:2"), NOW - 5)
    ledger.move(grant(7, "b"), NOW)
    store.insert_records([record(n, cost=1, charge=5) for n in range(4)])
    store.insert_records([record(9, charge=2, payer="receivable:team:1"), record(10, charge=1, payer="")])

    def found(**wanted: object) -> list[tuple[str, str, int]]:
        rows = ledger.transfers(TransferFilter(**wanted))  # type: ignore[arg-type]
        return [(t.kind, t.debit, t.amount_nanos) for t in rows]

    assert found(scopes=("team:2",)) == [("top_up", "cash", 50)]
    assert len(found(scopes=("team:1",))) == 7
    assert found(scopes=("key:1",)) == [("charge", "receivable:key:1", 1)]
    assert len(found(scopes=("team:1", "team:2"))) == 8 and found(scopes=()) == []
    assert found(account="provider:mine") == [("cost", "cost", 1)] * 4
    assert found(kind="grant") == [("grant", "promotions", 7)]
    assert found(until_ms=NOW) == [("top_up", "cash", 50)] and len(found(since_ms=NOW)) == 12
    assert found(scopes=("'; DROP TABLE transfers; --",)) == []
    assert {*ledger.accounts(("team:1",))} == {"credit:team:1", "grant:1", "receivable:team:1"}
    assert {*ledger.accounts(("team:2", "key:1"))} == {"credit:team:2", "receivable:key:1"}
    assert ledger.accounts(()) == {} and ledger.accounts(('"]', "x")) == {}
    everything = ledger.transfers(TransferFilter())
    pages: list[Transfer] = []
    while page := ledger.transfers(
        TransferFilter(limit=2, before=(pages[-1].entry_id, pages[-1].place) if pages else None)
    ):
        pages += page
    assert pages == everything and len(everything) == 13


def test_a_later_balance_has_a_later_serial(store: Store) -> None:
    first = store.ledger.balances()
    store.ledger.move(top_up(1, "a"), NOW)
    second = store.ledger.balances(["team:1", "team:9"])
    assert (first.of, second.of) == ({}, {"team:1": 1}) and second.serial > first.serial


def test_scopes_have_names(store: Store) -> None:
    ledger = store.ledger
    assert ledger.scope_named("team", "red") == "team:1"
    assert ledger.scope_named("organisation", "default") == "organisation:1"
    assert ledger.scope_named("key", "red") == "" == ledger.scope_named("team", "' OR 1=1 --")
    assert ledger.scope_names()["team:1"] == "red"


def test_amounts_that_fit_no_column_are_refused_whole(store: Store) -> None:
    store.insert_records([record(1, cost=(1 << 63) - 1)])
    with pytest.raises(StoreFault) as caught:
        store.insert_records([record(2, cost=1), record(3, charge=5)])
    assert caught.value.code == "record_refused"
    assert nanos_of(store, "revenue") == 0 and store.record(record(3).id) is None
    with pytest.raises(StoreFault):
        store.insert_records([record(4, charge=-1)])


def test_messages_wait_until_they_end(store: Store) -> None:
    ledger = store.ledger
    ledger.move(top_up(5, "a"), NOW)
    first, second = Notice("one", NOW, "{}", next_ms=NOW), Notice("two", NOW, "[]", next_ms=NOW + 9)
    ledger.set_low("team:1", True, first)
    assert ledger.credits(["team:1", "team:9"])[0].is_low
    assert ledger.add_notice(second) and not ledger.add_notice(second)
    assert ledger.due_notices(NOW) == [first]
    ledger.notice_tried("one", NOW + 50)
    assert [n.event_id for n in ledger.due_notices(NOW + 9)] == ["two"]
    assert [n.tries for n in ledger.due_notices(NOW + 50)] == [1, 0]
    ledger.notice_tried("one", NOW + 60, NOW + 60, "delivered")
    assert ledger.due_notices(NOW + 99) == [second]
    assert ledger.forget_notices(NOW + 60) == 0 and ledger.forget_notices(NOW + 61) == 1
    assert ledger.set_below("team:1", 3) and not ledger.set_below("team:9", 3)
    [credit] = ledger.credits(["team:1"])
    assert (credit.below_nanos, credit.is_low) == (3, False)


SCOPES = ("team:1", "team:2")
PAYERS = ("credit:team:1", "credit:team:2", "receivable:team:1", "")
KEYS = st.integers(0, 12).map(str)


class Money(RuleBasedStateMachine):
    """Any order of requests, resends, crashes, top-ups, grants, refunds, price changes and clock jumps.

    The SQLite ledger does what the plain one does, both add up, and what was written stays as it was.
    """

    folder: Path
    number = 0

    def __init__(self) -> None:
        super().__init__()
        Money.number += 1
        self.memory = MemoryStore()
        self.sqlite = SqliteStore(self.folder / f"{Money.number}.db")
        self.now = NOW
        self.price = 1
        self.sent: list[Record] = []
        self.written: list[Transfer] = []

    def teardown(self) -> None:
        self.sqlite.close()

    def both(self, work: Callable[[Store], object]) -> object:
        answers: list[object] = []
        for each in (self.memory, self.sqlite):
            try:
                answers.append(work(each))
            except CallerFault as fault:
                answers.append((fault.code, fault.status, fault.param, fault.message))
        assert answers[0] == answers[1]
        return answers[0]

    @rule(
        requests=st.lists(
            st.tuples(st.integers(0, 15), st.integers(0, 9), st.integers(0, 30), st.sampled_from(PAYERS)),
            max_size=5,
        )
    )
    def finish(self, requests: list[tuple[int, int, int, str]]) -> None:
        batch = [
            msgspec.structs.replace(
                record(0, tokens * self.price, charge, payer=payer, price_row=f"mine/small@{self.price}"),
                id=(self.now << 21) + number,
            )
            for number, tokens, charge, payer in requests
        ]
        self.sent += batch
        self.both(lambda store: store.insert_records(batch))

    @rule(share=st.integers(1, 3))
    def resend(self, share: int) -> None:
        self.both(lambda store: store.insert_records(self.sent[::share]))

    @rule(nanos=st.integers(1, 60), key=KEYS, scope=st.sampled_from(SCOPES))
    def top_up(self, nanos: int, key: str, scope: str) -> None:
        self.both(lambda store: store.ledger.move(top_up(nanos, key, scope), self.now))

    @rule(nanos=st.integers(1, 60), key=KEYS, scope=st.sampled_from(SCOPES), life=st.integers(0, 3))
    def grant(self, nanos: int, key: str, scope: str, life: int) -> None:
        expires_ms = self.now + life * 10 if life else 0
        self.both(lambda store: store.ledger.move(grant(nanos, key, expires_ms, scope), self.now))

    @rule(nanos=st.integers(0, 40), key=KEYS, place=st.integers(0, 5))
    def refund_top_up(self, nanos: int, key: str, place: int) -> None:
        movements = self.memory.ledger.movements()
        of_id = movements[place % len(movements)].id if movements else 1
        self.both(lambda store: store.ledger.move(refund(key, nanos, of_id=of_id), self.now))

    @rule(nanos=st.integers(0, 30), key=KEYS, place=st.integers(0, 30))
    def refund_request(self, nanos: int, key: str, place: int) -> None:
        record_id = self.sent[place % len(self.sent)].id if self.sent else 1
        self.both(lambda store: store.ledger.move(refund(key, nanos, record_id=record_id), self.now))

    @rule()
    def expire(self) -> None:
        self.both(lambda store: store.ledger.expire(self.now))

    @rule(jump=st.sampled_from([-40, -7, 1, 5, 25]))
    def clock(self, jump: int) -> None:
        self.now += jump

    @rule(price=st.integers(1, 4))
    def price_change(self, price: int) -> None:
        self.price = price

    @rule()
    def crash(self) -> None:
        path = self.sqlite.path
        self.sqlite.close()
        self.sqlite = SqliteStore(path)

    @rule(back=st.integers(0, 50))
    def prune(self, back: int) -> None:
        self.both(lambda store: store.prune(self.now - back))

    @rule(
        wanted=st.builds(
            TransferFilter,
            scopes=st.sampled_from([None, (), (SCOPES[0],), tuple(SCOPES)]),
            kind=st.sampled_from(["", "charge", "expiry"]),
            limit=st.integers(0, 6),
            since_ms=st.sampled_from([0, NOW, NOW + 5]),
        )
    )
    def look(self, wanted: TransferFilter) -> None:
        self.both(lambda store: store.ledger.transfers(wanted))

    @invariant()
    def it_adds_up(self) -> None:
        accounts = self.both(lambda store: store.ledger.accounts())
        assert isinstance(accounts, dict)
        assert sum(balance.nanos for balance in accounts.values()) == 0
        assert all(b.nanos >= 0 for name, b in accounts.items() if name.startswith("grant:"))
        assert self.both(lambda store: store.ledger.verify()) == []
        self.both(lambda store: store.ledger.credits())
        self.both(lambda store: store.ledger.movements())
        self.both(lambda store: store.ledger.balances().of)

    @invariant()
    def what_was_written_stays(self) -> None:
        now = self.sqlite.ledger.transfers(TransferFilter(limit=10_000))
        assert set(map(_row, self.written)) <= set(map(_row, now))
        self.written = now


def _row(transfer: Transfer) -> tuple[object, ...]:
    return msgspec.structs.astuple(transfer)


def test_any_history_adds_up_on_both(tmp_path: Path) -> None:
    Money.folder = tmp_path
    run_state_machine_as_test(
        Money, settings=settings(max_examples=40, stateful_step_count=20, deadline=None, database=None)
    )
