"""LiteLLM's price table (`model_prices_and_context_window.json`, MIT): USD per token, one entry per model.

The keys are `provider/model` or a bare name, and `litellm_provider` says whose. Regional copies
(`azure/eu/…`) and modes that are no request of ours are passed over.
A capability that an entry does not mention is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from wicket.providers.facts import Kind
from wicket.providers.sources.claim import (
    NANOS_PER_USD,
    PICO_PER_USD,
    Claim,
    Rates,
    amount,
    count,
    day,
    is_name,
    is_request_name,
)

_KINDS: dict[str, Kind] = {
    "chat": "chat",
    "responses": "chat",
    "completion": "completion",
    "embedding": "embedding",
    "rerank": "rerank",
    "image_generation": "image",
    "audio_speech": "speech",
    "audio_transcription": "transcription",
    "moderation": "moderation",
}
_TOKEN_FIELDS = {
    "input_cost_per_token": "input_pico",
    "output_cost_per_token": "output_pico",
    "cache_read_input_token_cost": "cached_pico",
    "cache_creation_input_token_cost": "cache_write_pico",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_pico",
    "output_cost_per_reasoning_token": "reasoning_pico",
    "input_cost_per_audio_token": "audio_input_pico",
    "output_cost_per_audio_token": "audio_output_pico",
    "cache_read_input_audio_token_cost": "audio_cached_pico",
    "input_cost_per_image_token": "image_input_pico",
    "output_cost_per_image_token": "image_output_pico",
}
_OTHER_FIELDS = {
    "input_cost_per_request": ("request_nanos", NANOS_PER_USD),
    "input_cost_per_query": ("request_nanos", NANOS_PER_USD),
    "output_cost_per_image": ("image_nanos", NANOS_PER_USD),
    "input_cost_per_image": ("image_input_nanos", NANOS_PER_USD),
    "input_cost_per_second": ("audio_second_nanos", NANOS_PER_USD),
    "input_cost_per_character": ("character_pico", PICO_PER_USD),
}
_SERVICES = {"": "", "_batches": "batch", "_flex": "flex", "_priority": "priority"}
_FEATURES = {
    "supports_function_calling": "tools",
    "supports_vision": "vision",
    "supports_response_schema": "json_schema",
    "supports_reasoning": "reasoning",
    "supports_audio_input": "audio",
    "supports_pdf_input": "pdf",
    "supports_assistant_prefill": "prefill",
}
_PRICE = re.compile(r"(?P<field>.+?)(?:_above_(?P<k>\d+)k_tokens)?(?P<service>_batches|_flex|_priority)?")
_SIZED = re.compile(
    r"(^|/)(\d+-x-\d+|low|medium|high|standard|hd|max-x-max|\d+-steps)/|-(above|to|up-to)-\d|\.\d+b-"
)
_REGION = re.compile(r"(eu|us|global|us-gov|global-standard|us-east-\d|us-west-\d|[a-z]+-[a-z]+-\d|\*)/")
_IMAGE_KEY = re.compile(
    r"(?:azure/|xai/|openai/)?(?:(?P<quality>[a-z]{1,20})/)?"
    r"(?P<width>\d{2,5})-x-(?P<height>\d{2,5})/(?P<name>[^/]+)"
)
_HUGE = 10**9  # tokens: beyond any window
_MODALITIES = ("text", "image", "audio", "video", "pdf")


def read(document: Mapping[str, Any], providers: Iterable[str]) -> dict[str, Claim]:
    """The claims about the models of `providers` (values of `litellm_provider`), by the API's name."""
    wanted = frozenset(providers)
    claims: dict[str, Claim] = {}
    for key, entry in document.items():
        if not isinstance(entry, dict) or entry.get("litellm_provider") not in wanted:
            continue
        name = _api_name(key, wanted)
        kind = _KINDS.get(str(entry.get("mode")))
        if kind is None or not is_request_name(name) or _SIZED.search(name) or _REGION.match(name):
            continue
        if "/" in key or name not in claims:  # `provider/model` stands above a bare name's older entry
            claims[name] = _claim(entry, kind, wanted)
    _take_sizes(document, wanted, claims)
    return claims


def _take_sizes(document: Mapping[str, Any], wanted: frozenset[str], claims: dict[str, Claim]) -> None:
    """Prices of images by quality and size, which stand in entries of their own ("hd/1024-x-1792/NAME")."""
    for key, entry in document.items():
        match = _IMAGE_KEY.fullmatch(key)
        if match is None or not isinstance(entry, dict) or entry.get("litellm_provider") not in wanted:
            continue
        width, height = int(match["width"]), int(match["height"])
        nanos = amount(entry.get("input_cost_per_image"), NANOS_PER_USD)
        if not nanos:  # by the pixel: USD per image, divided; so it is rounded to what was divided
            per_pixel = entry.get("input_cost_per_pixel")
            if isinstance(per_pixel, int | float) and 0 < per_pixel < 1:
                nanos = round(width * height * per_pixel * 1e5) * 10_000
        if nanos and is_request_name(match["name"]):
            claim = claims.setdefault(match["name"], Claim(source="litellm", kind="image"))
            quality = f"{match['quality']}/" if match["quality"] else ""
            claim.image_sizes[f"{quality}{width}x{height}"] = nanos


def _api_name(key: str, providers: Iterable[str]) -> str:
    """The key without the router's own prefix: "gemini/gemini-2.5-pro" is "gemini-2.5-pro"."""
    first, slash, rest = key.partition("/")
    prefixes = {one.split("-")[0] for one in providers} | set(providers) | {"cohere"}
    return rest if slash and first in prefixes else key


def _claim(entry: Mapping[str, Any], kind: Kind, providers: Iterable[str]) -> Claim:
    claim = Claim(source="litellm", kind=kind, needs_responses=entry.get("mode") == "responses")
    for field, value in entry.items():
        _take_price(claim, field, value)
    if kind == "image" and not claim.prices and "image_nanos" not in claim.extras:
        made = claim.extras.pop("image_input_nanos", None)  # the only price of a model that draws
        claim.extras |= {"image_nanos": made} if made else {}
    _take_ranges(claim, entry.get("tiered_pricing"))
    if not any(claim.prices.get(kind) for kind in ("input_pico", "output_pico")):
        claim.prices, claim.tiers = {}, {}  # 0 stands for "not known" as often as for "free"
    claim.max_input_tokens = count(entry.get("max_input_tokens"))
    if kind in ("chat", "completion"):
        claim.max_output_tokens = count(entry.get("max_output_tokens"))
    claim.features = {
        ours: bool(entry[theirs]) for theirs, ours in _FEATURES.items() if isinstance(entry.get(theirs), bool)
    }
    claim.modalities_in = _modalities(entry.get("supported_modalities"))
    claim.modalities_out = _modalities(entry.get("supported_output_modalities"))
    claim.deprecation_date = day(entry.get("deprecation_date"))
    successor = entry.get("successor_model")
    claim.successor = _api_name(str(successor), providers) if is_name(successor) else None
    claim.is_deprecated = claim.successor is not None
    page = entry.get("source")
    claim.page = page if isinstance(page, str) and page.startswith("https://") and page.isascii() else ""
    _take_search(claim, entry.get("search_context_cost_per_query"))
    return claim


def _take_price(claim: Claim, field: str, value: Any) -> None:
    other = _OTHER_FIELDS.get(field)
    if other is not None:
        found = amount(value, other[1])
        if found:
            claim.extras[other[0]] = found
        return
    match = _PRICE.fullmatch(field)
    ours = _TOKEN_FIELDS.get(match["field"]) if match else None
    pico = amount(value, PICO_PER_USD) if ours else None
    if match is None or ours is None or pico is None:
        return
    service = _SERVICES[match["service"] or ""]
    rates: Rates = claim.services.setdefault(service, Rates()) if service else claim
    place = rates.tiers.setdefault(int(match["k"]) * 1000, {}) if match["k"] else rates.prices
    place[ours] = pico


def _take_ranges(claim: Claim, value: Any) -> None:
    """Prices by ranges of input tokens (Qwen's): the first is the price, each further one a tier."""
    for entry in value if isinstance(value, list) else ():
        bounds = entry.get("range") if isinstance(entry, dict) else None
        start = bounds[0] if isinstance(bounds, list) and bounds else None
        if not isinstance(start, int | float) or not 0 <= start < _HUGE:
            continue
        place = claim.tiers.setdefault(int(start), {}) if start else claim.prices
        for field, ours in _TOKEN_FIELDS.items():
            pico = amount(entry.get(field), PICO_PER_USD)
            if pico is not None:
                place[ours] = pico


def _take_search(claim: Claim, value: Any) -> None:
    if isinstance(value, dict):
        found = amount(value.get("search_context_size_medium"), NANOS_PER_USD)
        if found:
            claim.extras["search_nanos"] = found


def _modalities(value: Any) -> tuple[str, ...]:
    return tuple(each for each in _MODALITIES if each in value) if isinstance(value, list) else ()
