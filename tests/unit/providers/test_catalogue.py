from __future__ import annotations

import datetime
import re
import tomllib
from functools import cache
from pathlib import Path

import msgspec
import pytest

from wicket.providers import catalogue
from wicket.providers.changes import check
from wicket.providers.facts import Fact
from wicket.providers.sources.build import encode

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


@cache
def everything() -> list[Fact]:
    return [fact for facts in catalogue.facts().models.values() for fact in facts]


def test_the_catalogue_is_as_large_as_promised() -> None:
    assert len(catalogue.rows()) >= 30
    assert sum(fact.is_priced for fact in everything()) >= 600
    assert sum(bool(fact.features) for fact in everything()) >= 600
    assert sum(fact.successor is not None for fact in everything()) >= 20


def test_what_is_shipped_may_be_used() -> None:
    facts = catalogue.facts()
    assert check(facts, catalogue.rows()) == []
    assert {source.licence for source in facts.sources.values()} == {"MIT"}
    assert set(facts.models) <= set(catalogue.rows())


def test_each_fact_is_dated_and_sourced() -> None:
    for fact in everything():
        assert fact.sources and re.fullmatch(r"20\d\d-\d\d-\d\d", fact.date)
        assert fact.id == f"{fact.provider}/{fact.model}@{fact.date}"
        assert fact.cached_pico is None or fact.input_pico is None or fact.cached_pico <= fact.input_pico, (
            fact.id
        )
        for tier in fact.tiers:
            assert tier.input_pico is None or fact.input_pico is None or tier.input_pico >= fact.input_pico, (
                fact.id
            )


def test_no_two_facts_claim_the_same_name() -> None:
    names = [(f.provider, name) for f in everything() for name in {f.model, *f.also}]
    assert len(names) == len(set(names))


def test_rows_are_read_one_by_one_or_all_alike() -> None:
    whole = catalogue.parse_rows(Path(catalogue.__file__).with_name("rows.toml").read_text())
    assert list(catalogue.rows().items()) == list(whole.items()) and len(catalogue.rows()) == len(whole)
    assert catalogue.row_of("nobody") is None and "nobody" not in catalogue.rows()
    with pytest.raises(KeyError):
        catalogue.rows()["nobody"]
    assert catalogue.titles() == {name: row.title for name, row in whole.items()}
    assert catalogue.has_row("openai") and not catalogue.has_row("nobody")


def test_rows_are_found_by_the_variables_that_they_name() -> None:
    for name, row in catalogue.rows().items():
        for variable in row.env:
            assert catalogue.rows_naming({variable})[name] == row
    assert catalogue.rows_naming({"NOBODYS_KEY", "openai"}) == {}


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
        assert fact is not None and (fact.input_pico is None or fact.input_pico >= 0)


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


def test_models_at_their_end_are_not_offered_and_warned_of() -> None:
    fact = catalogue.fact_of("openai", "gpt-4o")
    assert fact is not None and fact.deprecation_date == "2027-01-14"
    before, after = datetime.date(2026, 11, 27), datetime.date(2027, 1, 14)
    assert fact.is_offered(before) and not fact.is_offered(after)
    assert fact.warning(before) == "openai/gpt-4o is deprecated and ends on 2027-01-14; use openai/gpt-6-luna"
    assert fact.warning(after) == "openai/gpt-4o is deprecated and ended on 2027-01-14; use openai/gpt-6-luna"
    current = catalogue.fact_of("anthropic", "claude-haiku-4-5")
    assert current is not None and current.warning(before) == ""


def test_only_what_can_be_called_is_offered() -> None:
    offered = catalogue.known_models("openai")
    assert "gpt-5.4" in offered and "text-embedding-3-small" in offered
    assert "gpt-5-pro" in offered, "by the Responses API, which this row has"
    fact = catalogue.fact_of("openai", "gpt-5-pro")
    assert fact is not None and not fact.is_offered(catalogue.today())
    assert {"gpt-image-2", "gpt-4o-transcribe", "omni-moderation-latest"} <= set(offered)
    assert "rerank-2.5" in catalogue.known_models("voyageai")
    assert catalogue.fact_of("openai", "text-davinci-003") is not None and "text-davinci-003" not in offered
    assert not any("rerank" in name for name in catalogue.known_models("nvidia"))
    assert catalogue.known_models("azure") == ()


def test_each_warning_fits_into_a_header() -> None:
    today = datetime.date(2026, 11, 27)
    warnings = [fact.warning(today) for fact in everything()]
    assert sum(map(bool, warnings)) > 50
    assert all(warning.isascii() and (warning.isprintable() or not warning) for warning in warnings)


def test_another_file_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    facts = catalogue.facts()
    few = msgspec.structs.replace(facts, models={"openai": facts.models["openai"][:1]})
    path = tmp_path / "models.json"
    path.write_bytes(encode(few))
    first = few.models["openai"][0].model
    try:
        catalogue.use(catalogue.NewerFile(str(path), 1))
        assert (
            catalogue.fact_of("openai", first) and catalogue.fact_of("anthropic", "claude-haiku-4-5") is None
        )
        assert catalogue.providers_of("claude-haiku-4-5") == ()
        path.write_bytes(b"{")  # by whoever it belongs to, while it is in use
        catalogue.use(catalogue.NewerFile(str(path), 2))
        assert catalogue.fact_of("anthropic", "claude-haiku-4-5") and catalogue.providers_of(
            "claude-haiku-4-5"
        )
    finally:
        catalogue.use(None)
    assert catalogue.fact_of("anthropic", "claude-haiku-4-5")


def test_the_data_stays_small() -> None:
    assert len(catalogue.shipped()) < 2_500_000
    assert len(catalogue._read("rows.toml")) < 40_000
