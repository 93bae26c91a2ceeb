"""What tokens of unusual kinds, long requests, other classes of service and fees come to, in pico-USD.

Each token is billed once, as the narrowest kind that it is of; a report whose parts come to more than the
whole is cut down to the whole, cached tokens first.
"""

from __future__ import annotations

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
    return input_pico(prices, usage, other) + output_pico(prices, usage, other) + _fees(fees, usage, other)


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


def _fees(fees: Fees, usage: Usage, other: OtherUsage) -> int:
    """Searches always; what stands in for tokens only where no tokens were reported."""
    searches = max(0, other.searches - fees.searches_included)
    pico = searches * fees.search_nanos * _PICO_PER_NANO
    if not usage.output_tokens:
        pico += other.images * fees.image_nanos * _PICO_PER_NANO
    if not usage.input_tokens and not usage.output_tokens:  # a nano-USD per second is a pico-USD per ms
        pico += other.audio_ms * fees.audio_second_nanos + other.characters * fees.character_pico
    return pico


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
