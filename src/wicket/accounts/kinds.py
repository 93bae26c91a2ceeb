"""What tokens of unusual kinds, long requests, other classes of service and fees come to, in pico-USD.

Each token is billed once, as the narrowest kind that it is of; a report whose parts come to more than the
whole is cut down to the whole, cached tokens first.
"""

from __future__ import annotations

import msgspec

from wicket.accounts.price import Price
from wicket.accounts.record import OtherUsage, Usage
from wicket.errors import UpstreamBroken
from wicket.providers.facts import Prices
from wicket.providers.tariff import Fees, Service, Tariff, TokenPrices, settled

_NOTHING = OtherUsage()
_NO_FEES = Fees()
_PICO_PER_NANO = 1_000


def kinds_pico(price: Price, usage: Usage) -> int:
    """The tokens and fees of one attempt, without the fee per request.

    Raises `UpstreamBroken` for negative counts.
    """
    other, tariff = usage.other or _NOTHING, price.tariff
    if min(usage.reasoning_tokens, *_counts(other)) < 0:
        raise negative()
    prices = _service(price, tariff, other.service).at(usage.input_tokens)
    fees = tariff.fees if tariff is not None else _NO_FEES
    tokens = input_pico(prices, usage, other) + output_pico(prices, usage, other)
    return tokens + _fees(fees, other, *_by_tokens(prices, usage))


def input_pico(prices: TokenPrices, usage: Usage, other: OtherUsage) -> int:
    """The input: cached, then written, then audio and images, and the rest as text."""
    rest = usage.input_tokens
    cached = min(usage.cached_tokens, rest)
    cached_audio = min(other.cached_audio_tokens, cached)
    rest -= cached
    written = min(usage.cache_write_tokens, rest)
    hour = min(other.cache_write_1h_tokens, written)
    rest -= written
    audio = min(max(0, other.input_audio_tokens - cached_audio), rest)
    rest -= audio
    image = min(other.input_image_tokens, rest)
    return (
        (cached - cached_audio) * prices.cached
        + cached_audio * prices.audio_cached
        + (written - hour) * prices.cache_write
        + hour * prices.cache_write_1h
        + audio * prices.audio_input
        + image * prices.image_input
        + (rest - image) * prices.input
    )


def output_pico(prices: TokenPrices, usage: Usage, other: OtherUsage) -> int:
    """The output: reasoning, then audio and images, and the rest as text."""
    rest = usage.output_tokens
    reasoning = min(usage.reasoning_tokens, rest)
    rest -= reasoning
    audio = min(other.output_audio_tokens, rest)
    rest -= audio
    image = min(other.output_image_tokens, rest)
    return (
        reasoning * prices.reasoning
        + audio * prices.audio_output
        + image * prices.image_output
        + (rest - image) * prices.output
    )


def _fees(fees: Fees, other: OtherUsage, is_output_billed: bool, is_input_billed: bool) -> int:
    """Searches always; what stands in for tokens only where none were reported that have a price."""
    pico = _billed_searches(fees, other) * fees.search_nanos * _PICO_PER_NANO
    if not is_output_billed:
        pico += other.images * fees.image(other.image_size) * _PICO_PER_NANO
    if not is_input_billed and not is_output_billed:  # a nano-USD per second is a pico-USD per ms
        pico += other.audio_ms * fees.audio_second_nanos + other.characters * fees.character_pico
    return pico


def _billed_searches(fees: Fees, other: OtherUsage) -> int:
    searches = max(0, other.searches - fees.searches_included)
    return min(searches, 1) if fees.is_search_per_request else searches


def unpriced(price: Price, usage: Usage, other: OtherUsage) -> tuple[str, ...]:
    """What `other` has beside tokens for which `price` has nothing: what that costs is in nobody's sum.

    Named as in `OtherUsage`, hosted tools by their own names.
    """
    fees = price.tariff.fees if price.tariff is not None else _NO_FEES
    makes, _ = stands_for = _by_tokens(_service(price, price.tariff, other.service).prices, usage)
    found = list(other.unpriced)
    if _billed_searches(fees, other) and not fees.search_nanos:
        found.append("searches")
    if other.images and not makes and not fees.image(other.image_size):
        found.append("images")
    if not any(stands_for):
        if other.audio_ms and not fees.audio_second_nanos:
            found.append("audio_ms")
        if other.characters and not fees.character_pico:
            found.append("characters")
    return tuple(dict.fromkeys(found))


def with_unpriced(price: Price, usage: Usage) -> Usage:
    """`usage` with the names of what it has of which `price` knows no price."""
    other = usage.other
    found = unpriced(price, usage, other) if other is not None else ()
    if other is None or found == other.unpriced:
        return usage
    replace = msgspec.structs.replace
    return replace(usage, other=replace(other, unpriced=found))


def _by_tokens(prices: TokenPrices, usage: Usage) -> tuple[bool, bool]:
    """Whether output, and whether input, is billed by tokens: it has some, and they have a price."""
    return (
        bool(usage.output_tokens and prices.dearest_output),
        bool(usage.input_tokens and prices.dearest_input),
    )


def _service(price: Price, tariff: Tariff | None, name: str) -> Service:
    if tariff is not None:
        return tariff.service(name)
    plain = Prices(
        input_pico=price.input_pico,
        output_pico=price.output_pico,
        cached_pico=price.cached_pico,
        cache_write_pico=price.cache_write_pico,
    )
    return Service(settled(plain))


def _counts(other: OtherUsage) -> tuple[int, ...]:
    return (
        other.cache_write_1h_tokens,
        other.input_audio_tokens,
        other.cached_audio_tokens,
        other.output_audio_tokens,
        other.input_image_tokens,
        other.output_image_tokens,
        other.images,
        other.audio_ms,
        other.characters,
        other.searches,
    )


def negative() -> UpstreamBroken:
    """The fault for a count below zero."""
    return UpstreamBroken("usage_out_of_range", "The provider reported a negative number of tokens.")
