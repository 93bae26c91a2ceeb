"""`wicket compare` with the checks that ask or run something, and with local models and their cards."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.path.comparing import CONFIG, compared, models, run, teach, write
from tests.path.conftest import Open
from tests.path.house import SECRET, Gateway, Provider, names, rule
from tests.path.served import eventually
from wicket.minis.capability import FOLDER, KindScore, file_name, read_capability


@pytest.fixture
def house(open_gateway: Open, provider: Provider) -> Gateway:
    teach(provider)
    return open_gateway(CONFIG)


def test_a_judge_grades_in_both_orders_and_is_paid_for(
    house: Gateway, provider: Provider, tmp_path: Path
) -> None:
    """The judge gives less to what comes first: only the mean of both orders is fair to the answer."""
    graded = {"expected": "the reference", "check": "judge", "rubric": "Be strict."}
    rows: list[dict[str, Any]] = [{"prompt": f"question {n}", **graded} for n in range(3)]
    rows[0]["at_least"] = 0.9
    path = write(tmp_path / "c.jsonl", [*rows, {"prompt": "question 3", "check": "judge"}])
    teach(
        provider,
        rule("judge", text='Well: {"score": 6}', when={"from_nth": 2, "every_nth": 2}),
        rule("judge", text='{"score": 10}'),
    )
    words = ["--models", "mine/good", "--judge", "mine/judge", "--concurrency", 1, "--out", "out"]
    found = compared(house, tmp_path, path, *words)
    asked = [json.loads(seen.body) for seen in provider.log if seen.model == "judge"]
    assert len(asked) == 2 * 3 + 1 and names(provider.log).count("good") == 4
    texts = [body["messages"][1]["content"] for body in asked]
    orders = [text.index("reference answer>>") < text.index("answer to grade>>") for text in texts[:6]]
    assert orders == [True, False] * 3 and "reference" not in texts[6]
    assert "Be strict." in asked[0]["messages"][0]["content"] and asked[0]["temperature"] == 0
    good = models(found)["mine/good"]
    assert (good["right"], good["num"], good["score"]) == (3, 4, pytest.approx(0.85))  # one wanted 0.9
    ledger = house.admin("GET", "/admin/v1/usage?by=model")
    costs = {row["model"]: row["cost_usd"] for row in ledger["rows"]}
    assert found["judge_usd"] == pytest.approx(costs["mine/judge"], abs=1e-12) and found["judge_usd"] > 0
    assert found["spent_usd"] == pytest.approx(costs["mine/good"], abs=1e-12)
    assert "graded 0.80, of 0.9 needed" in (tmp_path / "out" / "report.html").read_text()


def test_a_judge_that_gives_no_grade_is_an_error_and_tried_again(
    house: Gateway, provider: Provider, tmp_path: Path
) -> None:
    path = write(tmp_path / "c.jsonl", [{"prompt": "question 1", "check": "judge"}])
    teach(provider, rule("judge", text="It is nice."))
    words = [path, "--models", "mine/good", "--judge", "mine/judge", "--out", "out"]
    assert models(compared(house, tmp_path, *words))["mine/good"]["error_codes"] == {"judge_failed": 1}
    teach(provider, rule("judge", text='{"score": 9}'))
    assert models(compared(house, tmp_path, *words, "--retry-errors"))["mine/good"]["right"] == 1


def test_similar_texts_by_embeddings(house: Gateway, provider: Provider, tmp_path: Path) -> None:
    rows = [
        {"prompt": "question 1", "expected": "the answer 1"},
        {"prompt": "question 2", "expected": "a bridge"},
    ]
    path = write(tmp_path / "c.jsonl", rows)
    words = ["--models", "mine/good", "--check", "similarity", "--embeddings", "mine/good"]
    found = compared(house, tmp_path, path, *words)
    assert models(found)["mine/good"]["right"] == 1


def test_code_is_run_only_if_that_is_wanted(house: Gateway, provider: Provider, tmp_path: Path) -> None:
    prompt = 'def double(x: int) -> int:\n    """Twice x."""\n'
    case = {"prompt": prompt, "check": "tests", "prefix": prompt, "entry_point": "double"}
    case["tests"] = "def check(f):\n    assert f(4) == 8"
    path = write(tmp_path / "c.jsonl", [case])
    teach(
        provider,
        rule("good", text="    return 2 * x\n"),
        rule("poor", text="```python\ndef double(x):\n    return x * x\n```"),
    )
    words = [path, "--models", "mine/good,mine/poor", "--out", "out"]
    _, complained = run(house, tmp_path, *words, code=1)
    assert "--allow-code" in complained and provider.log == []
    found = models(compared(house, tmp_path, *words, "--allow-code"))
    assert (found["mine/good"]["right"], found["mine/poor"]["right"]) == (1, 0)
    assert "wrong: fails: AssertionError" in (tmp_path / "out" / "report.html").read_text()


def test_a_slow_model_is_seen_to_be_slow(house: Gateway, tmp_path: Path) -> None:
    path = write(
        tmp_path / "c.jsonl", [{"prompt": f"question {n}", "expected": f"the answer {n}"} for n in range(3)]
    )
    found = models(compared(house, tmp_path, path, "--models", "mine/good,mine/slow"))
    slow = found["mine/slow"]
    assert slow["first_token_ms"]["p50"] >= 150 and slow["total_ms"]["p50"] >= 190  # the script's own pauses
    assert slow["right"] == 3 and 0 < slow["tokens_per_s"]["p50"] <= 200  # 50, or a first token seen late


LOCAL = '[server]\nport = 0\nworkers = 1\n[engines.tiny]\nmodel = "{script}"\n'


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Gateway]:
    """A server whose only model is an engine of its own."""
    script = tmp_path / "tiny.script.json"
    script.write_text(json.dumps({"reply": "yes"}))
    running = Gateway(tmp_path / "local", LOCAL.format(script=script))
    yield running.wait_ready()  # type: ignore[misc]
    running.close()


def ready(gateway: Gateway) -> str:
    """The local model's name, once it answers."""
    eventually(lambda: gateway.request("GET", "/readyz").status == 200)
    return str(gateway.request("GET", "/v1/models").json["data"][0]["id"])


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_a_local_models_card_is_written(local: Gateway, tmp_path: Path) -> None:
    name = ready(local)
    rows: list[dict[str, Any]] = [
        {"prompt": f"is it {n}?", "expected": "yes" if n % 3 else "no", "kind": "odd" if n % 2 else "even"}
        for n in range(6)
    ]
    path = write(tmp_path / "c.jsonl", rows)
    found = compared(local, tmp_path, path, "--models", name, "--write-card")
    (model,) = found["models"]
    assert model["cost_usd"] == 0 and model["memory_bytes"] > 10_000_000
    (deployment,) = model["deployments"]  # a card is kept under the name of what answered
    file = local.home / FOLDER / file_name(deployment)
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    card = read_capability(file.read_bytes())
    assert (card.model, card.suite, card.created_ms) == (deployment, found["suite"], found["created_ms"])
    assert card.kinds == {
        k: KindScore(by[name]["right"], by[name]["num"]) for k, by in found["kinds"].items()
    }
    assert sum(score.num for score in card.kinds.values()) == 6
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]
    engine = local.admin("GET", "/admin/v1/status")["engines"][0]
    assert engine["rss_bytes"] > 10_000_000 and engine["cpu_s"] > 0


def test_a_card_of_another_house_is_not_written(local: Gateway, tmp_path: Path) -> None:
    name = ready(local)
    path = write(tmp_path / "c.jsonl", [{"prompt": "p", "expected": "yes", "kind": "k"}])
    words = [path, "--models", name, "--write-card", "--url", local.url, "--api-key", local.key]
    real, local.home = local.home, tmp_path / "elsewhere"
    try:
        _, complained = run(local, tmp_path, *words, code=1)
    finally:
        local.home = real
    assert "data folder is not" in complained and not (tmp_path / "elsewhere").exists()


@pytest.mark.model
def test_the_compact_model_on_its_own_suite(tmp_path: Path, provider: Provider) -> None:
    config = (
        '[server]\nport = 0\n[engines.compact]\nmodel = "smollm2-135m-instruct"\ncontext_tokens = 1024\n'
        f'[providers.mine]\nbase_url = "{provider.upstream.base_url}"\napi_key = "{SECRET}"\n'
    )
    provider.script(text="Hello!")
    running = Gateway(tmp_path / "house", config)
    try:
        running.wait_ready()
        words = ["--suite", "compact", "--models", "mini,mine/good", "--limit", 4, "--max-tokens", 32]
        found = compared(running, tmp_path, *words, "--write-card", "--out", "out")
    finally:
        running.close()
    mini, good = models(found)["mini"], models(found)["mine/good"]
    assert (mini["num"], mini["errors"], mini["cost_usd"]) == (4, 0, 0.0)
    assert mini["memory_bytes"] > 200_000_000 and mini["output_tokens"] > 8 and mini["energy_j"] > 0
    assert good["memory_bytes"] is None and good["energy_j"] is None and good["right"] >= 1
    card = read_capability((running.home / FOLDER / file_name("compact/smollm2-135m-instruct")).read_bytes())
    assert card.kinds["chat"].num == 4 and card.kinds["chat"].right == mini["right"]
