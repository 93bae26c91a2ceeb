from __future__ import annotations

import pytest

from wicket.errors import CallerFault
from wicket.server.admin_query import MAX_LIFETIME_S, LogFilter, NewKey, log_filter, moment_ms, usage_query

NOW_MS = 1_800_000_000_000  # 2027-01-15T08:00:00Z


@pytest.mark.parametrize(
    ("text", "unix_ms"),
    [
        ("90s", NOW_MS - 90_000),
        ("15m", NOW_MS - 900_000),
        ("1h", NOW_MS - 3_600_000),
        ("7d", NOW_MS - 604_800_000),
        ("2w", NOW_MS - 1_209_600_000),
        ("999999999w", 0),
        ("1700000000", 1_700_000_000_000),
        ("2027-01-15T08:00:00Z", NOW_MS),
        ("2027-01-15T08:00:00", NOW_MS),
        ("2027-01-15T09:00:00+01:00", NOW_MS),
        ("2027-01-15", NOW_MS - 8 * 3_600_000),
        ("1960-01-01", 0),
    ],
)
def test_a_moment_is_an_age_a_time_or_seconds(text: str, unix_ms: int) -> None:
    assert moment_ms(text, "since", NOW_MS) == unix_ms


@pytest.mark.parametrize("text", ["", "h", "1y", "-1h", "1.5h", "yesterday", "٣h", "1" * 40, "2027-13-01"])
def test_anything_else_is_refused_naming_the_field(text: str) -> None:
    with pytest.raises(CallerFault) as caught:
        moment_ms(text, "since", NOW_MS)
    assert caught.value.param == "since"


def ends(**given: object) -> int:
    return int(NewKey("a", **given).arguments(NOW_MS)["expires_ms"])


def test_a_key_ends_at_the_earlier_of_its_ends() -> None:
    assert ends() == 0
    assert ends(expires_in_s=60) == NOW_MS + 60_000
    assert ends(expires_at=1_800_000_030) == NOW_MS + 30_000
    assert ends(expires_at=1_800_000_030, expires_in_s=60) == NOW_MS + 30_000
    assert ends(expires_at="9999-12-31") == NOW_MS + MAX_LIFETIME_S * 1000
    with pytest.raises(CallerFault) as caught:
        ends(expires_at="2001-01-01")
    assert (caught.value.status, caught.value.param) == (409, "expires_at")


def test_queries_have_defaults() -> None:
    assert log_filter({}, NOW_MS) == LogFilter(limit=100)
    assert log_filter({"follow": "1", "limit": "5"}, NOW_MS) == LogFilter(limit=5, is_following=True)
    assert usage_query({"by": "model, day,model"}, NOW_MS).by == ("model", "day")
