"""Twenty-five well-known models, field by field, as compared by hand on 2026-11-27.

Prices are of the pages that the rows name, as all sources have them that price the model; windows and limits
are those of models.dev, which has them of the providers' model pages.
"""

import pytest

from wicket.providers import catalogue

# input, output, cached, cache write: USD per million tokens; window, output limit: tokens
KNOWN: dict[str, tuple[float, float, float | None, float | None, int, int]] = {
    "openai/gpt-4o": (2.5, 10, 1.25, None, 128_000, 16_384),
    "openai/gpt-4o-mini": (0.15, 0.6, 0.075, None, 128_000, 16_384),
    "openai/gpt-4.1": (2, 8, 0.5, None, 1_047_576, 32_768),
    "openai/gpt-4.1-mini": (0.4, 1.6, 0.1, None, 1_047_576, 32_768),
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
# knowledge, announced end, successor, what it takes; as the sources had them on 2026-11-27
ENDS: dict[str, tuple[str | None, str | None, str | None, str]] = {
    "openai/gpt-4o": ("2023-09", "2027-01-14", "gpt-6-luna", "text image pdf"),
    "openai/gpt-4o-mini": ("2023-09", "2027-01-14", "gpt-6-luna", "text image pdf"),
    "openai/gpt-4.1": ("2024-04", "2027-01-14", "gpt-6-luna", "text image pdf"),
    "openai/gpt-5": ("2024-09-30", "2026-12-11", "gpt-5.6-sol", "text image pdf"),
    "openai/gpt-5-mini": ("2024-05-30", "2026-12-11", "gpt-5.6-terra", "text image pdf"),
    "openai/o3": ("2024-05", "2026-12-11", "gpt-5.6-sol", "text image pdf"),
    "openai/o4-mini": ("2024-05", "2026-10-23", "gpt-5.6-terra", "text image pdf"),
    "openai/text-embedding-3-small": ("2024-01", None, None, "text"),
    "anthropic/claude-opus-4-1": ("2025-03-31", None, None, "text image pdf"),
    "anthropic/claude-sonnet-4-5": ("2025-07-31", "2026-11-30", "claude-sonnet-5-5", "text image pdf"),
    "anthropic/claude-haiku-4-5": ("2025-02-28", None, None, "text image pdf"),
    "gemini/gemini-2.5-pro": ("2025-01", "2026-12-01", "gemini-3.8-flash", ALL),
    "gemini/gemini-2.5-flash": ("2025-01", "2026-12-01", "gemini-3.5-flash-lite", ALL),
    "gemini/gemini-2.5-flash-lite": ("2025-01", None, None, ALL),
    "mistral/mistral-large-latest": ("2024-11", None, None, "text image"),
    "deepseek/deepseek-chat": ("2025-09", "2026-07-24", None, "text"),
    "xai/grok-4": (None, None, None, ""),
    "groq/llama-3.3-70b-versatile": ("2023-12", None, None, "text"),
    "cohere/command-a-03-2025": ("2024-06-01", None, None, "text"),
    "qwen/qwen-max": ("2024-04", None, None, "text"),
    "qwen/qwen3-max": ("2025-04", None, None, "text"),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_it_knows_takes_and_when_it_ends(name: str) -> None:
    provider, _, model = name.partition("/")
    fact = catalogue.fact_of(provider, model)
    assert fact is not None
    said = (fact.knowledge, fact.deprecation_date, fact.successor, " ".join(fact.modalities_in))
    assert said == ENDS[name]


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
    flash = catalogue.fact_of("gemini", "gemini-2.5-flash")
    assert flash is not None and flash.audio_input_pico == 1_000_000


def test_prices_that_are_not_per_token() -> None:
    whisper = catalogue.fact_of("groq", "whisper-large-v3")
    assert whisper is not None and whisper.kind == "transcription"
    assert whisper.audio_second_nanos == pytest.approx(0.111 / 3600 * 1e9, rel=1e-3)  # 0.111 USD an hour
    speech = catalogue.fact_of("openai", "tts-1")
    assert speech is not None and speech.character_pico == 15_000_000  # 15 USD per million characters
    sonar = catalogue.fact_of("perplexity", "sonar")
    assert sonar is not None and sonar.request_nanos == 12_000_000
