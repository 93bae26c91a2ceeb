"""Some forty well-known models, field by field, as compared by hand on 2026-11-27.

Prices are of the pages that the rows name, as all sources have them that price the model; windows and limits
are those of models.dev, which has them of the providers' model pages.
"""

import pytest

from wicket.providers import catalogue
from wicket.providers.sources import corrections

# input, output, cached, cache write: USD per million tokens; window, output limit: tokens
KNOWN: dict[str, tuple[float, float, float | None, float | None, int, int]] = {
    "openai/gpt-4o": (2.5, 10, 1.25, None, 128_000, 16_384),
    "openai/gpt-4o-mini": (0.15, 0.6, 0.075, None, 128_000, 16_384),
    "openai/gpt-4.1": (2, 8, 0.5, None, 1_047_576, 32_768),
    "openai/gpt-4.1-mini": (0.4, 1.6, 0.1, None, 1_047_576, 32_768),
    "openai/gpt-4": (30, 60, None, None, 8_192, 8_192),
    "openai/gpt-5.6-sol": (4, 20, 0.4, 5, 1_050_000, 128_000),
    "anthropic/claude-opus-4-6": (5, 25, 0.5, 6.25, 1_000_000, 128_000),
    "anthropic/claude-sonnet-4-6": (3, 15, 0.3, 3.75, 1_000_000, 128_000),
    "xai/grok-4.7": (2, 6, 0.5, None, 500_000, 500_000),
    "cohere/command-a-reasoning-08-2025": (2.5, 10, None, None, 256_000, 32_000),
    "openai/gpt-5": (1.25, 10, 0.125, None, 400_000, 128_000),
    "openai/gpt-5-mini": (0.25, 2, 0.025, None, 400_000, 128_000),
    "openai/gpt-5-nano": (0.05, 0.4, 0.005, None, 400_000, 128_000),
    "openai/o3": (2, 8, 0.5, None, 200_000, 100_000),
    "openai/o4-mini": (1.1, 4.4, 0.275, None, 200_000, 100_000),
    "anthropic/claude-sonnet-4-5": (3, 15, 0.3, 3.75, 200_000, 64_000),
    "anthropic/claude-opus-4-5": (5, 25, 0.5, 6.25, 200_000, 64_000),
    "anthropic/claude-opus-4-1": (15, 75, 1.5, 18.75, 200_000, 32_000),
    "anthropic/claude-sonnet-4-20250514": (3, 15, 0.3, 3.75, 200_000, 64_000),
    "anthropic/claude-haiku-4-5": (1, 5, 0.1, 1.25, 200_000, 64_000),
    "gemini/gemini-2.5-pro": (1.25, 10, 0.125, None, 1_048_576, 65_536),
    "gemini/gemini-2.5-flash": (0.3, 2.5, 0.03, None, 1_048_576, 65_536),
    "gemini/gemini-2.5-flash-lite": (0.1, 0.4, 0.01, None, 1_048_576, 65_536),
    "deepseek/deepseek-v4-pro": (1.32, 3.96, 0.044, None, 1_000_000, 393_216),
    "mistral/mistral-large-latest": (0.5, 1.5, 0.05, None, 262_144, 262_144),
    "mistral/mistral-small-latest": (0.15, 0.6, 0.015, None, 256_000, 256_000),
    "groq/llama-3.3-70b-versatile": (0.59, 0.79, None, None, 131_072, 32_768),
    "groq/llama-3.1-8b-instant": (0.05, 0.08, None, None, 131_072, 131_072),
    "xai/grok-4.3": (1.25, 2.5, 0.2, None, 1_000_000, 30_000),
    "cohere/command-a-03-2025": (2.5, 10, None, None, 256_000, 8_000),
    "cohere/command-r-plus-08-2024": (2.5, 10, None, None, 128_000, 4_096),
}
FEATURES = {
    "openai/gpt-4o": "tools vision json_schema pdf",
    "openai/o3": "tools vision json_schema reasoning pdf",
    "anthropic/claude-sonnet-4-5": "tools vision json_schema reasoning pdf prefill",
    "gemini/gemini-2.5-pro": "tools vision json_schema reasoning audio pdf",
    "groq/llama-3.3-70b-versatile": "tools",
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_well_known_model(name: str) -> None:
    provider, _, model = name.partition("/")
    fact = catalogue.fact_of(provider, model)
    assert fact is not None and fact.model == model and fact.kind == "chat"
    amounts = (fact.input_pico, fact.output_pico, fact.cached_pico, fact.cache_write_pico)
    usd = tuple(None if pico is None else pico / 1e6 for pico in amounts)
    assert (*usd, fact.context_tokens, fact.max_output_tokens) == KNOWN[name]
    assert "text" in fact.modalities_in and fact.modalities_out == ("text",)


ALL = "text image audio video pdf"
# The pages that say so, as they were read on 2026-11-27 (the day of the stored copy, where it was known)
CLAUDE_ENDS = "https://platform.claude.com/docs/en/about-claude/model-deprecations"  # of 2026-08-22
CLAUDE = "https://platform.claude.com/docs/en/about-claude/models/overview"  # of 2026-08-22
CLAUDE_45 = "https://platform.claude.com/docs/en/models/sonnet-4-5/overview"
OPENAI_ENDS = "https://developers.openai.com/api/docs/deprecations"
GPT_4 = "https://developers.openai.com/api/docs/models/gpt-4"
SOL = "https://developers.openai.com/api/docs/models/gpt-5.6-sol"
AZURE = "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/models"  # of 2025-06-25
GOOGLE_ENDS = "https://ai.google.dev/gemini-api/docs/deprecations"
GROQ = "https://console.groq.com/docs/deprecations"
DEEPSEEK = "https://api-docs.deepseek.com/quick_start/pricing"
COHERE = "https://docs.cohere.com/docs/command-a-reasoning"
NOBODY = ""  # no page was read: as the open catalogues have it
# knowledge, announced end, successor, what it takes, and where that was read
ENDS: dict[str, tuple[str | None, str | None, str | None, str, str]] = {
    "openai/gpt-4": ("2023-12", "2026-10-23", "gpt-5.6-sol", "text", GPT_4),
    "openai/gpt-4o": ("2023-10", "2027-01-14", "gpt-6-luna", "text image pdf", AZURE),
    "openai/gpt-4o-mini": ("2023-10", "2027-01-14", "gpt-6-luna", "text image pdf", AZURE),
    "openai/gpt-4.1": ("2024-05-31", "2027-01-14", "gpt-6-luna", "text image pdf", AZURE),
    "openai/gpt-4.1-mini": ("2024-05-31", "2027-01-14", "gpt-6-luna", "text image pdf", AZURE),
    "openai/gpt-5": ("2024-09-30", "2026-12-11", "gpt-6.1-sol", "text image pdf", OPENAI_ENDS),
    "openai/gpt-5-mini": ("2024-05-30", "2026-12-11", "gpt-6.1-terra", "text image pdf", OPENAI_ENDS),
    "openai/gpt-5.1": ("2024-09-30", "2027-04-01", "gpt-6-sol", "text image pdf", NOBODY),
    "openai/gpt-5.6-sol": ("2026-02-16", None, None, "text image pdf", SOL),
    "openai/o3": ("2024-05", "2026-12-11", "gpt-5.6-sol", "text image pdf", AZURE),
    "openai/o4-mini": ("2024-05", "2026-10-23", "gpt-5.6-terra", "text image pdf", AZURE),
    "openai/o3-mini": ("2023-10", "2026-10-23", "gpt-5.6-sol", "text", AZURE),
    "openai/text-embedding-3-small": ("2024-01", None, None, "text", NOBODY),
    "anthropic/claude-opus-4-1": (
        "2025-03-31",
        "2026-08-05",
        "claude-opus-4-8",
        "text image pdf",
        CLAUDE_ENDS,
    ),
    "anthropic/claude-opus-4-5": ("2025-05", None, None, "text image pdf", CLAUDE),
    "anthropic/claude-opus-4-6": ("2025-05-31", None, None, "text image pdf", CLAUDE),
    "anthropic/claude-sonnet-4-20250514": (
        "2025-03-31",
        "2026-06-15",
        "claude-sonnet-4-6",
        "text image pdf",
        CLAUDE_ENDS,
    ),
    "anthropic/claude-sonnet-4-5": (
        "2025-01",
        "2026-11-30",
        "claude-sonnet-5-5",
        "text image pdf",
        CLAUDE_45,
    ),
    "anthropic/claude-sonnet-4-6": ("2025-08-31", None, None, "text image pdf", CLAUDE),
    "anthropic/claude-haiku-4-5": ("2025-02-28", None, None, "text image pdf", CLAUDE),
    "anthropic/claude-3-haiku-20240307": (
        "2023-08-31",
        "2026-04-20",
        "claude-haiku-4-5-20251001",
        "text image pdf",
        CLAUDE_ENDS,
    ),
    "gemini/gemini-2.5-pro": ("2025-01", "2026-12-01", "gemini-3.8-flash", ALL, GOOGLE_ENDS),
    "gemini/gemini-2.5-flash": ("2025-01", "2026-12-01", "gemini-3.5-flash-lite", ALL, GOOGLE_ENDS),
    "gemini/gemini-2.5-flash-lite": ("2025-01", None, None, ALL, GOOGLE_ENDS),
    "mistral/mistral-large-latest": ("2024-11", None, None, "text image", NOBODY),
    "deepseek/deepseek-chat": ("2025-09", "2026-07-24", None, "text", NOBODY),
    "deepseek/deepseek-v4-pro": ("2025-05", None, None, "text", DEEPSEEK),
    "xai/grok-4": (None, None, None, "", NOBODY),
    "xai/grok-4.7": (None, None, None, "text image", NOBODY),
    "groq/llama-3.3-70b-versatile": ("2023-12", "2026-08-16", "openai/gpt-oss-120b", "text", GROQ),
    "groq/llama-3.1-8b-instant": ("2023-12", "2026-08-16", "openai/gpt-oss-20b", "text", GROQ),
    "cohere/command-a-03-2025": ("2024-06-01", None, None, "text", NOBODY),
    "cohere/command-a-reasoning-08-2025": ("2024-06-01", None, None, "text", COHERE),
    "moonshot/kimi-k2.6": ("2025-01", None, None, "text image video", NOBODY),
    "qwen/qwen-max": ("2024-04", None, None, "text", NOBODY),
    "qwen/qwen3-max": ("2025-04", None, None, "text", NOBODY),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_it_knows_takes_and_when_it_ends(name: str) -> None:
    provider, _, model = name.partition("/")
    fact = catalogue.fact_of(provider, model)
    assert fact is not None
    said = (fact.knowledge, fact.deprecation_date, fact.successor, " ".join(fact.modalities_in))
    *expected, page = ENDS[name]
    assert said == tuple(expected) and (not page or page.startswith("https://"))


def test_what_a_page_corrects_says_so_and_names_it() -> None:
    fact = catalogue.fact_of("anthropic", "claude-opus-4-1")
    assert fact is not None and fact.is_deprecated and len(fact.corrected) == 2
    assert all(CLAUDE_ENDS in line and "read 2026-11-27" in line for line in fact.corrected)
    named = {
        f"{one.provider}/{one.model}"
        for one in [fact for facts in catalogue.facts().models.values() for fact in facts]
        if one.corrected
    }
    assert named <= set(corrections.shipped()) and len(named) > 30


def test_one_maker_s_models_are_not_listed_as_another_s() -> None:
    for row in ("gemini", "vertex"):
        names = [fact.model for fact in catalogue.models_of(row)]
        assert names and not [name for name in names if "claude" in name or "/" in name]
    claudes = [fact.model for fact in catalogue.models_of("vertex-anthropic")]
    assert "claude-sonnet-4-5@20250929" in claudes and all(name.startswith("claude") for name in claudes)
    partners = [fact.model for fact in catalogue.models_of("vertex-partners")]
    assert "meta/llama-3.3-70b-instruct-maas" in partners and all("/" in name for name in partners)


@pytest.mark.parametrize("name", FEATURES)
def test_its_features(name: str) -> None:
    provider, _, model = name.partition("/")
    fact = catalogue.fact_of(provider, model)
    assert fact is not None
    assert {feature for feature, has in fact.features.items() if has} == set(FEATURES[name].split())


def test_prices_by_class_of_service_and_length() -> None:
    gpt = catalogue.fact_of("openai", "gpt-5")
    assert gpt is not None and gpt.max_input_tokens == 272_000
    assert {name: service.output_pico for name, service in gpt.services.items()} == {
        "batch": 5_000_000, "flex": 5_000_000, "priority": 20_000_000,
    }  # fmt: skip
    gemini = catalogue.fact_of("gemini", "gemini-2.5-pro")
    assert gemini is not None
    tiers = [(t.above_tokens, t.input_pico, t.output_pico, t.cached_pico) for t in gemini.tiers]
    assert tiers == [(200_000, 2_500_000, 15_000_000, 250_000)]
    claude = catalogue.fact_of("anthropic", "claude-haiku-4-5")
    assert claude is not None and claude.cache_write_1h_pico == 2_000_000 and claude.tiers == ()
    qwen = catalogue.fact_of("qwen", "qwen3-max")
    assert qwen is not None and qwen.input_pico == 1_200_000
    assert [(t.above_tokens, t.input_pico, t.output_pico) for t in qwen.tiers] == [
        (32_000, 2_400_000, 12_000_000), (128_000, 3_000_000, 15_000_000),
    ]  # fmt: skip
    grok = catalogue.fact_of("xai", "grok-4.7")
    assert grok is not None and grok.tiers[0].above_tokens == 199_999  # "once its prompt reaches" 200k
    assert grok.services["batch"].tiers[0].above_tokens == 199_999
    flash = catalogue.fact_of("gemini", "gemini-2.5-flash")
    assert flash is not None and flash.audio_input_pico == 1_000_000


def test_prices_that_are_not_per_token() -> None:
    whisper = catalogue.fact_of("groq", "whisper-large-v3")
    assert whisper is not None and whisper.kind == "transcription"
    assert whisper.audio_second_nanos == pytest.approx(0.111 / 3600 * 1e9, rel=1e-3)  # 0.111 USD an hour
    speech = catalogue.fact_of("openai", "tts-1")
    assert speech is not None and speech.character_pico == 15_000_000  # 15 USD per million characters
    grok = catalogue.fact_of("xai", "grok-imagine-image")
    assert grok is not None and grok.image_nanos == 20_000_000
    image = catalogue.fact_of("openai", "gpt-image-1.5")
    assert image is not None and image.image_sizes["high/1024x1536"] == 200_000_000
    mini = catalogue.fact_of("openai", "gpt-image-1-mini")  # as its page has them
    assert mini is not None and mini.image_sizes["medium/1024x1024"] == 11_000_000
    sonar = catalogue.fact_of("perplexity", "sonar")
    assert sonar is not None and sonar.request_nanos == 12_000_000
