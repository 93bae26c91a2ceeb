"""Records as transfers: the fast way for batches says the same as the plain one for each record."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.supervisor.samples import record

from wicket.accounts.posting import cost_parts, payer_of, post, record_transfers
from wicket.accounts.record import Attempt, Record
from wicket.accounts.split import Grant
from wicket.accounts.transfers import Balance, Transfer, add_to
from wicket.errors import StoreFault

ATTEMPTS = st.lists(
    st.builds(
        Attempt,
        st.sampled_from(["a/x", "b/y", "a/z"]),
        st.just(200),
        cost_nanos=st.integers(0, 20),
        price_row=st.sampled_from(["", "old"]),
    ),
    max_size=3,
)
RECORDS = st.lists(
    st.builds(
        lambda place, attempts, extra, charge, payer: record(
            (place + 1) << 21,
            attempts=attempts,
            cost_nanos=sum(attempt.cost_nanos for attempt in attempts) + extra,
            charge_nanos=charge,
            deployment="a/x",
            price_row="now",
            payer=payer,
        ),
        st.integers(0, 9),
        ATTEMPTS,
        st.sampled_from([0, 0, 7]),
        st.integers(0, 30),
        st.sampled_from(["", "credit:team:1", "credit:key:2", "receivable:team:1"]),
    ),
    unique_by=lambda made: made.id,
    max_size=8,
)


def test_each_attempt_is_owed_to_its_provider_at_its_own_price() -> None:
    tries = [Attempt("slow/m", 504, cost_nanos=3, price_row="slow/m@1"), Attempt("d/m", 200, cost_nanos=4)]
    made = record(1 << 21, attempts=tries, cost_nanos=7, charge_nanos=9, price_row="d/m@2", payer="")
    assert record_transfers(made, []) == [
        Transfer(1 << 21, 0, "cost", "cost", "provider:slow", 3, "slow/m@1"),
        Transfer(1 << 21, 1, "cost", "cost", "provider:d", 4, "d/m@2"),
        Transfer(1 << 21, 2, "charge", "receivable:operator", "revenue", 9),
    ]


def test_nothing_is_booked_for_nothing() -> None:
    assert record_transfers(record(1, cost_nanos=0, charge_nanos=0), []) == []
    done = post([record(1, cost_nanos=0, charge_nanos=0)], {})
    assert (done.costs, done.charges, done.sums()) == ([], [], [])


def test_a_cost_that_no_attempt_explains_is_owed_to_who_answered() -> None:
    assert cost_parts(record(1, cost_nanos=5, price_row="p")) == [("provider:d", 5, "p")]
    assert cost_parts(record(1, cost_nanos=5, deployment="")) == [("provider:unknown", 5, "")]


def test_without_a_payer_the_key_owes() -> None:
    assert payer_of(record(1, key_id=3)) == "receivable:key:3"
    assert payer_of(record(1, key_id=0)) == "receivable:operator"
    assert payer_of(record(1, key_id=3, payer="credit:team:1")) == "credit:team:1"


@pytest.mark.parametrize("changes", [{"cost_nanos": -1}, {"charge_nanos": -1}, {"cost_nanos": -9}])
def test_money_does_not_flow_backwards(changes: dict[str, int]) -> None:
    for work in (lambda r: record_transfers(r, []), lambda r: post([r], {})):
        with pytest.raises(StoreFault) as caught:
            work(record(1, **changes))
        assert caught.value.code == "record_refused"


@given(batch=RECORDS, left=st.lists(st.integers(0, 40), max_size=2))
def test_a_batch_is_its_records_one_after_the_other(batch: list[Record], left: list[int]) -> None:
    grants = [Grant(n + 1, "team:1", nanos, n * (5 << 20)) for n, nanos in enumerate(left)]
    plain: list[Transfer] = []
    now = list(grants)
    for each in batch:
        made = record_transfers(each, now if each.payer == "credit:team:1" else [])
        plain += made
        paid = {transfer.debit: transfer.amount_nanos for transfer in made}
        now = [msgspec.structs.replace(g, left_nanos=g.left_nanos - paid.get(g.account, 0)) for g in now]
    done = post(batch, {"team:1": grants} if grants else {})
    costs = [(t.entry_id, t.place, t.credit, t.amount_nanos, t.price_row) for t in plain if t.kind == "cost"]
    assert done.costs == costs
    assert done.charges == [
        (t.entry_id, t.place, t.debit, t.amount_nanos) for t in plain if t.kind == "charge"
    ]
    sums: dict[str, Balance] = {}
    add_to(sums, plain)
    assert {name: Balance(*sum) for name, *sum in done.sums()} == sums
    assert all(done.left.get(g.number, g.left_nanos) == g.left_nanos for g in now)
