"""models.dev's `api.json` (MIT): providers with their models; USD per million tokens, sizes, modalities.

It also lists plans that are paid by the month with prices of 0, so a price of 0 is taken as not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wicket.providers.facts import Kind
from wicket.providers.sources.claim import (
    PICO_PER_USD,
    TOKENS_PER_MTOK,
    Claim,
    amount,
    count,
    is_request_name,
    kind_by_name,
    month,
)

_COSTS = {
    "input": "input_pico",
    "output": "output_pico",
    "cache_read": "cached_pico",
    "cache_write": "cache_write_pico",
    "reasoning": "reasoning_pico",
    "input_audio": "audio_input_pico",
    "output_audio": "audio_output_pico",
}
_ABOVE_200K = "context_over_200k"


def read(document: Mapping[str, Any], providers: Iterable[str]) -> dict[str, Claim]:
    """The claims about the models of `providers` (keys of the document), by the API's name."""
    claims: dict[str, Claim] = {}
    for provider in providers:
        listed = document.get(provider)
        models = listed.get("models") if isinstance(listed, dict) else None
        for name, entry in (models or {}).items():
            if is_request_name(name) and isinstance(entry, dict):
                claims.setdefault(name, _claim(name, entry))
    return claims


def _claim(name: str, entry: Mapping[str, Any]) -> Claim:
    claim = Claim(source="models.dev")
    cost = entry.get("cost")
    if isinstance(cost, dict) and any(cost.get(kind) for kind in ("input", "output")):
        claim.prices = _prices(cost)
        for start, tier in _tiers(cost):
            claim.tiers[start] = _prices(tier)
    limit = entry.get("limit")
    modalities = entry.get("modalities")
    if isinstance(modalities, dict):
        claim.modalities_in = tuple(map(str, modalities.get("input") or ()))
        claim.modalities_out = tuple(map(str, modalities.get("output") or ()))
    claim.kind = _kind(name, claim)
    if isinstance(limit, dict):
        claim.context_tokens = count(limit.get("context"))
        claim.max_input_tokens = count(limit.get("input"))
        if claim.kind == "chat":
            claim.max_output_tokens = count(limit.get("output"))
    claim.features = _features(entry, claim.modalities_in)
    claim.knowledge = month(entry.get("knowledge"))
    claim.is_deprecated = entry.get("status") == "deprecated"
    return claim


def _prices(cost: Mapping[str, Any]) -> dict[str, int]:
    found = {
        ours: amount(cost.get(theirs), PICO_PER_USD // TOKENS_PER_MTOK) for theirs, ours in _COSTS.items()
    }
    prices = {ours: value for ours, value in found.items() if value is not None}
    for kind in ("cached_pico", "cache_write_pico"):
        if not prices.get(kind):  # 0 stands for "none" as often as for "free"
            prices.pop(kind, None)
    return prices


def _tiers(cost: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    tiers = cost.get("tiers")
    if isinstance(tiers, list) and tiers:
        sized = (
            (count((tier.get("tier") or {}).get("size")), tier) for tier in tiers if isinstance(tier, dict)
        )
        return [(start, tier) for start, tier in sized if start is not None]
    above = cost.get(_ABOVE_200K)
    return [(200_000, above)] if isinstance(above, dict) else []


def _kind(name: str, claim: Claim) -> Kind:
    if claim.modalities_out == ("image",):
        return "image"
    if claim.modalities_out == ("audio",):
        return "speech"
    if claim.modalities_in == ("audio",):
        return "transcription"
    return kind_by_name(name)


def _features(entry: Mapping[str, Any], modalities_in: tuple[str, ...]) -> dict[str, bool]:
    said = {"tools": "tool_call", "reasoning": "reasoning", "json_schema": "structured_output"}
    found = {ours: entry[theirs] for ours, theirs in said.items() if isinstance(entry.get(theirs), bool)}
    if modalities_in:
        seen = {"vision": "image", "audio": "audio", "pdf": "pdf"}
        found |= {feature: modality in modalities_in for feature, modality in seen.items()}
    return found
