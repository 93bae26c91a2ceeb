"""Recorded answers of real providers, priced by us and by the provider's own formula.

The second answer is worked out here, in fractions, from the provider's own JSON and the prices on its page.
The numbers are those of the page on the day in `READ`, whatever the catalogue has now.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import genai_prices
import msgspec
import pytest

from wicket.accounts.cost import bound_fees_nanos, cost_nanos, price_pico
from wicket.accounts.kinds import with_unpriced
from wicket.accounts.price import Price
from wicket.dialects.contract import Api, Counts, module
from wicket.dialects.openai_chat.apis import GENERATIONS
from wicket.dialects.openai_chat.media import read_json
from wicket.gateway.counting import usage_of
from wicket.providers import catalogue
from wicket.providers.facts import Prices, ServicePrices, Tier
from wicket.providers.tariff import Fees, make_tariff, tariff_of
from wicket.recordings.folder import Folder
from wicket.wire.sse import FrameSplitter, payload

CASSETTES = Path(__file__).parents[2] / "data" / "cassettes"
READ = "2026-11-27"
MILLION = 1_000_000

# USD per million tokens, by the pages named beside them
ANTHROPIC = "https://platform.claude.com/docs/en/about-claude/pricing"
SONNET_45 = {
    "input": "3",
    "output": "15",
    "cached": "0.3",
    "cache_write": "3.75",
    "cache_write_1h": "6",
}  # and 10 USD per 1,000 searches
BEDROCK = "https://aws.amazon.com/bedrock/pricing/"
BEDROCK_SONNET_45 = {"input": "3.3", "output": "16.5", "cached": "0.33", "cache_write": "4.125"}
OPENAI = "https://developers.openai.com/api/docs/pricing"
GPT_5 = {"input": "1.25", "output": "10", "cached": "0.125"}  # and 10 USD per 1,000 searches
GPT_5_NANO = {"input": "0.05", "output": "0.4", "cached": "0.005"}
GPT_4O_AUDIO = {"input": "2.5", "output": "10", "audio_input": "40", "audio_output": "80"}
GPT_4O_MINI_AUDIO = {"input": "0.15", "output": "0.6", "audio_input": "10", "audio_output": "20"}
GOOGLE = "https://ai.google.dev/gemini-api/docs/pricing"  # "output price (including thinking tokens)"
GEMINI_25_FLASH = {"input": "0.3", "output": "2.5", "cached": "0.03", "audio_input": "1"}
VERTEX = "https://cloud.google.com/vertex-ai/generative-ai/pricing"
GEMINI_3_FLASH = {"input": "0.5", "output": "3", "cached": "0.05"}
GEMINI_3_FLASH_FLEX = {"input": "0.25", "output": "1.5"}
DEEPSEEK = "https://api-docs.deepseek.com/quick_start/pricing"  # peak hours
DEEPSEEK_FLASH = {"input": "0.3", "output": "1.2", "cached": "0.006"}
MISTRAL = "https://docs.mistral.ai/models/mistral-large-3-25-12"
MISTRAL_LARGE = {"input": "0.5", "output": "1.5", "cached": "0.05"}
COHERE = "https://cohere.com/pricing"
COMMAND_R7B = {"input": "0.0375", "output": "0.15"}
GROQ = "https://groq.com/pricing"
SCOUT = {"input": "0.11", "output": "0.34"}
OPENROUTER = "https://openrouter.ai/anthropic/claude-sonnet-4.6"
SONNET_46 = {"input": "3", "output": "15", "cached": "0.3", "cache_write": "3.75"}

XAI = "https://docs.x.ai/developers/pricing"

Table = dict[str, str]
Formula = Callable[[dict[str, Any], dict[str, Fraction]], Fraction]


def kinds(table: Table) -> dict[str, int]:
    return {f"{name}_pico": price_pico(usd) for name, usd in table.items()}


def price(table: Table, services: dict[str, Table] | None = None, **fees: Any) -> Price:
    prices = Prices(**kinds(table))
    others = {name: ServicePrices(**kinds(one)) for name, one in (services or {}).items()}
    tariff = make_tariff(prices, (), others, Fees(**fees))
    plain = (prices.cached_pico, prices.cache_write_pico)
    return Price("p/m@1", prices.input_pico or 0, prices.output_pico or 0, *plain, 0, tariff)


def answers(file: str) -> list[Any]:
    path = CASSETTES / file
    return [one for one in Folder(path.parent).read(path.name) if one.status == 200 and one.method == "POST"]


def anthropic(usage: dict[str, Any], usd: dict[str, Fraction]) -> Fraction:
    written = usage.get("cache_creation") or {}
    hour = written.get("ephemeral_1h_input_tokens", 0)
    searches = (usage.get("server_tool_use") or {}).get("web_search_requests", 0)
    return (
        usage["input_tokens"] * usd["input"]
        + usage["cache_read_input_tokens"] * usd["cached"]
        + (usage["cache_creation_input_tokens"] - hour) * usd["cache_write"]
        + hour * usd["cache_write_1h"]
        + usage["output_tokens"] * usd["output"]
    ) + searches * Fraction(10, 1_000)


def bedrock(usage: dict[str, Any], usd: dict[str, Fraction]) -> Fraction:
    return (
        usage["inputTokens"] * usd["input"]
        + usage["cacheReadInputTokens"] * usd["cached"]
        + usage["cacheWriteInputTokens"] * usd["cache_write"]
        + usage["outputTokens"] * usd["output"]
    )


def openai_chat(usage: dict[str, Any], usd: dict[str, Fraction]) -> Fraction:
    read, said = usage["prompt_tokens_details"], usage["completion_tokens_details"]
    cached, heard, spoken = read["cached_tokens"], read["audio_tokens"], said["audio_tokens"]
    return (
        (usage["prompt_tokens"] - cached - heard) * usd["input"]
        + cached * usd.get("cached", usd["input"])
        + heard * usd.get("audio_input", usd["input"])
        + (usage["completion_tokens"] - spoken) * usd["output"]  # reasoning is in it, at the same price
        + spoken * usd.get("audio_output", usd["output"])
    )


def openai_responses(usage: dict[str, Any], usd: dict[str, Fraction]) -> Fraction:
    cached = usage["input_tokens_details"]["cached_tokens"]
    tokens = (usage["input_tokens"] - cached) * usd["input"] + cached * usd["cached"]
    return tokens + usage["output_tokens"] * usd["output"] + Fraction(10, 1_000)  # one search


def gemini(usage: dict[str, Any], usd: dict[str, Fraction]) -> Fraction:
    given = usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)
    made = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    return given * usd["input"] + made * usd["output"]


def deepseek(usage: dict[str, Any], usd: dict[str, Fraction]) -> Fraction:
    hit, miss = usage["prompt_cache_hit_tokens"], usage["prompt_cache_miss_tokens"]
    return hit * usd["cached"] + miss * usd["input"] + usage["completion_tokens"] * usd["output"]


def mistral(usage: dict[str, Any], usd: dict[str, Fraction]) -> Fraction:
    cached = usage["num_cached_tokens"]
    given = (usage["prompt_tokens"] - cached) * usd["input"] + cached * usd["cached"]
    return given + usage["completion_tokens"] * usd["output"]


def cohere(usage: dict[str, Any], usd: dict[str, Fraction]) -> Fraction:
    billed = usage["billed_units"]
    return billed["input_tokens"] * usd["input"] + billed["output_tokens"] * usd["output"]


def plain(usage: dict[str, Any], usd: dict[str, Fraction]) -> Fraction:
    return usage["prompt_tokens"] * usd["input"] + usage["completion_tokens"] * usd["output"]


def grounded(fee: Fraction, *, is_per_query: bool) -> Formula:
    """Gemini 2.5 and before: a fee per grounded prompt; from Gemini 3 on per query, empty ones left out."""

    def formula(usage: dict[str, Any], usd: dict[str, Fraction]) -> Fraction:
        queries = {query for query in usage["webSearchQueries"] if query}
        return gemini(usage, usd) + fee * (len(queries) if is_per_query else bool(queries))

    return formula


SEARCH = {"search_nanos": 10_000_000}
GROUNDING = "https://ai.google.dev/gemini-api/docs/google-search"
PER_PROMPT, PER_QUERY = Fraction(35, 1_000), Fraction(14, 1_000)
CASES: list[tuple[str, int, str, Table, Formula, Price, str]] = [
    (
        "anthropic/cache.yaml",
        0,
        "anthropic_messages",
        SONNET_45,
        anthropic,
        price(SONNET_45, **SEARCH),
        ANTHROPIC,
    ),
    (
        "anthropic/web_search_thinking.yaml",
        0,
        "anthropic_messages",
        SONNET_45,
        anthropic,
        price(SONNET_45, **SEARCH),
        ANTHROPIC,
    ),
    (
        "bedrock/cache.yaml",
        0,
        "bedrock_converse",
        BEDROCK_SONNET_45,
        bedrock,
        price(BEDROCK_SONNET_45),
        BEDROCK,
    ),
    ("openai/audio_in.yaml", 0, "openai_chat", GPT_4O_AUDIO, openai_chat, price(GPT_4O_AUDIO), OPENAI),
    (
        "openai/audio_out.yaml",
        0,
        "openai_chat",
        GPT_4O_MINI_AUDIO,
        openai_chat,
        price(GPT_4O_MINI_AUDIO),
        OPENAI,
    ),
    ("openai/reasoning.yaml", 0, "openai_chat", GPT_5_NANO, openai_chat, price(GPT_5_NANO), OPENAI),
    (
        "openai/responses_web_search.yaml",
        0,
        "openai_responses",
        GPT_5,
        openai_responses,
        price(GPT_5, **SEARCH),
        OPENAI,
    ),
    ("gemini/text.yaml", 0, "gemini", GEMINI_25_FLASH, gemini, price(GEMINI_25_FLASH), GOOGLE),
    *[
        (
            file,
            0,
            "gemini",
            GEMINI_25_FLASH,
            grounded(PER_PROMPT, is_per_query=False),
            price(GEMINI_25_FLASH, search_nanos=35_000_000, is_search_per_request=True),
            GROUNDING,
        )
        for file in ("gemini/web_search.yaml", "gemini/web_searches.yaml")
    ],
    (
        "gemini/web_search_gemini_3.yaml",
        0,
        "gemini",
        GEMINI_3_FLASH,
        grounded(PER_QUERY, is_per_query=True),
        price(GEMINI_3_FLASH, search_nanos=14_000_000),
        GROUNDING,
    ),
    (
        "vertex_gemini/service_flex.yaml",
        0,
        "gemini",
        GEMINI_3_FLASH_FLEX,
        gemini,
        price(GEMINI_3_FLASH, {"flex": GEMINI_3_FLASH_FLEX}),
        VERTEX,
    ),
    (
        "deepseek/thinking_tools_turns.yaml",
        0,
        "openai_chat",
        DEEPSEEK_FLASH,
        deepseek,
        price(DEEPSEEK_FLASH),
        DEEPSEEK,
    ),
    ("mistral/tools_turns.yaml", 0, "openai_chat", MISTRAL_LARGE, mistral, price(MISTRAL_LARGE), MISTRAL),
    ("cohere/cached_usage.yaml", 0, "cohere", COMMAND_R7B, cohere, price(COMMAND_R7B), COHERE),
    ("groq/tools_turns.yaml", 0, "openai_chat", SCOUT, plain, price(SCOUT), GROQ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_recorded_answer_costs_what_the_provider_says(
    case: tuple[str, int, str, Table, Formula, Price, str],
) -> None:
    file, place, dialect, table, formula, row, page = case
    data = answers(file)[place].response.body
    counts = module(dialect).whole(data, conversation(dialect)).counts
    assert counts is not None and page.startswith("https://") and READ
    said = json.loads(data)
    usage = said.get("usage") or said.get("usageMetadata")
    for candidate in said.get("candidates", ()):
        usage |= candidate.get("groundingMetadata", {})
    exact = formula(usage, {name: Fraction(usd) / MILLION for name, usd in table.items()})
    assert exact > 0 and cost_nanos(row, usage_of(counts)) == round(exact * 1_000_000_000)


def conversation(dialect: str) -> Api:
    return module(dialect).APIS[0]


def test_a_router_bills_what_its_own_answer_says() -> None:
    """OpenRouter's `usage.cost` is what it took from the account: a third answer (its page: `OPENROUTER`)."""
    assert OPENROUTER.startswith("https://openrouter.ai/")
    seen = 0
    for one in answers("openrouter/stream_cache.yaml"):
        found = re.search(rb'"cost":\s*([0-9.e-]+)', one.response.body)
        splitter, counts = FrameSplitter(), None
        for frame in splitter.feed(one.response.body):
            data = payload(frame)
            counts = (module("openai_chat").frame(data).counts if data else None) or counts
        assert found is not None and counts is not None
        billed = Decimal(found[1].decode()) * 1_000_000_000
        assert cost_nanos(price(SONNET_46), usage_of(counts)) == int(billed)
        seen += 1
    assert seen


def test_what_nobody_knows_a_price_of_is_named() -> None:
    """OpenAI bills file searches by the call: the catalogues have no such price, so the sum is without it."""
    data = next(
        one.response.body
        for one in answers("openai/responses_file_search.yaml")
        if b"file_search_call" in one.response.body
    )
    counts = module("openai_responses").whole(data, conversation("openai_responses")).counts
    assert counts is not None
    row = price(GPT_5)
    used = with_unpriced(row, usage_of(counts))
    assert used.other is not None and used.other.unpriced == ("file_search",)
    assert cost_nanos(row, used) > 0


def test_a_search_without_a_price_is_named_and_one_with_it_is_not() -> None:
    data = answers("gemini/web_searches.yaml")[0].response.body
    counts = module("gemini").whole(data, conversation("gemini")).counts
    assert counts is not None and counts.searches == 2
    used = with_unpriced(price(GEMINI_25_FLASH), usage_of(counts))
    assert used.other is not None and used.other.unpriced == ("searches",)
    priced = with_unpriced(price(GEMINI_25_FLASH, search_nanos=35_000_000), usage_of(counts))
    assert priced.other is not None and priced.other.unpriced == ()


@pytest.mark.parametrize(("given", "usd"), [(199_999, "2"), (200_000, "4"), (200_001, "4")])
def test_a_long_request_begins_where_the_page_says(given: int, usd: str) -> None:
    """xAI: "once its prompt reaches the model's long context threshold" (200k), all of its tokens."""
    fact = catalogue.fact_of("xai", "grok-4.7")
    assert fact is not None and XAI.startswith("https://")
    row = Price("p", fact.input_pico or 0, fact.output_pico or 0, fact.cached_pico, None, 0, tariff_of(fact))
    assert cost_nanos(row, usage_of(Counts(given))) == given * int(usd) * 1_000


PICTURES = "https://developers.openai.com/api/docs/pricing"
GPT_IMAGE_15 = {"input": "5", "output": "10", "image_input": "8", "image_output": "32"}


def test_a_picture_costs_its_image_tokens_and_its_words_their_own() -> None:
    """OpenAI's `ImagesResponse.usage`: what is not said to be text is the picture's."""
    told = {"input_tokens": 300, "input_tokens_details": {"text_tokens": 100, "image_tokens": 200}}
    told |= {"output_tokens": 1_100, "output_tokens_details": {"text_tokens": 100, "image_tokens": 1_000}}
    body = {"created": 1, "data": [{"b64_json": "AA=="}], "size": "1024x1024", "quality": "low"}
    for usage, micro_usd in (
        (told, 100 * 5 + 200 * 8 + 1_000 * 32 + 100 * 10),
        ({**told, "output_tokens_details": None}, 500 + 1_600 + 1_100 * 32),
    ):
        counts = read_json(json.dumps({**body, "usage": usage}).encode(), GENERATIONS).counts
        assert counts is not None and counts.image_size == "low/1024x1024" and PICTURES
        assert cost_nanos(price(GPT_IMAGE_15), usage_of(counts)) == micro_usd * 1_000


def test_a_picture_without_tokens_costs_by_its_quality_and_size_or_is_named() -> None:
    sizes = {"hd/1024x1792": 120_000_000, "1024x1024": 40_000_000}
    row = price({}, image_sizes=sizes)
    body = json.dumps({"data": [{"url": "x"}, {"url": "y"}]}).encode()
    for asked, nanos, missing in (
        ({"size": "1024x1792", "quality": "hd"}, 240_000_000, ()),
        ({"size": "1024x1024", "quality": "standard"}, 80_000_000, ()),
        ({"size": "auto"}, 0, ("images",)),
        ({}, 0, ("images",)),
    ):
        fields = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in asked.items()}
        counts = read_json(body, GENERATIONS, fields).counts
        assert counts is not None
        used = with_unpriced(row, usage_of(counts))
        assert used.other is not None and used.other.unpriced == missing
        assert cost_nanos(row, used) == nanos <= bound_fees_nanos(row, used.other)


GENAI = [
    ("openai", "gpt-4o-mini", {"input_tokens": 5_000, "cache_read_tokens": 4_096, "output_tokens": 321}),
    (
        "anthropic",
        "claude-sonnet-4-5",
        {"input_tokens": 9_001, "cache_read_tokens": 7_000, "output_tokens": 7},
    ),
    (
        "anthropic",
        "claude-sonnet-4-5",
        {"input_tokens": 5_000, "cache_read_tokens": 1_000, "cache_write_tokens": 3_000, "output_tokens": 9},
    ),
    ("google", "gemini-2.5-pro", {"input_tokens": 200_000, "output_tokens": 100}),
    ("google", "gemini-2.5-pro", {"input_tokens": 200_001, "cache_read_tokens": 9, "output_tokens": 100}),
    ("google", "gemini-2.5-flash", {"input_tokens": 900, "input_audio_tokens": 600, "output_tokens": 50}),
    ("deepseek", "deepseek-v4-flash", {"input_tokens": 563, "cache_read_tokens": 512, "output_tokens": 116}),
]


@pytest.mark.parametrize(("provider", "model", "used"), GENAI)
def test_another_library_comes_to_the_same(provider: str, model: str, used: dict[str, int]) -> None:
    """Only the arithmetic is compared: the prices are the other library's own."""
    theirs = genai_prices.calc_price(genai_prices.Usage(**used), model_ref=model, provider_id=provider)
    row = theirs_as_ours(theirs.model_price)
    counts = Counts(
        used["input_tokens"],
        used["output_tokens"],
        used.get("cache_read_tokens", 0),
        used.get("cache_write_tokens", 0),
        input_audio_tokens=used.get("input_audio_tokens", 0),
    )
    ours = cost_nanos(row, usage_of(counts))
    assert ours == round(Fraction(theirs.total_price) * 1_000_000_000)


def theirs_as_ours(found: Any) -> Price:
    """The other library's price as ours: a field is a number, or a base with tiers above it."""
    names = {
        "input_mtok": "input",
        "output_mtok": "output",
        "cache_read_mtok": "cached",
        "cache_write_mtok": "cache_write",
        "input_audio_mtok": "audio_input",
        "cache_audio_read_mtok": "audio_cached",
    }
    base: dict[str, int] = {}
    steps: dict[int, dict[str, int]] = {}
    for theirs, ours in names.items():
        value = getattr(found, theirs, None)
        if value is None:
            continue
        base[f"{ours}_pico"] = price_pico(Decimal(getattr(value, "base", value)))
        for tier in getattr(value, "tiers", ()):
            steps.setdefault(tier.start, {})[f"{ours}_pico"] = price_pico(Decimal(tier.price))
    tiers = tuple([Tier(**kinds, above_tokens=start) for start, kinds in steps.items()])
    prices = Prices(**base)
    tariff = make_tariff(prices, tiers, {}, Fees())
    two = (prices.input_pico or 0, prices.output_pico or 0)
    return Price("p", *two, prices.cached_pico, prices.cache_write_pico, 0, tariff)
