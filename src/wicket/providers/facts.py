"""What the catalogue says of a model: names, sizes, features, dates and prices.

Money is in whole numbers: pico-USD (1e-12 USD) per token or character, nano-USD (1e-9 USD) per anything
larger. A field that no source knows is None, or empty; nothing is guessed.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from typing import Annotated, Literal

import msgspec

Date = Annotated[str, msgspec.Meta(pattern=r"^20\d\d-(0[1-9]|1[0-2])-([0-2]\d|3[01])$")]
Month = Annotated[str, msgspec.Meta(pattern=r"^20\d\d(-(0[1-9]|1[0-2])(-([0-2]\d|3[01]))?)?$")]
Pico = Annotated[int, msgspec.Meta(ge=0, le=10**10)]  # at most 10,000 USD per million tokens
Nanos = Annotated[int, msgspec.Meta(ge=0, le=10**12)]  # at most 1,000 USD for one of anything
Tokens = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[!-~]([ -~]{0,198}[!-~])?$")]  # it goes into headers and ids
ImageSize = Annotated[str, msgspec.Meta(pattern=r"^([a-z]+/)?(\d{2,5}x\d{2,5}|\d(\.\d)?k)$")]
Modality = Literal["text", "image", "audio", "video", "pdf"]
Feature = Literal["tools", "vision", "json_schema", "reasoning", "audio", "pdf", "prefill"]
Kind = Literal["chat", "embedding", "rerank", "image", "speech", "transcription", "moderation", "completion"]
Service = Literal["batch", "flex", "priority"]
SourceName = Literal["genai-prices", "litellm", "models.dev"]

FEATURES: tuple[Feature, ...] = ("tools", "vision", "json_schema", "reasoning", "audio", "pdf", "prefill")
LISTED_KINDS = frozenset({"chat", "embedding"})  # what `/v1/models` offers of every provider


class Prices(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Pico-USD per token, by kind of token.

    Where None stands for a kind that is used nevertheless, it costs what the wider kind does: cached and
    written tokens, audio and image tokens as input or output, one hour's writes as five minutes', reasoning
    as output.
    """

    input_pico: Pico | None = None
    output_pico: Pico | None = None
    cached_pico: Pico | None = None
    cache_write_pico: Pico | None = None  # kept for five minutes, or for as long as the provider likes
    cache_write_1h_pico: Pico | None = None
    reasoning_pico: Pico | None = None
    audio_input_pico: Pico | None = None
    audio_output_pico: Pico | None = None
    audio_cached_pico: Pico | None = None
    image_input_pico: Pico | None = None
    image_output_pico: Pico | None = None


class Tier(Prices, frozen=True, kw_only=True, omit_defaults=True):
    """Prices of all tokens of a request whose input is longer than `above_tokens`; None: as without tier."""

    above_tokens: Annotated[int, msgspec.Meta(gt=0, le=10**9)]


class ServicePrices(Prices, frozen=True, kw_only=True, omit_defaults=True):
    """Prices of a class of service; None: as the standard class."""

    tiers: tuple[Tier, ...] = ()


class Fact(Prices, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one model at one provider.

    `date` is when its prices were read or last changed; `sources` which catalogues know it; `page` where the
    provider says so, as far as a source names it; `disputed` what a source that was overruled says instead;
    `corrected` which fields are as the provider's own page has them, and which page.
    Sizes are in tokens, 0 for unknown; `context_tokens` is the whole window, `max_input_tokens` is given
    where less of it may be input. `features` maps what is known to true or false. `also` are other exact
    names. `deprecation_date` is the announced end; a model that is not `is_listed` is kept for its price.
    """

    provider: str
    model: Name
    date: Date
    sources: tuple[SourceName, ...]
    page: str = ""
    request_nanos: Nanos = 0
    search_nanos: Nanos | None = None  # per web search
    is_search_per_request: bool = False  # one fee per request that searched, not one per search
    image_nanos: Nanos | None = None  # per image that comes out
    image_sizes: dict[ImageSize, Nanos] = {}  # the same by quality and size, where that has its own price
    image_input_nanos: Nanos | None = None  # per image that goes in
    audio_second_nanos: Nanos | None = None  # per second of audio
    character_pico: Pico | None = None  # per character of a text to speak
    cache_storage_nanos: Nanos | None = None  # per million tokens that a cache keeps for an hour
    tiers: tuple[Tier, ...] = ()
    services: dict[Service, ServicePrices] = {}
    context_tokens: Tokens = 0
    max_input_tokens: Tokens = 0
    max_output_tokens: Tokens = 0
    kind: Kind = "chat"
    needs_responses: bool = False  # reachable by the Responses API only
    modalities_in: tuple[Modality, ...] = ()
    modalities_out: tuple[Modality, ...] = ()
    features: dict[Feature, bool] = {}
    knowledge: Month | None = None
    is_deprecated: bool = False
    deprecation_date: Date | None = None
    successor: Name | None = None
    is_listed: bool = True
    also: tuple[Name, ...] = ()
    disputed: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The price row's name for ever: `provider/model@date`."""
        return f"{self.provider}/{self.model}@{self.date}"

    @property
    def is_priced(self) -> bool:
        """Whether tokens have a price."""
        return self.input_pico is not None

    def is_offered(
        self, today: datetime.date, *, with_responses: bool = False, more_kinds: Collection[Kind] = ()
    ) -> bool:
        """Whether it is worth listing: of a kind and an API that can be called, and not at its end."""
        if not self.is_listed or not (self.kind in LISTED_KINDS or self.kind in more_kinds):
            return False
        if self.needs_responses and not with_responses:
            return False
        if self.deprecation_date is not None:
            return self.deprecation_date > today.isoformat()
        return not self.is_deprecated

    def warning(self, today: datetime.date) -> str:
        """What a caller should be told about its end, "" for nothing."""
        date = self.deprecation_date
        is_over = date is not None and date <= today.isoformat()
        if not (self.is_deprecated or is_over):
            return ""
        end = f" and {'ended' if is_over else 'ends'} on {date}" if date is not None else ""
        instead = f"; use {self.provider}/{self.successor}" if self.successor else ""
        return f"{self.provider}/{self.model} is deprecated{end}{instead}"


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One catalogue that ours is made of: which version, how old, under which licence, where it is."""

    version: str
    date: Date
    licence: str
    url: str


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file of facts: what it was made of and when, and the models by row of the catalogue."""

    generated: Date
    sources: dict[SourceName, SourceInfo]
    models: dict[str, tuple[Fact, ...]]


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """`Facts` with each row's models left as bytes."""

    generated: Date
    sources: dict[SourceName, SourceInfo]
    models: dict[str, msgspec.Raw]


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Of a fact only what it is called."""

    model: str
    also: tuple[str, ...] = ()
