"""`wicket explain`: what it reads, and what it prints of a plan."""

import json
from pathlib import Path

import pytest

from wicket.cli.main import main

CONFIG = """
[providers.one]
base_url = "http://one.example/v1"
auth = "none"
prices.m = { input = 1, output = 2 }
[providers.two]
base_url = "http://two.example/v1"
auth = "none"
[models.pair]
deployments = [{ id = "one/m", features = ["tools"] }, "two/m"]
[models.vectors]
deployments = ["two/embed"]
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WICKET_HOME", str(tmp_path / "home"))
    Path("wicket.toml").write_text(CONFIG)


def explain(request: object, *words: str) -> int:
    Path("request.json").write_text(request if isinstance(request, str) else json.dumps(request))
    return main(["explain", "request.json", *words])


CHAT = {"model": "pair", "messages": [{"role": "user", "content": "Say it."}], "max_tokens": 10}


def test_without_a_server_the_file_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(CHAT, "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    first, second = plan["candidates"]
    assert (first["deployment"], first["health"], second["estimate_usd"]) == ("one/m", None, None)
    assert first["estimate_usd"] == pytest.approx(plan["needs"]["input_tokens"] * 1e-6 + 10 * 2e-6)


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain({**CHAT, "provider": {"ignore": ["two"], "preferred_max_latency": 1}}) == 0
    said = capsys.readouterr().out
    assert "1  one/m" in said and "tools -vision" in said and "as configured" in said
    assert "NOT ASKED" in said and "two/m" in said and "its provider is in provider.ignore" in said
    assert "dropped  provider.preferred_max_latency" in said
    assert explain({**CHAT, "provider": {"only": []}}) == 0
    assert "Nobody is left to answer it." in capsys.readouterr().out


def test_the_model_may_be_another_and_the_api_follows_from_the_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert explain({"model": "x", "input": "a text"}, "--model", "vectors", "--json") == 0
    assert json.loads(capsys.readouterr().out)["candidates"][0]["deployment"] == "two/embed"


@pytest.mark.parametrize(
    ("request_text", "said"),
    [
        ("{", "request.json is not JSON"),
        ("[1]", "request.json holds no request"),
        ('{"model": "nobody", "messages": [1]}', "'nobody' does not exist here"),
        ('{"model": "pair", "messages": [1], "provider": {"order": ["x"]}}', "'provider.order[0]'"),
        ('{"model": "pair", "messages": [1], "wicket": 1}', "'wicket' must be an object"),
    ],
)
def test_bad_input_is_one_line(request_text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(request_text) == 1
    heard = capsys.readouterr()
    assert said in heard.err and heard.err.count("\n") == 1 and not heard.out


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "nowhere.json"]) == 1
    assert "nowhere.json can't be read" in capsys.readouterr().err
