"""All prices of one price row, settled: every kind of token has one, whatever the catalogue left open.

Money is in whole numbers: pico-USD (1e-12 USD) per token or character, nano-USD per anything larger. Most
rows need none of this: without a `Tariff` a row's five plain prices are all there is to it.

A long request's prices hold for all of its tokens, not for those beyond the threshold alone, and the whole
input counts towards it, what came from a cache included. So say OpenAI ("for the full session"), Google,
Anthropic, xAI and Alibaba; docs/cost.md has the pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from wicket.providers.facts import Fact, Prices, ServicePrices, Tier

UNLIMITED = (1 << 63) - 1
_BY_UNITS = frozenset({"image", "speech", "transcription", "rerank"})
_NAMES = Prices.__struct_fields__


class TokenPrices(msgspec.Struct, frozen=True, array_like=True):
    """Pico-USD per token of every kind. `cache_write`: kept for five minutes, or as long as pleases."""

    input: int
    output: int
    cached: int
    cache_write: int
    cache_write_1h: int
    reasoning: int
    audio_input: int
    audio_cached: int
    audio_output: int
    image_input: int
    image_output: int

    @property
    def dearest_input(self) -> int:
        """The most that a token of input can cost."""
        read = max(self.input, self.cached, self.audio_input, self.audio_cached, self.image_input)
        return max(read, self.cache_write, self.cache_write_1h)

    @property
    def dearest_output(self) -> int:
        """The most that a token of output can cost."""
        return max(self.output, self.reasoning, self.audio_output, self.image_output)


class Step(msgspec.Struct, frozen=True, array_like=True):
    """The prices of all tokens of a request with more than `above_tokens` of input."""

    above_tokens: int
    prices: TokenPrices


class Service(msgspec.Struct, frozen=True, array_like=True):
    """One class of service; `steps` by rising threshold."""

    prices: TokenPrices
    steps: tuple[Step, ...] = ()

    def at(self, input_tokens: int) -> TokenPrices:
        """The prices of a request with so many tokens of input."""
        found = self.prices
        for step in self.steps:
            if input_tokens <= step.above_tokens:
                break
            found = step.prices
        return found


class Fees(msgspec.Struct, frozen=True, array_like=True):
    """What is billed by other units than tokens, 0 for what is not.

    `search_nanos` comes on top of tokens. The others stand in for tokens: they are billed for answers that
    report none. `image_sizes` are prices of images by quality and size (`facts.Fact`), `image_nanos` that of
    one whose size has none. `is_search_per_request`: however many searches an answer took, one is billed.
    """

    search_nanos: int = 0
    image_nanos: int = 0  # per image that comes out
    image_input_nanos: int = 0
    audio_second_nanos: int = 0
    character_pico: int = 0
    searches_included: int = 0  # in the fee per request
    image_sizes: dict[str, int] = {}
    is_search_per_request: bool = False

    def image(self, size: str) -> int:
        """Nano-USD for an image of this quality and size; 0 where no price is known."""
        if size and self.image_sizes:
            for name in (size, size.rpartition("/")[2]):
                if name in self.image_sizes:
                    return self.image_sizes[name]
        return self.image_nanos

    @property
    def dearest_image(self) -> int:
        """The most that an image can cost."""
        return max(self.image_nanos, *self.image_sizes.values(), 0)


class Bound(msgspec.Struct, frozen=True, array_like=True):
    """The dearest tokens of requests with more than `above_tokens` of input, in any class of service."""

    above_tokens: int
    input_pico: int
    output_pico: int


class Tariff(msgspec.Struct, frozen=True, array_like=True):
    """What a row bills beyond its plain prices.

    `services` are the classes other than the standard one. Up to `plain_below` tokens of input, a request
    that used plain kinds only costs what the plain prices say. `bounds` rise in all three columns.
    """

    standard: Service
    services: dict[str, Service]
    fees: Fees
    plain_below: int
    bounds: tuple[Bound, ...]

    def service(self, name: str) -> Service:
        """The prices of a class of service; those of the standard one where it has none of its own."""
        return self.services.get(name, self.standard)


def settled(prices: Prices) -> TokenPrices:
    """Every kind's price: what has none costs what the wider kind does (see `facts.Prices`)."""
    given, made = prices.input_pico or 0, prices.output_pico or 0
    written = _first(prices.cache_write_pico, given)
    audio = _first(prices.audio_input_pico, given)
    cached = _first(prices.cached_pico, given)
    return TokenPrices(
        input=given,
        output=made,
        cached=cached,
        cache_write=written,
        cache_write_1h=_first(prices.cache_write_1h_pico, written),
        reasoning=_first(prices.reasoning_pico, made),
        audio_input=audio,
        audio_cached=_first(prices.audio_cached_pico, audio if prices.cached_pico is None else cached),
        audio_output=_first(prices.audio_output_pico, made),
        image_input=_first(prices.image_input_pico, given),
        image_output=_first(prices.image_output_pico, made),
    )


def tariff_of(fact: Fact) -> Tariff | None:
    """The tariff of a row of the catalogue; None where its plain prices say everything."""
    fees = Fees(
        search_nanos=fact.search_nanos or (fact.request_nanos if fact.kind == "rerank" else 0),
        searches_included=1 if fact.kind == "rerank" and fact.request_nanos else 0,
        image_nanos=fact.image_nanos or 0,
        image_input_nanos=fact.image_input_nanos or 0,
        audio_second_nanos=fact.audio_second_nanos or 0,
        character_pico=fact.character_pico or 0,
        image_sizes=dict(fact.image_sizes),
        is_search_per_request=fact.is_search_per_request,
    )
    return make_tariff(fact, fact.tiers, {str(name): one for name, one in fact.services.items()}, fees)


def is_priced_otherwise(fact: Fact) -> bool:
    """Whether a model that has no price per token has one by other units."""
    units = (
        fact.request_nanos or None,
        fact.image_nanos,
        fact.audio_second_nanos,
        fact.character_pico,
        fact.search_nanos,
        *fact.image_sizes.values(),
    )
    return fact.kind in _BY_UNITS and any(price is not None for price in units)


def make_tariff(
    prices: Prices, tiers: Sequence[Tier], services: Mapping[str, ServicePrices], fees: Fees
) -> Tariff | None:
    """A tariff; None where plain prices for input, output and cache say everything."""
    standard = _service(prices, tiers)
    others = {name: _service(_over(one, prices), one.tiers) for name, one in services.items()}
    bounds = _bounds([standard, *others.values()])
    plain = settled(Prices(**{name: getattr(prices, name) for name in _NAMES[:4]}))
    if not others and not standard.steps and fees == Fees() and standard.prices == plain:
        return None
    plain_below = standard.steps[0].above_tokens if standard.steps else UNLIMITED
    if standard.prices.reasoning != standard.prices.output:
        plain_below = -1
    return Tariff(standard, others, fees, plain_below, bounds)


def _service(prices: Prices, tiers: Sequence[Tier]) -> Service:
    ordered = sorted(tiers, key=lambda tier: tier.above_tokens)
    steps = [Step(tier.above_tokens, settled(_over(tier, prices))) for tier in ordered]
    return Service(settled(prices), tuple(steps))


def _over(upper: Prices, lower: Prices) -> Prices:
    """`upper`'s prices, and `lower`'s where it has none."""
    return Prices(**{name: _first(getattr(upper, name), getattr(lower, name)) for name in _NAMES})


def _bounds(services: Sequence[Service]) -> tuple[Bound, ...]:
    thresholds = sorted({0, *[step.above_tokens for one in services for step in one.steps]})
    found: list[Bound] = []
    given = made = 0
    for threshold in thresholds:
        for one in services:
            prices = one.at(threshold + 1)
            given, made = max(given, prices.dearest_input), max(made, prices.dearest_output)
            if threshold == 0:  # a request without input has output all the same
                given, made = max(given, one.prices.dearest_input), max(made, one.prices.dearest_output)
        found.append(Bound(threshold if threshold else -1, given, made))
    return tuple(found)


def _first(value: int | None, otherwise: int | None) -> int:
    found = otherwise if value is None else value
    return found  # type: ignore[return-value]
