import msgspec
import pytest

from tests.unit.providers.sources.samples import TODAY, documents, rows
from wicket.providers.facts import Facts
from wicket.providers.sources.build import build, encode
from wicket.wire import json


def test_three_sources_become_one_catalogue() -> None:
    built = build(documents(), rows(), None, TODAY)
    models = {f"{f.provider}/{f.model}": f for facts in built.facts.models.values() for f in facts}
    assert list(built.facts.models) == list(rows())
    known = models["openai/gpt-4o"]
    assert known.sources == ("genai-prices", "litellm", "models.dev") and known.disputed == ()
    assert (known.input_pico, known.output_pico, known.cached_pico) == (2_500_000, 10_000_000, 1_250_000)
    assert known.page == "https://developers.openai.com/api/docs/pricing" and known.knowledge == "2023-10"
    assert models["openai/gpt-5-pro"].needs_responses
    assert models["anthropic/claude-sonnet-4-5"].tiers == ()  # two of three sources know that it is over
    assert models["gemini/gemini-2.5-pro"].tiers[0].above_tokens == 200_000
    assert not models["github/openai/gpt-4o"].is_priced
    assert "input_pico" in {dispute.field for dispute in built.disputes["deepseek/deepseek-chat"]}


def test_a_successor_is_named_only_where_it_can_be_called() -> None:
    built = build(documents(), rows(), None, TODAY)
    facts = {fact.model: fact for fact in built.facts.models["openai"]}
    assert facts["gpt-4o"].successor is None and facts["gpt-4o"].is_deprecated


def test_a_row_has_the_models_that_its_address_serves() -> None:
    part = {name: msgspec.structs.replace(row, serves="^gpt-5") for name, row in rows().items()}
    built = build(documents(), part, None, TODAY)
    assert {fact.model.partition("-")[2][0] for fact in built.facts.models["openai"]} == {"5"}
    assert "anthropic" not in built.facts.models


def test_the_file_reads_back_and_prices_keep_their_dates() -> None:
    first = build(documents(), rows(), None, TODAY.replace(day=1)).facts
    data = encode(first)
    assert json.decode(data, type=Facts) == first
    assert data.count(b"\n") > sum(
        map(len, first.models.values())
    )  # one model per line: a change can be read
    again = build(documents(), rows(), first, TODAY).facts
    assert again.generated == "2026-11-27"
    assert {fact.date for facts in again.models.values() for fact in facts} == {"2026-11-01"}


@pytest.mark.parametrize("wrong", [None, {}, [], "text", 7])
def test_a_source_of_another_form_is_refused(wrong: object) -> None:
    with pytest.raises(msgspec.ValidationError, match="litellm"):
        build(msgspec.structs.replace(documents(), litellm=wrong), rows(), None, TODAY)
