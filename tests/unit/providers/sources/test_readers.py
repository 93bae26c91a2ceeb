"""Each source's own form, read from excerpts of it."""

import datetime

import pytest

from tests.unit.providers.sources.samples import TODAY, document
from wicket.providers.sources import litellm_table, models_dev
from wicket.providers.sources.genai_prices import Families, is_match


def test_litellm_keys_become_the_names_that_the_api_takes() -> None:
    assert "gemini-2.5-pro" in litellm_table.read(document("litellm"), ["gemini"])
    assert set(litellm_table.read(document("litellm"), ["azure"])) == {"gpt-4o"}  # no regional copies
    names = set(litellm_table.read(document("litellm"), ["openai"]))
    assert {"gpt-4o", "gpt-5", "gpt-5-pro", "text-embedding-3-small"} <= names
    assert not any("1024" in name for name in names)


def test_litellm_prices_by_class_of_service_and_tier() -> None:
    claim = litellm_table.read(document("litellm"), ["gemini"])["gemini-2.5-pro"]
    assert claim.prices == {"cached_pico": 125_000, "input_pico": 1_250_000, "output_pico": 10_000_000}
    assert claim.tiers[200_000] == {
        "cached_pico": 250_000,
        "input_pico": 2_500_000,
        "output_pico": 15_000_000,
    }
    assert claim.services["priority"].prices["output_pico"] == 18_000_000
    assert claim.services["priority"].tiers[200_000]["output_pico"] == 27_000_000
    assert claim.services["batch"].tiers[200_000]["input_pico"] == 1_250_000
    assert (claim.deprecation_date, claim.successor, claim.is_deprecated) == (
        "2026-12-01",
        "gemini-3.8-flash",
        True,
    )
    assert claim.features == dict.fromkeys(
        ["tools", "vision", "json_schema", "reasoning", "audio", "pdf"], True
    )


def test_litellm_prices_by_ranges_of_input() -> None:
    ranges = [
        {"range": [0, 32_000.0], "input_cost_per_token": 1.2e-6, "output_cost_per_token": 6e-6},
        {"range": [32_000.0, 128_000.0], "input_cost_per_token": 2.4e-6, "output_cost_per_token": 12e-6},
        {"range": "odd", "input_cost_per_token": 1}, {"input_cost_per_token": 1}, 5,
        {"range": [1e300, 2e300], "input_cost_per_token": 1},
    ]  # fmt: skip
    entry = {"litellm_provider": "dashscope", "mode": "chat", "tiered_pricing": ranges}
    claim = litellm_table.read({"dashscope/qwen3-max": entry}, ["dashscope"])["qwen3-max"]
    assert claim.prices == {"input_pico": 1_200_000, "output_pico": 6_000_000}
    assert claim.tiers == {32_000: {"input_pico": 2_400_000, "output_pico": 12_000_000}}


def test_litellm_cache_writes_of_two_lengths_and_prefill() -> None:
    claim = litellm_table.read(document("litellm"), ["anthropic"])["claude-sonnet-4-5"]
    assert (claim.prices["cache_write_pico"], claim.prices["cache_write_1h_pico"]) == (3_750_000, 6_000_000)
    assert claim.features["prefill"] is True and claim.extras["search_nanos"] == 10_000_000


def test_litellm_modes() -> None:
    read = litellm_table.read(document("litellm"), ["openai"])
    assert read["gpt-5-pro"].needs_responses and not read["gpt-4o"].needs_responses
    assert read["text-embedding-3-small"].kind == "embedding"
    whisper = litellm_table.read(document("litellm"), ["groq"])["whisper-large-v3"]
    assert whisper.kind == "transcription" and whisper.extras["audio_second_nanos"] == 30_830


def test_a_litellm_price_of_nothing_at_all_is_not_known() -> None:
    table = {
        "x/y": {
            "litellm_provider": "x",
            "mode": "chat",
            "input_cost_per_token": 0,
            "output_cost_per_token": 0,
        }
    }
    assert litellm_table.read(table, ["x"])["y"].prices == {}


@pytest.mark.parametrize(
    "entry", [None, [], "x", {}, {"litellm_provider": "x"}, {"litellm_provider": "x", "mode": 7}]
)
def test_litellm_entries_of_another_form_are_passed_over(entry: object) -> None:
    assert litellm_table.read({"x/y": entry}, ["x"]) == {}


def test_models_dev_sizes_modalities_and_features() -> None:
    claim = models_dev.read(document("models.dev"), ["openai"])["gpt-5"]
    assert (claim.context_tokens, claim.max_input_tokens, claim.max_output_tokens) == (
        400_000,
        272_000,
        128_000,
    )
    assert claim.features["reasoning"] and claim.features["vision"] and claim.features["audio"] is False
    assert claim.knowledge == "2024-09-30" and claim.prices["cached_pico"] == 125_000
    assert (
        models_dev.read(document("models.dev"), ["google"])["gemini-2.5-pro"].tiers[200_000]["input_pico"]
        == 2_500_000
    )


def test_a_models_dev_price_of_nothing_is_not_known() -> None:
    claim = models_dev.read(document("models.dev"), ["github-models"])["openai/gpt-4o"]
    assert claim.prices == {} and claim.context_tokens == 128_000


def test_models_dev_of_another_form_says_nothing() -> None:
    assert models_dev.read({"a": None, "b": {"models": {"x": 1, "": {}}}}, ["a", "b", "c"]) == {}
    bare = models_dev.read(
        {"a": {"models": {"x": {"cost": {"input": 1, "tiers": [1, {}]}, "limit": 1}}}}, ["a"]
    )["x"]
    assert bare.prices == {"input_pico": 1_000_000} and bare.tiers == {} and bare.context_tokens is None


def families(provider: str, today: datetime.date = TODAY) -> Families:
    return Families(document("genai-prices"), [provider], today)


def test_genai_prices_families_match_names() -> None:
    found = families("anthropic").find("claude-sonnet-4-5-20250929")
    assert found is not None and found.prices["input_pico"] == 3_000_000
    assert found.tiers[200_000]["output_pico"] == 22_500_000
    assert families("openai").find("gpt-none") is None


def test_genai_prices_variants_hold_from_their_day() -> None:
    found = families("openai").find("gpt-5")
    assert found is not None and found.services["flex"].prices["input_pico"] == 625_000
    before = families("openai", datetime.date(2026, 10, 1)).find("gpt-5")
    assert before is not None and before.services == {}


def test_genai_prices_of_the_time_of_day_are_taken_at_their_dearest() -> None:
    found = families("deepseek").find("deepseek-chat")
    assert found is not None and (found.prices["input_pico"], found.prices["output_pico"]) == (
        270_000,
        1_100_000,
    )


def test_genai_prices_fees() -> None:
    sonar = families("perplexity").find("sonar")
    assert sonar is not None and sonar.extras["request_nanos"] == 12_000_000
    whisper = families("groq").find("whisper-large-v3")
    assert whisper is not None and whisper.extras["audio_second_nanos"] == 30_833


def test_families_that_no_name_belongs_to() -> None:
    assert set(families("openai").unmatched(["gpt-5-2025-08-07"])) == {"gpt-4o"}


@pytest.mark.parametrize(
    ("rule", "name", "expected"),
    [
        ({"equals": "GPT-4o"}, "gpt-4o", True),
        ({"starts_with": "gpt"}, "gpt-4o", True),
        ({"ends_with": "4o"}, "gpt-4o", True),
        ({"contains": "t-4"}, "gpt-4o", True),
        ({"regex": "^gpt-[0-9]"}, "gpt-4o", True),
        ({"regex": "("}, "gpt-4o", False),
        ({"regex": "a" * 501}, "a" * 501, False),
        ({"or": [{"equals": "a"}, {"equals": "b"}]}, "b", True),
        ({"and": [{"contains": "a"}, {"contains": "b"}]}, "b", False),
        ({"sounds_like": "gpt"}, "gpt", False),
        ({"equals": 4}, "4", False),
        ({}, "gpt", False),
        (None, "gpt", False),
    ],
)
def test_match_rules(rule: object, name: str, expected: bool) -> None:
    assert is_match(rule, name) is expected
