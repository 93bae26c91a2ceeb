from __future__ import annotations

import re
import tomllib

import msgspec
import pytest

from wicket.providers import catalogue

GOOD = """
[mine]
title = "Mine"
base_url = "https://api.example/v1"
docs = "https://docs.example"
sources = ["docs"]
checked = "2026-11-23"
"""


def test_a_row_needs_five_lines() -> None:
    row = catalogue.parse_rows(GOOD)["mine"]
    assert (row.name, row.auth, row.dialect, row.usage_in_stream) == ("mine", "bearer", "openai_chat", "ask")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('auth = "basic"', "auth|Invalid enum"),
        ('colour = "red"', "colour"),
        ('checked = "yesterday"', "matching regex"),
        ('env = "MINE_KEY"', "array"),
        ("is_enabled_by_env = 1", "bool"),
    ],
)
def test_a_bad_row_is_refused(line: str, says: str) -> None:
    text = GOOD.replace('checked = "2026-11-23"', line) if line.startswith("checked") else GOOD + line
    with pytest.raises(msgspec.ValidationError, match=says):
        catalogue.parse_rows(text)


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        catalogue.parse_rows("[mine")


def test_the_facts_are_dated_sourced_and_in_whole_pico_dollars() -> None:
    facts = catalogue.facts()
    assert facts.licence == "MIT" and facts.source
    assert len(facts.models) >= 300
    for fact in facts.models:
        assert fact.source and re.fullmatch(r"20\d\d-\d\d-\d\d", fact.date)
        assert fact.id == f"{fact.provider}/{fact.model}@{fact.date}"
        assert isinstance(fact.input_pico, int) and 0 <= fact.input_pico < 10**9, fact.id
        assert 0 <= fact.output_pico < 10**9, fact.id
        assert fact.provider in catalogue.rows()
        assert fact.model == fact.model.strip() and fact.model.isprintable()
        assert fact.cached_pico is None or fact.cached_pico <= fact.input_pico, fact.id
        for tier in fact.tiers:
            assert tier.above_tokens > 0 and tier.input_pico >= fact.input_pico


def test_no_two_facts_claim_the_same_name() -> None:
    names = [(f.provider, name) for f in catalogue.facts().models for name in {f.model, *f.also}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "provider",
    ["openai", "anthropic", "gemini", "mistral", "deepseek", "groq", "xai", "together", "fireworks", "cohere",
     "perplexity", "cerebras"],
)  # fmt: skip
def test_the_well_known_providers_have_priced_models(provider: str) -> None:
    models = catalogue.known_models(provider)
    assert models
    for model in models:
        fact = catalogue.fact_of(provider, model)
        assert fact is not None and fact.input_pico > 0


@pytest.mark.parametrize(
    ("provider", "model", "input_pico", "output_pico"),
    [  # read from models.dev, a second source, so that an error of the generator shows
        ("openai", "gpt-4o", 2_500_000, 10_000_000),
        ("openai", "gpt-4o-mini", 150_000, 600_000),
        ("openai", "gpt-4o-2024-08-06", 2_500_000, 10_000_000),
        ("openai", "gpt-4o-2024-05-13", 5_000_000, 15_000_000),
        ("openai", "text-embedding-3-small", 20_000, 0),
        ("anthropic", "claude-sonnet-4-5", 3_000_000, 15_000_000),
        ("anthropic", "claude-sonnet-4-5-20250929", 3_000_000, 15_000_000),
        ("azure", "gpt-4o", 2_500_000, 10_000_000),
        ("groq", "llama-3.3-70b-versatile", 590_000, 790_000),
    ],
)
def test_prices_agree_with_a_second_source(
    provider: str, model: str, input_pico: int, output_pico: int
) -> None:
    fact = catalogue.fact_of(provider, model)
    assert fact is not None
    assert (fact.input_pico, fact.output_pico) == (input_pico, output_pico)


def test_what_is_not_known_has_no_fact() -> None:
    assert catalogue.fact_of("openai", "gpt-none") is None
    assert catalogue.fact_of("nobody", "gpt-4o") is None
    assert catalogue.known_models("nobody") == ()
    assert catalogue.providers_of("gpt-none") == ()
    assert "openai" in catalogue.providers_of("gpt-4o")


def test_the_data_stays_small() -> None:
    assert len(catalogue._read("prices.json")) < 150_000
    assert len(catalogue._read("rows.toml")) < 40_000
