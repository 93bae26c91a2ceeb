from decimal import Decimal

import pytest

from wicket.providers.sources.claim import amount, count, day, is_name, is_request_name, kind_by_name, month


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (2.5e-06, 10**12, 2_500_000),
        (1e-07, 10**12, 100_000),
        (0.30000000000000004, 10, 3),
        ("2.50", 10**6, 2_500_000),
        (Decimal("0.0000005"), 10**6, 0),  # half to even
        (3, 10**6, 3_000_000),
        (0, 10**6, 0),
    ],
)
def test_amounts_are_exact_whole_numbers(value: object, unit: int, expected: int) -> None:
    assert amount(value, unit) == expected


@pytest.mark.parametrize("value", [None, True, "dear", [], {}, -1, float("nan"), float("inf"), 10**20])
def test_what_is_no_amount_is_not_known(value: object) -> None:
    assert amount(value, 10**6) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (128000, 128000),
        ("8192", 8192),
        (8192.0, 8192),
        (0, None),
        (-1, None),
        ("many", None),
        (None, None),
        (float("inf"), None),
    ],
)
def test_counts(value: object, expected: int | None) -> None:
    assert count(value) == expected


@pytest.mark.parametrize("name", ["gpt-4o", "@cf/meta/llama-3", "some model", "a"])
def test_names_that_a_header_can_hold(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", " gpt", "gpt ", "gpt\n", "gpt-é", "x" * 201, None, 4])
def test_names_that_no_header_can_hold(name: object) -> None:
    assert not is_name(name)


def test_realtime_models_are_no_models_of_a_request() -> None:
    assert not is_request_name("gpt-4o-realtime-preview") and not is_request_name("ft:gpt-4o")
    assert is_request_name("gpt-4o")


def test_dates() -> None:
    assert (day("2026-11-27"), day("2026-13-01"), day("2026-11"), day(None)) == (
        "2026-11-27",
        None,
        None,
        None,
    )
    assert (month("2023-09"), month("2023"), month("2023-09-30"), month("Sep 2023")) == (
        "2023-09", "2023", "2023-09-30", None,
    )  # fmt: skip


def test_kinds_by_name() -> None:
    assert kind_by_name("text-embedding-3-small") == "embedding"
    assert kind_by_name("rerank-v3.5") == "rerank"
    assert kind_by_name("gpt-4o") == "chat"
