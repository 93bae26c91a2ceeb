from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.cost import (
    MAX_NANOS,
    bound_cost_nanos,
    bound_input_tokens,
    charge_nanos,
    cost_nanos,
    format_usd,
    parse_usd,
    price_pico,
)
from wicket.accounts.price import FREE, Price
from wicket.accounts.record import NO_USAGE, Usage
from wicket.errors import CallerFault, UpstreamBroken

RATES = st.integers(0, 1 << 34)
PRICES = st.builds(
    Price, st.just("p/m@1"), RATES, RATES, st.none() | RATES, st.none() | RATES, st.integers(0, 1 << 40)
)
COUNTS = st.integers(0, 1 << 24)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    cached, written, plain = draw(COUNTS), draw(COUNTS), draw(COUNTS)
    return Usage(cached + written + plain, draw(COUNTS), cached, written)


@given(PRICES, usages())
def test_the_cost_is_the_exact_sum_rounded_once(price: Price, usage: Usage) -> None:
    cached = price.input_pico if price.cached_pico is None else price.cached_pico
    written = price.input_pico if price.cache_write_pico is None else price.cache_write_pico
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    exact = (
        Fraction(plain * price.input_pico, 1000)
        + Fraction(usage.cached_tokens * cached, 1000)
        + Fraction(usage.cache_write_tokens * written, 1000)
        + Fraction(usage.output_tokens * price.output_pico, 1000)
    )
    # Fraction's own round() is half to even: the second answer
    assert cost_nanos(price, usage) == round(exact) + price.request_nanos


@given(st.integers(0, 1 << 60), st.integers(-1_000_000, 1_000_000))
def test_the_charge_is_the_exact_markup_rounded_once(cost: int, markup_ppm: int) -> None:
    assert charge_nanos(cost, markup_ppm) == round(cost * (1 + Fraction(markup_ppm, 1_000_000)))


@given(st.integers(0, MAX_NANOS))
def test_without_markup_the_charge_is_the_cost(cost: int) -> None:
    assert charge_nanos(cost) == cost


@given(PRICES, usages())
def test_the_bound_is_never_below_the_cost(price: Price, usage: Usage) -> None:
    assert bound_cost_nanos(price, usage.input_tokens, usage.output_tokens) >= cost_nanos(price, usage)


@pytest.mark.parametrize(
    ("pico", "nanos"), [(499, 0), (500, 0), (501, 1), (1_500, 2), (2_500, 2), (2_501, 3)]
)
def test_ties_go_to_the_even_nano(pico: int, nanos: int) -> None:
    assert cost_nanos(Price("p", pico, 0), Usage(1)) == nanos


def test_cached_tokens_are_billed_once_also_when_the_report_is_odd() -> None:
    price = Price("p", 1_000_000, 0, cached_pico=100_000, cache_write_pico=1_250_000)
    assert cost_nanos(price, Usage(10, 0, 4, 1)) == 5 * 1_000 + 4 * 100 + 1_250
    assert cost_nanos(price, Usage(3, 0, 7, 9)) == 3 * 100
    assert cost_nanos(FREE, Usage(10, 10)) == 0
    assert cost_nanos(Price("p", 1, 1, request_nanos=77), NO_USAGE) == 77


@pytest.mark.parametrize(
    "usage", [Usage(-1), Usage(0, -1), Usage(1 << 62), Usage(5, 0, -1), Usage(5, 0, 0, -2)]
)
def test_absurd_usage_is_refused(usage: Usage) -> None:
    with pytest.raises(UpstreamBroken) as caught:
        cost_nanos(Price("p", 1_000_000, 1_000_000), usage)
    assert caught.value.code == "usage_out_of_range"


def test_a_charge_stays_within_63_bits() -> None:
    with pytest.raises(UpstreamBroken):
        charge_nanos(MAX_NANOS, 1)
    with pytest.raises(ValueError, match="rebate"):
        charge_nanos(5, -1_000_001)


@given(st.integers(-MAX_NANOS, MAX_NANOS))
def test_dollars_are_written_and_read_exactly(nanos: int) -> None:
    text = format_usd(nanos)
    assert parse_usd(text) == parse_usd(Decimal(text)) == nanos
    assert Decimal(text) == Decimal(nanos) / 1_000_000_000
    assert "e" not in text.lower()


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("5", 5_000_000_000),
        ("0.000000001", 1),
        ("1e-3", 1_000_000),
        ("-2.50", -2_500_000_000),
        ("0.10", 10**8),
    ],
)
def test_amounts(text: str, nanos: int) -> None:
    assert parse_usd(text) == nanos


@pytest.mark.parametrize(
    "text",
    ["", "five", "NaN", "inf", "0.0000000001", "1e400000000", "1e30", "9223372036.9", "1,5", "1e-400000000"],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(CallerFault) as caught:
        parse_usd(text)
    assert caught.value.code == "invalid_amount"


def test_a_float_is_no_amount() -> None:
    with pytest.raises(CallerFault, match="never a float"):
        parse_usd(0.1)  # type: ignore[arg-type]


def test_prices_are_per_token() -> None:
    assert price_pico("0.15") == 150_000
    assert price_pico("0.000001") == 1
    for refused in ("0.0000001", "-1"):
        with pytest.raises(CallerFault):
            price_pico(refused)


@given(st.binary(max_size=200))
def test_no_byte_level_tokenizer_makes_more_tokens_than_the_bound(body: bytes) -> None:
    assert bound_input_tokens(len(body)) >= len(list(body))
