"""Rate limits as providers spell them: recorded headers, their documentation's forms, and rubbish."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wicket.routing.rate_limits import MAX_RESET_US, has_limits, parse_reset, read_limits

RECORDED = json.loads((Path(__file__).parents[2] / "data/rate_limits/headers.json").read_text())["recordings"]
DATE = b"Fri, 27 Nov 2026 12:00:00 GMT"


def raw(headers: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in headers.items()}


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: each["source"].split("/")[0])
def test_recorded_headers(recorded: dict[str, Any]) -> None:
    headers = raw(recorded["headers"])
    assert has_limits(headers)
    found = {limit.kind: limit for limit in read_limits(headers)}
    assert found.keys() == recorded["limits"].keys()
    for kind, (share, reset_us) in recorded["limits"].items():
        assert found[kind].share == pytest.approx(share) and found[kind].reset_us == reset_us


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (  # https://docs.anthropic.com/en/api/rate-limits
            {
                "date": "Fri, 27 Nov 2026 12:00:00 GMT",
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "10",
                "anthropic-ratelimit-requests-reset": "2026-11-27T12:00:30Z",
                "anthropic-ratelimit-input-tokens-limit": "1000",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2026-11-27T13:00:00+01:00",
            },
            {"requests": (0.2, 30_000_000), "input-tokens": (0.0, 0)},
        ),
        (  # Cerebras: seconds (https://inference-docs.cerebras.ai/support/rate-limits)
            {
                "x-ratelimit-limit-tokens-minute": "60000",
                "x-ratelimit-remaining-tokens-minute": "15000",
                "x-ratelimit-reset-tokens-minute": "11.5",
            },
            {"tokens-minute": (0.25, 11_500_000)},
        ),
        (  # Mistral says no reset
            {"x-ratelimit-limit-req-minute": "720", "x-ratelimit-remaining-req-minute": "72"},
            {"req-minute": (0.1, 60_000_000)},
        ),
        (  # OpenRouter: Unix milliseconds, no kind
            {
                "date": "Fri, 27 Nov 2026 12:00:00 GMT",
                "x-ratelimit-limit": "20",
                "x-ratelimit-remaining": "5",
                "x-ratelimit-reset": "1795780805000",
            },
            {"": (0.25, 5_000_000)},
        ),
    ],
)
def test_other_spellings(headers: dict[str, str], expected: dict[str, tuple[float, int]]) -> None:
    assert has_limits(raw(headers))
    assert {limit.kind: (limit.share, limit.reset_us) for limit in read_limits(raw(headers))} == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"6m0s", 360_000_000), (b"1h2m3s", 3_723_000_000), (b"6ms", 6_000), (b"1.5s", 1_500_000),
        (b"7.66", 7_660_000), (b"0", 0), (b"100h100h", MAX_RESET_US), (b"1795780810", 10_000_000),
        (b"2026-11-27T12:00:01Z", 1_000_000), (b"2020-01-01T00:00:00Z", 0), (b"2026-11-27T12:00:01", None),
        (b"-1", None), (b"nan", None), (b"inf", None), (b"", None), (b"soon", None), (b"5x", None),
    ],
)  # fmt: skip
def test_resets(value: bytes, expected: int | None) -> None:
    assert parse_reset(value, DATE) == expected


def test_a_point_in_time_needs_the_answers_own_date() -> None:
    assert parse_reset(b"2026-11-27T12:00:01Z", None) is None and parse_reset(b"1795780810", b"?") is None


_PIECES = ["x-ratelimit-", "anthropic-ratelimit-", "limit", "remaining", "reset", "-requests", "-", "date"]
_NAMES = st.lists(st.sampled_from(_PIECES), max_size=4).map("".join) | st.text(max_size=20)
_VALUES = st.binary(max_size=30) | st.from_regex(rb"[0-9.:TZhms+-]{1,20}", fullmatch=True)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(_NAMES.map(lambda name: name.encode()), _VALUES, max_size=12))
def test_rubbish_is_harmless(headers: dict[bytes, bytes]) -> None:
    has_limits(headers)
    for limit in read_limits(headers):
        assert 0.0 <= limit.share <= 1.0 and 0 <= limit.reset_us <= MAX_RESET_US
