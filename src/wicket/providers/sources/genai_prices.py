"""genai-prices' `data.json` (MIT): providers with model families; USD per million tokens, dated and by class.

A family names the models that it prices by a rule (`match`), so names come from elsewhere and are looked up
here. A price that depends on the time of day is taken at its dearest, so that no cost is understated; of
dated prices the one in force on the day asked for counts.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from typing import Any

from wicket.providers.sources.claim import (
    NANOS_PER_USD,
    PICO_PER_USD,
    TOKENS_PER_MTOK,
    Claim,
    Rates,
    amount,
    count,
    is_name,
    kind_by_name,
)

_TOKEN_FIELDS = {
    "input_mtok": "input_pico",
    "output_mtok": "output_pico",
    "cache_read_mtok": "cached_pico",
    "cache_write_mtok": "cache_write_pico",
    "cache_write_5m_mtok": "cache_write_pico",
    "cache_write_1h_mtok": "cache_write_1h_pico",
    "output_reasoning_mtok": "reasoning_pico",
    "input_audio_mtok": "audio_input_pico",
    "output_audio_mtok": "audio_output_pico",
    "cache_audio_read_mtok": "audio_cached_pico",
    "input_image_mtok": "image_input_pico",
    "output_image_mtok": "image_output_pico",
}
_OTHER_FIELDS = {
    "requests_kcount": ("request_nanos", NANOS_PER_USD // 1000),
    "rerank_searches_kcount": ("request_nanos", NANOS_PER_USD // 1000),
    "web_searches_kcount": ("search_nanos", NANOS_PER_USD // 1000),
    "input_mchars": ("character_pico", PICO_PER_USD // 1_000_000),
}
_SERVICES = {
    ("processing", "batch"): "batch",
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
}
_MAX_PATTERN = 500


class Families:
    """The families of some providers, in their order: the first that matches a name prices it."""

    def __init__(self, document: Iterable[Any], providers: Iterable[str], today: datetime.date) -> None:
        wanted = tuple(providers)
        listed = {one.get("id"): one for one in document if isinstance(one, dict)}
        models = [
            m for id in wanted for m in (listed.get(id) or {}).get("models") or () if isinstance(m, dict)
        ]
        self._families = [(model, _claim(model, today)) for model in models if is_name(model.get("id"))]

    def find(self, name: str) -> Claim | None:
        """What is said of a model of this name."""
        lowered = name.lower()
        for model, claim in self._families:
            if model["id"] == name or is_match(model.get("match"), lowered):
                return claim
        return None

    def unmatched(self, names: Iterable[str]) -> dict[str, Claim]:
        """The families that none of `names` belongs to, by the source's own name for them."""
        used = {id(self.find(name)) for name in names}
        return {
            str(model["id"]): claim
            for model, claim in self._families
            if id(claim) not in used and claim.prices
        }


def is_match(rule: Any, name: str) -> bool:
    """Whether a match rule holds for a name in lower case; a rule of an unknown form holds for none."""
    if not isinstance(rule, dict) or len(rule) != 1:
        return False
    ((kind, value),) = rule.items()
    if kind in ("or", "and") and isinstance(value, list):
        parts = [is_match(part, name) for part in value]
        return any(parts) if kind == "or" else all(parts)
    if not isinstance(value, str):
        return False
    if kind == "regex":
        return _searches(value, name)
    text = value.lower()
    if kind == "equals":
        return name == text
    if kind == "starts_with":
        return name.startswith(text)
    if kind == "ends_with":
        return name.endswith(text)
    return kind == "contains" and text in name


def _equals(rule: Any) -> list[str]:
    """The names that a rule spells out."""
    if not isinstance(rule, dict):
        return []
    name = rule.get("equals")
    inner = [each for part in rule.get("or") or () for each in _equals(part)]
    return [str(name), *inner] if is_name(name) else inner


def _searches(pattern: str, name: str) -> bool:
    try:
        return len(pattern) <= _MAX_PATTERN and re.search(pattern, name) is not None
    except re.error:
        return False


def _claim(model: Mapping[str, Any], today: datetime.date) -> Claim:
    claim = Claim(source="genai-prices", is_family=True, kind=kind_by_name(str(model["id"])))
    price = _in_force(model.get("prices"), today)
    _take(claim, price)
    for theirs, (ours, unit) in _OTHER_FIELDS.items():
        found = amount(_at_base(price.get(theirs)), unit)
        if found:
            claim.extras[ours] = found
    hours = amount(_at_base(price.get("audio_hours") or price.get("input_audio_hours")), NANOS_PER_USD)
    if hours:
        claim.extras["audio_second_nanos"] = round(hours / 3600)
    for variant in model.get("price_variants") or ():
        when = variant.get("when") or {}
        service = _SERVICES.get(next(iter(when.items()))) if len(when) == 1 else None
        if service is not None and _is_begun(variant.get("constraint"), today):
            _take(claim.services.setdefault(service, Rates()), variant.get("prices") or {})
    claim.context_tokens = count(model.get("context_window"))
    claim.is_deprecated = model.get("deprecated") is True
    claim.also = tuple(sorted(set(_equals(model.get("match"))) - {model["id"]}))
    return claim


def _in_force(prices: Any, today: datetime.date) -> Mapping[str, Any]:
    if isinstance(prices, dict):
        return prices
    dated: Mapping[str, Any] = {}
    hourly = []
    for conditional in prices if isinstance(prices, list) else ():
        constraint = conditional.get("constraint")
        if isinstance(constraint, dict) and "start_time" in constraint:
            hourly.append(conditional.get("prices") or {})
        elif _is_begun(constraint, today):
            dated = conditional.get("prices") or {}
    return max([dated, *hourly], key=lambda price: amount(_at_base(price.get("output_mtok")), 1_000_000) or 0)


def _is_begun(constraint: Any, today: datetime.date) -> bool:
    start = constraint.get("start_date") if isinstance(constraint, dict) else None
    return start is None or str(start) <= today.isoformat()


def _take(rates: Rates, price: Mapping[str, Any]) -> None:
    unit = PICO_PER_USD // TOKENS_PER_MTOK
    for theirs, ours in _TOKEN_FIELDS.items():
        value = price.get(theirs)
        base = amount(_at_base(value), unit)
        if base is not None:
            rates.prices[ours] = base
        for tier in value.get("tiers") or () if isinstance(value, dict) else ():
            start, pico = count(tier.get("start")), amount(tier.get("price"), unit)
            if start is not None and pico is not None:
                if start % 1000 == 999:  # "from 200,000" is written 199,999
                    start += 1
                    rates.exact[start] = start - 1
                rates.tiers.setdefault(start, {})[ours] = pico


def _at_base(value: Any) -> Any:
    return value.get("base") if isinstance(value, dict) else value
