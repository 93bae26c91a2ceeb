"""Make src/wicket/providers/prices.json from the package genai-prices (MIT licence).

    python3 -m venv /tmp/prices && /tmp/prices/bin/pip install genai-prices
    /tmp/prices/bin/python scripts/make_prices.py src/wicket/providers/prices.json

Prices that change by the time of day are taken at their dearest, so that a cost is never understated;
prices that rise above a number of input tokens keep their tiers beside the base. Each row's date is the day
it was read; genai-prices itself says since when a price has held.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from genai_prices import data_snapshot, types

PROVIDERS = {  # genai-prices → the catalogue's row
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "gemini",
    "azure": "azure",
    "groq": "groq",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "together": "together",
    "fireworks": "fireworks",
    "x-ai": "xai",
    "cerebras": "cerebras",
    "perplexity": "perplexity",
    "cohere": "cohere",
    "moonshotai": "moonshot",
    "zai": "zai",
    "minimax": "minimax",
    "cloudflare": "cloudflare",
    "novita": "novita",
    "baseten": "baseten",
}
NOT_TEXT = re.compile(
    r"image|audio|realtime|tts|whisper|transcri|moderation|ocr|voxtral|dall|sora|veo|imagen|lyria|rerank|"
    r"computer-use|live|guard|robotics|speech|video|flux|stable-diffusion|translate|orpheus|playai|omni-|"
    r"^ft:|embedding-gecko|native-|research-preview",
    re.IGNORECASE,
)
OLD = re.compile(
    r"^(ada|babbage|curie|davinci|text-davinci|gpt-3\.5-0301|gpt-3\.5-turbo-|gpt-4-32k|gpt-4-vision|"
    r"claude-(instant|2|v1|1)|gemini-1\.|palm|chat-bison|text-bison|llama-2|llama2|llama-3\.1-sonar)"
)
EMBEDS = re.compile(r"embed|bge-|gte-|e5-|m2-bert", re.IGNORECASE)
CLAUDE_IN_GOOGLE = re.compile(r"^(claude|llama|mistral|codestral|jamba|gpt-oss|qwen|deepseek)")
MILLION = Decimal(1_000_000)
FIELDS = {
    "input_mtok": "input_pico",
    "output_mtok": "output_pico",
    "cache_read_mtok": "cached_pico",
    "cache_write_mtok": "cache_write_pico",
}


def pico(usd_per_mtok: Decimal) -> int:
    value = usd_per_mtok * MILLION
    return int(value.to_integral_value(rounding="ROUND_HALF_EVEN"))


def price_now(prices: Any, today: datetime.date) -> Any:
    """The price in force today; among times of day the dearest."""
    if not isinstance(prices, list):
        return prices
    dated, hourly = None, []
    for conditional in prices:
        constraint = conditional.constraint
        if isinstance(constraint, types.TimeOfDateConstraint):
            hourly.append(conditional.prices)
        elif constraint is None or constraint.start_date <= today:
            dated = conditional.prices
    options = [price for price in [dated, *hourly] if price is not None]
    return max(options, key=lambda price: _base(price.output_mtok) or Decimal(0))


def _base(price: Any) -> Decimal | None:
    return price.base if isinstance(price, types.TieredPrices) else price


def values(price: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    starts = set()
    for theirs, ours in FIELDS.items():
        value = getattr(price, theirs, None)
        if value is not None:
            found[ours] = pico(_base(value))
            if isinstance(value, types.TieredPrices):
                starts |= {tier.start for tier in value.tiers}
    per_thousand = getattr(price, "requests_kcount", None)
    if per_thousand is not None:
        found["request_nanos"] = pico(_base(per_thousand))  # 1 USD per 1000 requests = 1e6 nano-USD each
    if starts:
        found["tiers"] = [tier_values(price, start) for start in sorted(starts)]
    return found


def tier_values(price: Any, start: int) -> dict[str, int]:
    tier = {"above_tokens": start}
    for theirs, ours in FIELDS.items():
        value = getattr(price, theirs, None)
        if value is None:
            continue
        amount = _base(value)
        if isinstance(value, types.TieredPrices):
            amount = next((t.price for t in reversed(value.tiers) if t.start <= start), amount)
        tier[ours] = pico(amount)
    return tier


def names(match: Any) -> list[str]:
    if isinstance(match, types.ClauseEquals):
        return [match.equals]
    if isinstance(match, types.ClauseOr):
        return [name for clause in match.or_ for name in names(clause)]
    return []


def is_wanted(row: str, model: Any) -> bool:
    if NOT_TEXT.search(model.id) or OLD.search(model.id):
        return False
    return not (row == "gemini" and CLAUDE_IN_GOOGLE.search(model.id))


def fact(row: str, model: Any, date: str, source: str, today: datetime.date) -> dict[str, Any] | None:
    price = values(price_now(model.prices, today))
    if "input_pico" not in price:
        return None
    found: dict[str, Any] = {
        "provider": row,
        "model": upstream_name(row, model),
        "date": date,
        "source": source,
    }
    price.setdefault("output_pico", 0)
    found |= price
    if model.context_window:
        found["context_tokens"] = model.context_window
    if EMBEDS.search(model.id):
        found["kind"] = "embedding"
    also = sorted({name for name in names(model.match) if name not in (model.id, found["model"])})
    if also:
        found["also"] = also
    if model.deprecated:
        found["is_deprecated"] = True
    return found


def upstream_name(row: str, model: Any) -> str:
    """The name the API wants: genai-prices shortens Fireworks'."""
    if row == "fireworks" and "/" not in model.id:
        return f"accounts/fireworks/models/{model.id}"
    return str(model.id)


def main(target: Path, today: datetime.date) -> None:
    version = importlib.metadata.version("genai-prices")
    date = today.isoformat()
    source = f"genai-prices {version}"
    facts = []
    for provider in data_snapshot.get_snapshot().providers:
        row = PROVIDERS.get(provider.id)
        if row is None:
            continue
        made = [fact(row, model, date, source, today) for model in provider.models if is_wanted(row, model)]
        facts += [one for one in made if one is not None]
    facts.sort(key=lambda one: (list(PROVIDERS.values()).index(one["provider"]), one["model"]))
    head = {"source": source, "licence": "MIT", "generated": date}
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in facts)
    text = json.dumps(head, separators=(",", ":"))[:-1] + ',"models":[\n' + lines + "\n]}\n"
    target.write_text(text)
    print(f"{len(facts)} models, {len(text)} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), datetime.datetime.now(datetime.UTC).date())
