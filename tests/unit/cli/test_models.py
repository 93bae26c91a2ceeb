"""`wicket models` without a server: filters, cards, documents."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from wicket.cli.main import main


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WICKET_") or name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WICKET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_filters_are_joined(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--all",
        "--provider",
        "openai",
        "--provider",
        "anthropic",
        "--feature",
        "tools",
        "--feature",
        "reasoning",
    ]
    found = told(
        capsys, "models", *words, "--max-price", "$6", "--min-context", "200k", "--search", "4 HAIKU"
    )
    assert {"anthropic/claude-haiku-4-5"} <= {model["id"] for model in found}
    for model in found:
        assert model["provider"] in ("openai", "anthropic") and "haiku" in model["id"]
        assert model["features"]["tools"] and model["features"]["reasoning"]
        assert max(model["prices"]["input"], model["prices"]["output"]) <= 6
        assert model["context_tokens"] >= 200_000


def test_a_price_that_is_not_known_is_no_low_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "models", "--all", "--provider", "github", "--max-price", "1000") == []


def test_nothing_found_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--all", "--search", "no such model"]) == 0
    assert "No model fits" in capsys.readouterr().out


def test_an_unknown_provider_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--all", "--provider", "opnai"]) == 1
    assert "Did you mean openai?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--feature", "flying"],
        ["--min-context", "many"],
        ["--max-price", "dear"],
        ["--max-price", "-1"],
        ["--max-price", "nan"],
    ],
)
def test_wrong_values_are_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", *words])
    assert ended.value.code == 2 and len(capsys.readouterr().err.splitlines()) == 1


def test_a_model_that_can_t_be_called_is_shown_with_why(capsys: pytest.CaptureFixture[str]) -> None:
    card = told(capsys, "models", "show", "openai/gpt-5")
    assert card["is_callable"] is False and "OPENAI_API_KEY" in card["why_not"]
    assert card["prices"]["output"] == 10 and card["services"]["flex"]["prices"]["output"] == 5
    assert card["max_input_tokens"] == 272_000 and card["features"]["prefill"] is None
    assert card["price_id"].startswith("openai/gpt-5@") and card["page"].startswith("https://")
    assert set(card["sources"]) == {"genai-prices", "litellm", "models.dev"}


def test_a_card_reads_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "gemini/gemini-2.5-pro"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("gemini/gemini-2.5-pro\n")
    for part in (
        "callable     no: ",
        "features     tools, vision, json_schema, reasoning, audio, pdf (not known: prefill)",
        "context      1,048,576 tokens",
        "above 200,000 tokens of input: input $2.5, output $15, cached $0.25",
        "batch: input $0.625",
        "sources      genai-prices, litellm, models.dev; prices as of 20",
    ):
        assert part in said


def test_a_model_that_can_be_called_shows_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "wicket.toml").write_text(
        '[providers.openai]\napi_key = "k"\nprices."gpt-5.4" = { input = 1, output = 2 }\n'
    )
    card = told(capsys, "models", "show", "openai/gpt-5.4")
    assert card["is_callable"] is True and card["deployments"] == ["openai/gpt-5.4"]
    assert card["prices"] == {"input": 1, "output": 2}  # the configuration's stand above the catalogue's
    assert card["features"]["reasoning"] is True
    listed = told(capsys, "models", "--feature", "prefill")
    assert listed == []
    assert "openai/gpt-5.4" in {model["id"] for model in told(capsys, "models", "--feature", "reasoning")}


def test_what_nobody_knows_is_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "openai/gpt-none"]) == 1
    assert capsys.readouterr().out == ""


def test_providers_are_listed_with_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "wicket.toml").write_text(
        '[providers.openai]\napi_key = "sk-secret"\n[providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\n'
    )
    listed = {each["name"]: each for each in told(capsys, "providers")}
    assert listed["openai"]["is_enabled"] and listed["openai"]["num_priced"] > 50
    assert listed["openai"]["data_collection"] == "deny" and listed["openai"]["credentials_from"] == [
        "literal"
    ]
    assert listed["mine"]["row"] is None and listed["mine"]["is_enabled"]
    assert not listed["groq"]["is_enabled"] and "GROQ_API_KEY" in listed["groq"]["why"]
    assert listed["groq"]["region"] is None and len(listed) > 30
    assert main(["providers"]) == 0
    said = capsys.readouterr().out
    assert "openai" in said and "sk-secret" not in said
