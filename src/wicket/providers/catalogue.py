"""The catalogue: who hosts models (`rows.toml`) and what well-known models cost (`prices.json`).

Read on first use, not at import. Rows are data for the rest of the program: adding an OpenAI-compatible
provider is adding a row.
"""

from __future__ import annotations

import functools
import re
import tomllib
from typing import Annotated, Any, Literal

import msgspec

from wicket.wire import json

_DATE = r"^20\d\d-\d\d-\d\d$"
_DATED = re.compile(r"[-@](?:20\d{2}-?\d{2}-?\d{2}|latest)$")
Date = Annotated[str, msgspec.Meta(pattern=_DATE)]
Pico = Annotated[int, msgspec.Meta(ge=0)]


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider. `base_url` may hold {account}, {region} or {resource}, which the operator fills in.

    `env` are the variables that hold its key, the first set one wins; with `is_enabled_by_env` such a
    variable enables the provider when there is no config file. `auth_optional`: works without a key.
    `versioned_url` and `versioned_path` are used when `api_version` is configured (Azure).
    Without `lists_models` the facts do not say what an account can call; `facts_from` names the row whose
    facts hold where there are none of its own. `region` is where all of it runs,
    `data_collection` whether its terms for API customers "deny" or "allow" that requests are kept to train
    on; "" for both is unknown. With `is_router` it routes by suffixes of a model's name itself, so these are
    left to it. `sources` say what the row was read from.
    """

    name: str = ""
    title: str
    base_url: str
    base_url_env: str = ""
    env: tuple[str, ...] = ()
    is_enabled_by_env: bool = True
    auth: Literal["bearer", "api-key", "x-api-key", "none"] = "bearer"
    auth_optional: bool = False
    dialect: str = "openai_chat"
    versioned_url: str = ""
    versioned_path: str = ""
    headers: dict[str, str] = {}
    rename: dict[str, str] = {}
    remove: tuple[str, ...] = ()
    usage_in_stream: Literal["ask", "always", "never"] = "ask"
    lists_models: bool = True
    facts_from: str = ""
    region: str = ""
    data_collection: Literal["", "allow", "deny"] = ""
    is_router: bool = False
    note: str = ""
    docs: str
    sources: tuple[str, ...]
    checked: Date


class Tier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Prices that hold for requests whose input is longer than `above_tokens`."""

    above_tokens: int
    input_pico: Pico
    output_pico: Pico
    cached_pico: Pico | None = None
    cache_write_pico: Pico | None = None


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one model at one provider. Prices are pico-USD (1e-12 USD) per token.

    `date` is when the price was read or last changed at its source; `also` are other exact names of it.
    Sizes are in tokens, 0 for unknown. `features` maps what is known to true or false.
    """

    provider: str
    model: str
    date: Date
    source: str
    input_pico: Pico = 0
    output_pico: Pico = 0
    cached_pico: Pico | None = None
    cache_write_pico: Pico | None = None
    request_nanos: Pico = 0
    context_tokens: int = 0
    max_output_tokens: int = 0
    kind: Literal["chat", "embedding"] = "chat"
    features: dict[str, bool] = {}
    also: tuple[str, ...] = ()
    tiers: tuple[Tier, ...] = ()
    is_deprecated: bool = False

    @property
    def id(self) -> str:
        """The price row's name for ever: `provider/model@date`."""
        return f"{self.provider}/{self.model}@{self.date}"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The file of facts: where they come from, under which licence, and one entry per model."""

    source: str
    licence: str
    generated: Date
    models: tuple[Fact, ...]


def parse_rows(text: str) -> dict[str, Row]:
    """Rows by name. Raises `msgspec.ValidationError` or `tomllib.TOMLDecodeError` on a bad table."""
    tables: dict[str, Any] = tomllib.loads(text)
    return {name: msgspec.convert({**table, "name": name}, Row) for name, table in tables.items()}


def _read(name: str) -> bytes:
    import importlib.resources  # 8 ms that a process without the catalogue need not pay

    return importlib.resources.files("wicket.providers").joinpath(name).read_bytes()


@functools.cache
def rows() -> dict[str, Row]:
    """Every provider of the catalogue, by name, in the order of the file."""
    return parse_rows(_read("rows.toml").decode())


@functools.cache
def facts() -> Facts:
    """The facts as shipped."""
    return json.decode(_read("prices.json"), type=Facts)


@functools.cache
def _by_provider() -> dict[str, dict[str, Fact]]:
    index: dict[str, dict[str, Fact]] = {}
    for fact in facts().models:
        names = index.setdefault(fact.provider, {})
        for alias in fact.also:
            names.setdefault(alias, fact)
    for fact in facts().models:
        index[fact.provider][fact.model] = fact
    return index


@functools.cache
def known_models(row: str) -> tuple[str, ...]:
    """The catalogue's models of one provider that are not deprecated, in the order of the file."""
    if row not in _by_provider() or not rows()[row].lists_models:
        return ()
    return tuple(f.model for f in facts().models if f.provider == row and not f.is_deprecated)


@functools.cache
def providers_of(model: str) -> tuple[str, ...]:
    """The rows that are known to serve a model of this name."""
    return tuple(row for row, names in _by_provider().items() if model in names)


def fact_of(row: str, model: str) -> Fact | None:
    """What is known of `model` at `row`: by its name, another name of it, or its undated name."""
    undated = _DATED.sub("", model)
    for place in _places(row):
        names = _by_provider().get(place, {})
        found = names.get(model) or names.get(undated)
        if found is not None:
            return found
    return None


@functools.cache
def _places(row: str) -> tuple[str, ...]:
    known = rows().get(row)
    return (row, known.facts_from) if known is not None and known.facts_from else (row,)
