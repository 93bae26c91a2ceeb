"""Mixtures: shares by temperature, whole numbers, one order."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wicket.errors import CallerFault
from wicket.lab.data.mixture import order, plan, quotas, shares

SIZES = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.integers(1, 300), min_size=1, max_size=6
)


def test_temperature_goes_from_sizes_to_equal() -> None:
    sizes = {"big": 9000, "small": 1000}
    assert shares(sizes, 1.0) == pytest.approx({"big": 0.9, "small": 0.1})
    assert shares(sizes, 2.0) == pytest.approx({"big": 0.75, "small": 0.25})  # 3 to 1, the roots of 9 to 1
    assert shares(sizes, 1000.0) == pytest.approx({"big": 0.5, "small": 0.5}, abs=1e-3)
    assert shares(sizes, 1.0, limit=1000) == pytest.approx({"big": 0.5, "small": 0.5})
    found = plan(sizes, 2.0, 4000)
    assert (found["small"].drawn, found["small"].epochs, found["big"].drawn) == (1000, 1.0, 3000)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SIZES, st.floats(0.5, 50.0), st.integers(0, 400), st.integers(0, 5))
def test_an_order_is_complete_even_and_the_same(
    sizes: dict[str, int], heat: float, total: int, seed: int
) -> None:
    numbers = quotas(shares(sizes, heat), total)
    assert sum(numbers.values()) == total and min(numbers.values()) >= (total >= len(sizes))
    found = list(order(numbers, sizes, seed))
    assert found == list(order(numbers, sizes, seed))
    assert Counter(name for name, _ in found) == Counter({k: v for k, v in numbers.items() if v})
    for name, size in sizes.items():
        drawn = [place for other, place in found if other == name]
        for start in range(0, len(drawn), size):  # every example once before any twice
            epoch = drawn[start : start + size]
            assert len(set(epoch)) == len(epoch) and all(0 <= place < size for place in epoch)
    for length in range(0, total, 17):
        prefix = Counter(name for name, _ in found[:length])
        for name, number in numbers.items():
            assert abs(prefix[name] - number * length / total) <= 1 + len(sizes) / 2


def test_seeds_make_other_orders_and_mistakes_are_told() -> None:
    sizes = {"a": 50, "b": 50}
    assert list(order(sizes, sizes, 1)) != list(order(sizes, sizes, 2))
    with pytest.raises(CallerFault, match="at least one example"):
        shares({"a": 0}, 1.0)
    with pytest.raises(CallerFault, match=r"0\.1 to 1000"):
        shares({"a": 1}, 0.0)
