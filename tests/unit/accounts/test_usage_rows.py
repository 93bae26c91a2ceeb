from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.request_ids import RequestIds
from wicket.accounts.usage_rows import DAY_MS, UsageRow, first_id, iso_day, record_ms, span, usage_report


@given(st.integers(0, (1 << 42) - 1), st.integers(0, 127))
def test_an_id_tells_its_time(ms: int, worker: int) -> None:
    number = RequestIds(worker).next(ms)
    assert record_ms(number) == ms
    assert first_id(ms) <= number < first_id(ms + 1) or ms == (1 << 42) - 1


TIMES = st.integers(0, 6 * DAY_MS) | st.integers(0, 6).map(lambda days: days * DAY_MS)


@given(TIMES, TIMES, TIMES)
def test_a_span_covers_each_of_its_moments_once(since: int, until: int, moment: int) -> None:
    over, number = span(since, until), first_id(moment)
    covered = [
        over.days[0] <= moment // DAY_MS < over.days[1],
        over.head[0] <= number < over.head[1],
        over.tail[0] <= number < over.tail[1],
    ]
    assert sum(covered) == (since <= moment and (not until or moment < until))


@given(st.dates(min_value=datetime.date(1970, 1, 1)))
def test_days_are_iso_dates(day: datetime.date) -> None:
    assert iso_day((day - datetime.date(1970, 1, 1)).days) == day.isoformat()


def test_the_report_has_totals_and_rows() -> None:
    rows = [
        UsageRow(key="key_a", key_name="ada", requests=2, input_tokens=7, cost_nanos=1_500_000_000),
        UsageRow(key="key_b", key_name="bob", requests=1, output_tokens=3, charge_nanos=1),
    ]
    report = usage_report(rows, ("key",))
    assert (report["requests"], report["input_tokens"], report["output_tokens"]) == (3, 7, 3)
    assert (report["cost_usd"], report["charge_usd"]) == ("1.5", "0.000000001")
    assert [row["key"] for row in report["rows"]] == ["key_a", "key_b"]
    assert report["rows"][1]["key_name"] == "bob"
    assert "model" not in report["rows"][0]
    assert usage_report([], ())["requests"] == 0
