"""Records of what is over later than its request: begun, ended, and what each end costs."""

from __future__ import annotations

import msgspec
import pytest

from wicket.accounts.late import UNDER_WAY, Outcome, begun, ended
from wicket.accounts.price import Price
from wicket.accounts.record import NO_USAGE, Attempt, OtherUsage, Record, Usage

PRICE = Price("own/m@1", input_pico=1_000_000, output_pico=10_000_000)
RECORD = Record(
    id=7, started_ms=1_000, key_id=3, api="responses", model="m", deployment="own/m", served_model="m-1",
    status=200, outcome="ok", is_stream=False, usage=Usage(9, 9), cost_nanos=5, charge_nanos=6,
    first_token_us=-1, total_us=8, attempts=[Attempt("other/m", 500, "server_error", cost_nanos=4),
    Attempt("own/m", 200, cost_nanos=5, usage=Usage(9, 9))], price_row="own/m@1",
)  # fmt: skip


def test_what_is_begun_has_used_nothing() -> None:
    found = begun(RECORD)
    assert (found.outcome, found.usage, found.cost_nanos, found.charge_nanos) == (UNDER_WAY, NO_USAGE, 0, 0)
    assert all((one.cost_nanos, one.usage) == (0, NO_USAGE) for one in found.attempts)
    assert RECORD.cost_nanos == 5 and RECORD.attempts[1].cost_nanos == 5


@pytest.mark.parametrize(
    ("price", "markup", "end", "cost", "charge"),
    [
        (PRICE, 0, Outcome("ok", True, "m-2", Usage(2, 6)), 62_000, 62_000),
        (PRICE, 500_000, Outcome("ok", True, "m-2", Usage(2, 6)), 62_000, 93_000),
        (PRICE, -1_000_000, Outcome("ok", True, "m-2", Usage(2, 6)), 62_000, 0),  # with the caller's own key
        (PRICE, 0, Outcome("provider_error", False, "", Usage(2, 6)), 62_000, 0),
        (PRICE, 0, Outcome("cancelled", True), 0, 0),
        (msgspec.structs.replace(PRICE, request_nanos=9), 0, Outcome("answer_gone"), 0, 0),
        (None, 0, Outcome("ok", True, "", Usage(2, 6)), 0, 0),
        (PRICE, 0, Outcome("ok", True, "", Usage(2, 6), cost_nanos=31_000), 31_000, 31_000),
    ],
)
def test_each_end(price: Price | None, markup: int, end: Outcome, cost: int, charge: int) -> None:
    found = ended(begun(RECORD), price, markup, end, 4_000)
    assert (found.id, found.outcome, found.total_us) == (7, end.outcome, 3_000_000)
    assert (found.cost_nanos, found.charge_nanos) == (cost, charge)
    assert found.attempts[-1].cost_nanos == cost and found.attempts[0].cost_nanos == 0
    assert found.attempts[-1].reason == ("" if end.is_paid else end.outcome)
    assert found.served_model == (end.model or "m-1") and found.usage == (end.usage or NO_USAGE)


def test_what_has_no_price_is_named() -> None:
    end = Outcome("ok", True, "", Usage(2, 6, other=OtherUsage(searches=1)))
    other = ended(begun(RECORD), PRICE, 0, end, 4_000).usage.other
    assert other is not None and other.unpriced == ("searches",)


def test_a_clock_that_runs_back_makes_no_time_negative() -> None:
    assert ended(begun(RECORD), PRICE, 0, Outcome("ok", True), 0).total_us == 0
