"""What pricing an attempt takes, against the arithmetic of five prices: `python bench/money.py`.

Ratios within one run, in CPU time, the best of 41 repetitions each.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable

from wicket.accounts.cost import MAX_NANOS, bound_cost_nanos, cost_nanos, round_half_even
from wicket.accounts.price import Price
from wicket.accounts.record import OtherUsage, Usage
from wicket.providers.facts import Prices, ServicePrices, Tier
from wicket.providers.tariff import Fees, make_tariff

_KINDS = {"input_pico": 2_500_000, "output_pico": 15_000_000, "cached_pico": 250_000}
_HALF = ServicePrices(input_pico=1_250_000, output_pico=7_500_000)
_TARIFF = make_tariff(
    Prices(**_KINDS),
    [Tier(input_pico=5_000_000, output_pico=22_500_000, above_tokens=272_000)],
    {"batch": _HALF, "flex": _HALF, "priority": ServicePrices(input_pico=5_000_000, output_pico=30_000_000)},
    Fees(search_nanos=10_000_000),
)
PLAIN = Price("p/m@1", 2_500_000, 15_000_000, 250_000)
FULL = Price("p/m@1", 2_500_000, 15_000_000, 250_000, tariff=_TARIFF)
SHORT, LONG = Usage(1_000, 200, 512), Usage(300_000, 200, 512)
FLEX = Usage(1_000, 200, 512, other=OtherUsage(service="flex"))


def five_prices(price: Price, usage: Usage) -> int:
    """The cost as it was when a price was five numbers."""
    num_input, num_output = usage.input_tokens, usage.output_tokens
    num_cached, num_written = usage.cached_tokens, usage.cache_write_tokens
    if num_input < 0 or num_output < 0 or num_cached < 0 or num_written < 0:
        raise ValueError(usage)
    pico = num_output * price.output_pico
    if num_cached or num_written:
        num_cached = min(num_cached, num_input)
        num_written = min(num_written, num_input - num_cached)
        num_input -= num_cached + num_written
        cached_pico = price.input_pico if price.cached_pico is None else price.cached_pico
        written_pico = price.input_pico if price.cache_write_pico is None else price.cache_write_pico
        pico += num_cached * cached_pico + num_written * written_pico
    nanos = round_half_even(pico + num_input * price.input_pico, 1_000) + price.request_nanos
    if not 0 <= nanos <= MAX_NANOS:
        raise ValueError(usage)
    return nanos


def best(function: Callable[[], object]) -> float:
    """Nanoseconds a call."""
    number = 5_000
    return min(timeit.repeat(function, number=number, repeat=41, timer=time.process_time)) / number * 1e9


def main() -> None:
    """Print the table."""
    before = best(lambda: five_prices(PLAIN, SHORT))
    for name, function in (
        ("plain price, plain tokens", lambda: cost_nanos(PLAIN, SHORT)),
        ("tariff, plain tokens", lambda: cost_nanos(FULL, SHORT)),
        ("tariff, long request", lambda: cost_nanos(FULL, LONG)),
        ("tariff, served as flex", lambda: cost_nanos(FULL, FLEX)),
    ):
        took = best(function)
        print(f"{name}: {took:.0f} ns, {took / before:.2f} x")
    plain = best(lambda: bound_cost_nanos(PLAIN, 1_000, 500))
    full = best(lambda: bound_cost_nanos(FULL, 1_000, 500))
    print(f"bound with a tariff: {full:.0f} ns, {full / plain:.2f} x")


if __name__ == "__main__":
    main()
