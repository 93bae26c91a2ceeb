"""The only arithmetic on money, in whole numbers throughout.

Units: prices in pico-USD per token, amounts in nano-USD within 63 bits. There is one rounding, half to even,
where pico becomes nano: once per attempt for the cost, once per request for the charge. Half to even leaves
no drift over many small amounts; no float ever touches money.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext

from wicket.accounts.bounds import bound_input_tokens
from wicket.accounts.kinds import kinds_pico, negative
from wicket.accounts.price import Price
from wicket.accounts.record import OtherUsage, Usage
from wicket.errors import CallerFault, UpstreamBroken

__all__ = [
    "bound_cost_nanos",
    "bound_fees_nanos",
    "bound_input_tokens",
    "charge_nanos",
    "cost_nanos",
    "format_usd",
    "parse_usd",
    "price_pico",
    "round_half_even",
]

MAX_NANOS = (1 << 63) - 1
PICO_PER_NANO = 1_000
NANOS_PER_USD = 1_000_000_000
PPM = 1_000_000
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])


def cost_nanos(price: Price, usage: Usage) -> int:
    """What the provider bills for one attempt, in nano-USD.

    `usage.input_tokens` includes the cached and the cache-written ones; each kind is billed once, at its own
    price. Raises `UpstreamBroken` for negative counts and for amounts beyond 63 bits.
    """
    num_input, num_output = usage.input_tokens, usage.output_tokens
    num_cached, num_written = usage.cached_tokens, usage.cache_write_tokens
    if num_input < 0 or num_output < 0 or num_cached < 0 or num_written < 0:
        raise negative()
    tariff = price.tariff
    if usage.other is not None or (tariff is not None and num_input > tariff.plain_below):
        pico = kinds_pico(price, usage)
    else:
        pico = num_output * price.output_pico
        if num_cached or num_written:
            num_cached = min(num_cached, num_input)
            num_written = min(num_written, num_input - num_cached)
            num_input -= num_cached + num_written
            cached_pico = price.input_pico if price.cached_pico is None else price.cached_pico
            written_pico = price.input_pico if price.cache_write_pico is None else price.cache_write_pico
            pico += num_cached * cached_pico + num_written * written_pico
        pico += num_input * price.input_pico
    nanos = round_half_even(pico, PICO_PER_NANO) + price.request_nanos
    if not 0 <= nanos <= MAX_NANOS:
        raise UpstreamBroken("usage_out_of_range", "The provider reported more tokens than can be billed.")
    return nanos


def charge_nanos(cost: int, markup_ppm: int = 0) -> int:
    """What the caller pays for a request that cost `cost`: a markup in parts per million or a rebate below 0.

    Raises `UpstreamBroken` beyond 63 bits and `ValueError` for a rebate of more than everything.
    """
    if markup_ppm < -PPM:
        raise ValueError("A rebate can't exceed the cost: markup_ppm is at least -1,000,000.")
    nanos = round_half_even(cost * (PPM + markup_ppm), PPM)
    if not 0 <= nanos <= MAX_NANOS:
        raise UpstreamBroken("usage_out_of_range", "The charge is more than can be booked.")
    return nanos


def round_half_even(numerator: int, divisor: int) -> int:
    """`numerator / divisor` to the nearest whole number, ties to the even one; `divisor` is positive."""
    quotient, rest = divmod(numerator, divisor)
    twice = 2 * rest
    if twice > divisor or (twice == divisor and quotient & 1):
        return quotient + 1
    return quotient


def bound_cost_nanos(price: Price, max_input_tokens: int, max_output_tokens: int) -> int:
    """The most a request can cost, in nano-USD rounded up: every token at its dearest kind and class.

    Prices of long requests count once the input may be that long. Fees by other units are in
    `bound_fees_nanos`: only requests of their own kind have them.
    """
    tariff = price.tariff
    if tariff is None:
        given = max(price.input_pico, price.cached_pico or 0, price.cache_write_pico or 0)
        made = price.output_pico
    else:
        given = made = 0
        for bound in tariff.bounds:
            if max_input_tokens <= bound.above_tokens:
                break
            given, made = bound.input_pico, bound.output_pico
    pico = max_input_tokens * given + max_output_tokens * made
    return min(MAX_NANOS, -(-pico // PICO_PER_NANO) + price.request_nanos)


def bound_fees_nanos(price: Price, most: OtherUsage) -> int:
    """The most that fees by other units can add, in nano-USD rounded up: `most` has their largest counts."""
    if price.tariff is None:
        return 0
    fees = price.tariff.fees
    pico = PICO_PER_NANO * (most.searches * fees.search_nanos + most.images * fees.dearest_image)
    pico += most.audio_ms * fees.audio_second_nanos + most.characters * fees.character_pico
    return min(MAX_NANOS, -(-pico // PICO_PER_NANO))


def parse_usd(amount: str | int | Decimal) -> int:
    """An amount of US dollars as nano-USD, exactly: "5", "0.000001", Decimal("12.5").

    Raises `CallerFault` for anything that is no plain number, finer than a nano-dollar or beyond 63 bits.
    """
    nanos = _scaled(amount, NANOS_PER_USD, "a nano-dollar (nine decimals)")
    if abs(nanos) > MAX_NANOS:
        raise CallerFault(
            "invalid_amount", "The amount is too large: at most 9,223,372,036 USD.", param="usd"
        )
    return nanos


def price_pico(usd_per_million: str | int | Decimal) -> int:
    """A price in USD per million tokens as pico-USD per token, exactly; raises as `parse_usd` does."""
    pico = _scaled(usd_per_million, 1_000_000, "a pico-dollar per token (six decimals)")
    if not 0 <= pico <= MAX_NANOS:
        raise CallerFault("invalid_price", "A price is not negative and not absurd.", param="price")
    return pico


def format_usd(nanos: int) -> str:
    """Nano-USD as exact decimal dollars, without an exponent and without trailing zeros: "0.00125"."""
    whole, rest = divmod(abs(nanos), NANOS_PER_USD)
    text = f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
    return f"-{text}" if nanos < 0 else text


def _scaled(amount: str | int | Decimal, factor: int, finest: str) -> int:
    if isinstance(amount, (float, bool)):
        raise CallerFault(
            "invalid_amount", "An amount of money is a decimal text, never a float.", param="usd"
        )
    try:
        with localcontext(_EXACT):
            scaled = Decimal(amount) * factor
            if not scaled.is_finite() or scaled != scaled.to_integral_value():
                raise InvalidOperation
            return int(scaled) if scaled.adjusted() < 40 else MAX_NANOS + 1
    except (ArithmeticError, ValueError, TypeError):
        raise CallerFault(
            "invalid_amount",
            f"An amount is a decimal number of US dollars, no finer than {finest}.",
            param="usd",
        ) from None
