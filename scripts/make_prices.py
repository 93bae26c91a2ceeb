"""Make src/wicket/providers/prices.json: prices of genai-prices, names and sizes of models.dev (both MIT).

    python3 -m venv /tmp/prices && /tmp/prices/bin/pip install genai-prices
    git clone --depth 1 https://github.com/anomalyco/models.dev /tmp/models.dev
    /tmp/prices/bin/python scripts/make_prices.py src/wicket/providers/prices.json /tmp/models.dev

Prices that change by the time of day are taken at their dearest, so that a cost is never understated;
prices that rise above a number of input tokens keep their tiers beside the base. Each row's date is the day
it was read. genai-prices names families, models.dev names what an API takes: a family gets the name that
models.dev has for it. What only genai-prices has is kept for its price; it is marked so that it is not
listed where it is old or where the provider hosts other people's models, which come and go.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import re
import sys
import tomllib
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
GONE = re.compile(  # withdrawn, or a family's name that no API takes
    r"^(chatgpt-4o|gpt-4\.5|gpt-4o-search|o1-(mini|preview)|codex-mini|gpt-4o-mini-2024-07-18\.ft|claude-3-|"
    r"gemini-(flash-1|pro|nano)|gemma-|grok-2|command($|-)|c4ai|mi[sx]tral-(7b|8x|nemo|saba|large$|medium-23|"
    r"small-(24b|3\.))|ministral-[38]b$|pixtral|codestral$|deepseek-v3\.|r1-1776|sonar-(reasoning$|pro-search)|"
    r"minimax-(01|m1)|M2-her|perplexity/|pplx-|gpt-oss-|zai-glm|deepseek-v4-1-flash|GLM-4-32B)|:extended$"
)
CLAUDE_IN_GOOGLE = re.compile(r"^(claude|llama|mistral|codestral|jamba|gpt-oss|qwen|deepseek)")
FOLDERS = {  # the catalogue's row → models.dev's folder, where it differs
    "together": "togetherai",
    "fireworks": "fireworks-ai",
    "moonshot": "moonshotai",
    "cloudflare": "cloudflare-workers-ai",
    "novita": "novita-ai",
    "gemini": "google",
}
HOSTERS = {"groq", "together", "fireworks", "cerebras", "cloudflare", "novita", "baseten"}
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


def sizes_of(folder: Path, row: str) -> dict[str, dict[str, Any]]:
    """models.dev's entries of one provider by model name."""
    models = folder / "providers" / FOLDERS.get(row, row) / "models"
    return {
        str(path.relative_to(models).with_suffix("")): tomllib.loads(path.read_text())
        for path in sorted(models.rglob("*.toml"))
    }


def add_sizes(found: dict[str, Any], match: Any, sizes: dict[str, dict[str, Any]]) -> None:
    """Take over models.dev's names and sizes, or mark a model that it does not know."""
    names = [name for name in sizes if name == found["model"] or match.is_match(name.lower())]
    if found["provider"] == "gemini":  # its "-latest" names move from model to model
        names = [name for name in names if not name.endswith("-latest")]
    if not names:
        if found["provider"] in HOSTERS or GONE.search(found["model"]):
            found["is_deprecated"] = True
        return
    current = [name for name in names if sizes[name].get("status") != "deprecated"]
    if not current:
        found["is_deprecated"] = True
    best = found["model"] if found["model"] in names else max(current or names, key=_currency)
    also = {*found.get("also", []), *names, found["model"]} - {best}
    found["model"] = best
    if also:
        found["also"] = sorted(also)
    limit = sizes[best].get("limit", {})
    for theirs, ours in (("context", "context_tokens"), ("output", "max_output_tokens")):
        if limit.get(theirs) and not (found.get("kind") == "embedding" and theirs == "output"):
            found[ours] = limit[theirs]


def _currency(name: str) -> tuple[bool, str]:
    return name.endswith("-latest"), name


def fact(row: str, model: Any, source: str, today: datetime.date) -> dict[str, Any] | None:
    date = today.isoformat()
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


def all_facts(folder: Path, source: str, today: datetime.date) -> list[dict[str, Any]]:
    facts = []
    for provider in data_snapshot.get_snapshot().providers:
        row = PROVIDERS.get(provider.id)
        if row is None:
            continue
        sizes = sizes_of(folder, row)
        for model in provider.models:
            one = fact(row, model, source, today) if is_wanted(row, model) else None
            if one is not None:
                add_sizes(one, model.match, sizes)
                facts.append(one)
    return sorted(facts, key=lambda one: (list(PROVIDERS.values()).index(one["provider"]), one["model"]))


def main(target: Path, folder: Path) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    source = f"genai-prices {importlib.metadata.version('genai-prices')}"
    facts = all_facts(folder, source, today)
    head = {"source": f"{source}; sizes: models.dev", "licence": "MIT", "generated": today.isoformat()}
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in facts)
    text = json.dumps(head, separators=(",", ":"))[:-1] + ',"models":[\n' + lines + "\n]}\n"
    target.write_text(text)
    listed = sum(not one.get("is_deprecated") for one in facts)
    sized = sum("max_output_tokens" in one for one in facts)
    print(f"{len(facts)} models, {listed} listed, {sized} with an output limit, {len(text)} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
