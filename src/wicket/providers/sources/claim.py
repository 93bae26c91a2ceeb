"""What one source says of one model, in our units, before it is held against the others."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from wicket.providers.facts import Kind, SourceName

TOKENS_PER_MTOK = 1_000_000
PICO_PER_USD = 10**12
NANOS_PER_USD = 10**9
_NAME = re.compile(r"[!-~]([ -~]{0,198}[!-~])?")
_DAY = re.compile(r"20\d\d-(0[1-9]|1[0-2])-([0-2]\d|3[01])")
_MONTH = re.compile(r"20\d\d(-(0[1-9]|1[0-2])(-([0-2]\d|3[01]))?)?")
_SOCKET_ONLY = re.compile(r"realtime|-live(-|$)|^ft:|^openai/sora", re.IGNORECASE)
_EMBEDS = re.compile(r"embed|(^|/)(bge|gte|e5|m2-bert|voyage)-", re.IGNORECASE)
_RERANKS = re.compile(r"rerank", re.IGNORECASE)
_HUGE = 10**9


class Rates(msgspec.Struct, kw_only=True):
    """Amounts by field of `Prices`, and the tiers above a number of input tokens.

    Thresholds are whole thousands; `exact` has those that a source gives otherwise: 199,999 says that a
    request of 200,000 tokens pays more already.
    """

    prices: dict[str, int] = msgspec.field(default_factory=dict)
    tiers: dict[int, dict[str, int]] = msgspec.field(default_factory=dict)
    exact: dict[int, int] = msgspec.field(default_factory=dict)


class Claim(Rates, kw_only=True):
    """One model as a source has it. Fields are named as in `Fact`; None and empty: the source is silent.

    `extras` are amounts that are not per token. `is_family`: the name is the source's own and may be no
    name that the API takes.
    """

    source: SourceName
    extras: dict[str, int] = msgspec.field(default_factory=dict)
    image_sizes: dict[str, int] = msgspec.field(default_factory=dict)
    services: dict[str, Rates] = msgspec.field(default_factory=dict)
    context_tokens: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    kind: Kind | None = None
    needs_responses: bool = False
    modalities_in: tuple[str, ...] = ()
    modalities_out: tuple[str, ...] = ()
    features: dict[str, bool] = msgspec.field(default_factory=dict)
    knowledge: str | None = None
    is_deprecated: bool = False
    deprecation_date: str | None = None
    successor: str | None = None
    page: str = ""
    also: tuple[str, ...] = ()
    is_family: bool = False


def amount(value: Any, per_unit: int) -> int | None:
    """USD as a whole number of the small unit: `value * per_unit`, half to even; None for no such number.

    A JSON number is taken by its shortest decimal form, so 2.5e-06 USD is 2,500,000 pico-USD exactly.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        scaled = Decimal(str(value)) * per_unit
        return int(scaled.to_integral_value(rounding="ROUND_HALF_EVEN")) if 0 <= scaled < 10**15 else None
    except (InvalidOperation, ValueError):
        return None


def count(value: Any) -> int | None:
    """A number of tokens; some sources write them as text or as floats."""
    try:
        number = int(float(value)) if isinstance(value, int | float | str) else 0
    except (ValueError, OverflowError):
        return None
    return number if 0 < number <= _HUGE else None


def is_name(text: Any) -> bool:
    """Whether it can be a model's name: printable ASCII, as it goes into headers and ids."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def is_request_name(text: Any) -> bool:
    """Whether it names a model that one HTTP request can ask: no realtime model, no fine-tuned one."""
    return is_name(text) and _SOCKET_ONLY.search(text) is None


def day(text: Any) -> str | None:
    """An ISO date, or None."""
    return text if isinstance(text, str) and _DAY.fullmatch(text) else None


def month(text: Any) -> str | None:
    """A year, month or date, or None."""
    return text if isinstance(text, str) and _MONTH.fullmatch(text) else None


def kind_by_name(name: str) -> Kind:
    """What a model is for, where a source does not say."""
    if _RERANKS.search(name):
        return "rerank"
    return "embedding" if _EMBEDS.search(name) else "chat"
