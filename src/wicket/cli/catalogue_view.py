"""The catalogue's models as documents for `--json`, filtered, and as lines for people."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from wicket.errors import CallerFault

if TYPE_CHECKING:
    from wicket.providers.facts import Fact, Prices

PICO_PER_MILLION = 1_000_000  # pico-USD per token to USD per million tokens
_FEES = {
    "request": "request_nanos",
    "search": "search_nanos",
    "image": "image_nanos",
    "image_input": "image_input_nanos",
    "audio_second": "audio_second_nanos",
}
Filter = Callable[[dict[str, Any]], bool]


def entry(fact: Fact) -> dict[str, Any]:
    """All that is known of a model. Prices are USD per million tokens (characters where it says so), fees USD
    for one; null and {} stand for what no source knows."""
    from wicket.providers.catalogue import today
    from wicket.providers.facts import FEATURES

    fees = {kind: getattr(fact, field) for kind, field in _FEES.items()}
    if fact.character_pico is not None:
        fees["million_characters"] = fact.character_pico * 1_000
    return {
        "id": f"{fact.provider}/{fact.model}",
        "provider": fact.provider,
        "prices": prices_usd(fact),
        "context_tokens": fact.context_tokens or None,
        "max_input_tokens": fact.max_input_tokens or None,
        "max_output_tokens": fact.max_output_tokens or None,
        "kind": fact.kind,
        "modalities": {"input": list(fact.modalities_in), "output": list(fact.modalities_out)},
        "features": {feature: fact.features.get(feature) for feature in FEATURES},
        "needs_responses": fact.needs_responses,
        "knowledge": fact.knowledge,
        "is_deprecated": bool(fact.warning(today())),
        "deprecation_date": fact.deprecation_date,
        "successor": f"{fact.provider}/{fact.successor}" if fact.successor else None,
        "tiers": [{"above_tokens": t.above_tokens, "prices": prices_usd(t)} for t in fact.tiers],
        "services": {
            name: {
                "prices": prices_usd(service),
                "tiers": [{"above_tokens": t.above_tokens, "prices": prices_usd(t)} for t in service.tiers],
            }
            for name, service in fact.services.items()
        },
        "fees": {kind: nanos / 1e9 for kind, nanos in fees.items() if nanos},
        "price_id": fact.id if fact.is_priced else None,
        "date": fact.date,
        "source": ", ".join(fact.sources),
        "sources": list(fact.sources),
        "page": fact.page or None,
        "also": list(fact.also),
        "disputed": list(fact.disputed),
        "corrected": list(fact.corrected),
    }


def prices_usd(prices: Prices) -> dict[str, float]:
    """USD per million tokens by kind; what is not known is left out."""
    from wicket.providers.facts import Prices

    values = {field: getattr(prices, field) for field in msgspec.structs.asdict(Prices())}
    return {
        field.removesuffix("_pico"): pico / PICO_PER_MILLION
        for field, pico in values.items()
        if pico is not None
    }


def prefer_newer() -> None:
    """Read the models that `wicket models update` fetched, if there are any that may be used."""
    from wicket.config.newer import with_newer_catalogue
    from wicket.config.schema import Config
    from wicket.providers.catalogue import use
    from wicket.supervisor.home import default_home

    use(with_newer_catalogue(Config(), default_home(os.environ)).catalogue)


def catalogue() -> list[dict[str, Any]]:
    """Every known model, by provider and name."""
    from wicket.providers.catalogue import facts

    models = [fact for found in facts().models.values() for fact in found]
    return [entry(fact) for fact in sorted(models, key=lambda fact: (fact.provider, fact.model))]


def with_known(card: dict[str, Any]) -> dict[str, Any]:
    """A model that can be called, with what the catalogue knows of its first deployment besides."""
    from wicket.providers.catalogue import fact_of, has_row

    provider, _, model = str(next(iter(card.get("deployments") or ()), card["id"])).partition("/")
    fact = fact_of(provider, model) if has_row(provider) else None
    return card if fact is None else {**entry(fact), **card}


def add_filters(parser: argparse.ArgumentParser) -> None:
    """The options that choose models."""
    from wicket.providers.facts import FEATURES

    parser.add_argument(
        "--provider", action="append", default=[], metavar="NAME", help="of this provider (may be repeated)"
    )
    parser.add_argument(
        "--feature",
        action="append",
        default=[],
        choices=FEATURES,
        metavar="NAME",
        help=f"that is known to have it, one of {', '.join(FEATURES)} (may be repeated)",
    )
    parser.add_argument(
        "--max-price",
        type=_dollars,
        default=None,
        metavar="USD",
        help="whose input and output cost at most this much per million tokens",
    )
    parser.add_argument(
        "--min-context",
        type=_tokens,
        default=0,
        metavar="TOKENS",
        help="with at least this window, e.g. 128k",
    )
    parser.add_argument("--search", default="", metavar="TEXT", help="whose id holds each of these words")


def chosen(models: Iterable[dict[str, Any]], args: argparse.Namespace) -> list[dict[str, Any]]:
    """The models that the options ask for. Raises `CallerFault` for a provider that nothing is known of."""
    found = list(models)
    for name in args.provider:
        if not any(provider_of(model) == name for model in found):
            raise CallerFault("unknown_provider", _no_provider(name, {provider_of(model) for model in found}))
    words = args.search.lower().split()
    tests: list[Filter] = [
        lambda model: not args.provider or provider_of(model) in args.provider,
        lambda model: all(word in str(model["id"]).lower() for word in words),
        lambda model: all((model.get("features") or {}).get(feature) is True for feature in args.feature),
        lambda model: (model.get("context_tokens") or 0) >= args.min_context,
        lambda model: args.max_price is None or _costs_at_most(model, args.max_price),
    ]
    return [model for model in found if all(test(model) for test in tests)]


def provider_of(model: dict[str, Any]) -> str:
    """Who answers to a model's name."""
    return str(model.get("provider") or model.get("owned_by") or "")


def _no_provider(name: str, known: set[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"No model here is of a provider {name!r}.{hint} `wicket providers` lists them; --all shows more."


def _costs_at_most(model: dict[str, Any], usd: float) -> bool:
    """Whether both prices are known and low enough: an unknown price is no low one."""
    prices = model.get("prices") or {}
    shown = [prices.get("input"), prices.get("output")]
    if model.get("kind") in ("embedding", "rerank"):
        shown = shown[:1]
    return all(price is not None and price <= usd for price in shown)


def _dollars(text: str) -> float:
    value = float(text.removeprefix("$"))
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("an amount of USD per million tokens")
    return value


def _tokens(text: str) -> int:
    units = {"k": 1_000, "m": 1_000_000}
    unit = units.get(text[-1:].lower(), 1)
    try:
        return int(float(text if unit == 1 else text[:-1]) * unit)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError("a number of tokens such as 128000, 128k or 1m") from None


def card_lines(model: dict[str, Any]) -> list[str]:
    """A model's card for people: what is known, in the order in which one asks."""
    lines = [str(model["id"])]
    lines += [f"  {label:<12} {text}" for label, text in _card(model) if text]
    return lines


def _card(model: dict[str, Any]) -> Iterable[tuple[str, str]]:
    yield "callable", _callable(model)
    yield "deployments", ", ".join(model.get("deployments") or ())
    yield "ends", _end(model)
    yield (
        "kind",
        str(model.get("kind") or "") + (" (Responses API only)" if model.get("needs_responses") else ""),
    )
    modalities = model.get("modalities") or {}
    if modalities.get("input"):
        yield "takes", f"{', '.join(modalities['input'])}; gives {', '.join(modalities['output']) or '?'}"
    yield "features", _features(model.get("features") or {})
    yield "context", _tokens_text(model.get("context_tokens"))
    yield "input limit", _tokens_text(model.get("max_input_tokens"))
    yield "output limit", _tokens_text(model.get("max_output_tokens"))
    yield "knowledge", str(model.get("knowledge") or "")
    yield "prices", price_text(model.get("prices")) + (" per million tokens" if model.get("prices") else "")
    for tier in model.get("tiers") or ():
        yield "", f"above {tier['above_tokens']:,} tokens of input: {price_text(tier['prices'])}"
    for name, service in (model.get("services") or {}).items():
        yield "", f"{name}: {price_text(service['prices'])}"
        for tier in service["tiers"]:
            yield "", f"{name}, above {tier['above_tokens']:,}: {price_text(tier['prices'])}"
    yield (
        "fees",
        ", ".join(f"{kind.replace('_', ' ')} ${usd:g}" for kind, usd in (model.get("fees") or {}).items()),
    )
    if model.get("price_id"):
        yield "price row", str(model["price_id"])
    if model.get("sources"):
        yield "sources", f"{model['source']}; prices as of {model['date']}"
    yield "page", str(model.get("page") or "")
    yield "also", ", ".join(model.get("also") or ())
    for dispute in model.get("disputed") or ():
        yield "disputed", str(dispute)
    for correction in model.get("corrected") or ():
        yield "corrected", str(correction)


def _callable(model: dict[str, Any]) -> str:
    if model.get("is_callable") is None:
        return ""
    return "yes" if model["is_callable"] else f"no: {model.get('why_not')}"


def _end(model: dict[str, Any]) -> str:
    if not model.get("is_deprecated") and not model.get("deprecation_date"):
        return ""
    instead = f"; use {model['successor']}" if model.get("successor") else ""
    return f"{model.get('deprecation_date') or 'deprecated'}{instead}"


def _features(features: dict[str, bool | None]) -> str:
    groups = (("", True), ("no ", False))
    said = [f"{prefix}{name}" for prefix, value in groups for name, has in features.items() if has is value]
    unknown = [name for name, has in features.items() if has is None]
    return ", ".join(said) + (f" (not known: {', '.join(unknown)})" if unknown and said else "")


def _tokens_text(value: int | None) -> str:
    return f"{value:,} tokens" if value else ""


def price_text(prices: dict[str, float] | None) -> str:
    """Prices in one line, e.g. "input $2.5, output $10"."""
    return ", ".join(f"{kind.replace('_', ' ')} ${usd:g}" for kind, usd in (prices or {}).items())
