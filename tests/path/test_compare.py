"""`wicket compare` over a real server, in front of scripted models of different quality."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.path.comparing import CONFIG, NUM, compared, lines, models, right, run, start, teach, write
from tests.path.conftest import Open
from tests.path.house import Gateway, Provider, names, rule
from tests.path.served import eventually
from wicket.minis.paired import sign_test


@pytest.fixture
def house(open_gateway: Open, provider: Provider) -> Gateway:
    teach(provider)
    return open_gateway(CONFIG)


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    return write(tmp_path / "cases.jsonl", lines())


def spent(house: Gateway) -> float:
    """What the ledger says of everything so far."""
    return float(house.admin("GET", "/admin/v1/usage")["cost_usd"])


def test_two_models_are_compared_and_the_costs_are_the_ledgers(
    house: Gateway, cases: Path, tmp_path: Path
) -> None:
    found = compared(house, tmp_path, cases, "--models", "mine/good,mine/poor", "--out", "out")
    good, poor = models(found)["mine/good"], models(found)["mine/poor"]
    assert (good["right"], good["num"], good["errors"]) == (NUM, NUM, 0)
    assert (poor["right"], poor["share"]) == (NUM // 3, pytest.approx(1 / 3))
    assert good["interval"][0] < 1 and good["deployments"] == ["mine/good"]
    (pair,) = found["pairs"]
    assert (pair["a"], pair["b"], pair["only_a"], pair["only_b"]) == (
        "mine/good",
        "mine/poor",
        NUM * 2 // 3,
        0,
    )
    assert pair["difference"] == pytest.approx(-2 / 3) and pair["p_value"] == sign_test(NUM * 2 // 3, 0)
    assert found["kinds"]["even"]["mine/good"] == {
        **found["kinds"]["even"]["mine/good"],
        "right": 12,
        "num": 12,
    }
    usage = house.admin("GET", "/admin/v1/usage?by=model")
    by_model = {row["model"]: row for row in usage["rows"]}
    assert usage["requests"] == 2 * NUM and found["spent_usd"] == pytest.approx(usage["cost_usd"], abs=1e-12)
    for name, model in models(found).items():
        assert (
            model["cost_usd"] == pytest.approx(by_model[name]["cost_usd"], abs=1e-12)
            and model["cost_usd"] > 0
        )
        assert model["output_tokens"] == by_model[name]["output_tokens"]
        assert 0 < model["first_token_ms"]["p50"] <= model["total_ms"]["p50"] <= model["total_ms"]["p95"]
    out = tmp_path / "out"
    assert json.loads((out / "report.json").read_text()) == found
    page = (out / "report.html").read_text()
    assert "mine/poor is worse than mine/good" in page and "question 20" in page


def test_models_take_turns_case_by_case(
    house: Gateway, provider: Provider, cases: Path, tmp_path: Path
) -> None:
    words = ["--models", "mine/good,mine/poor", "--concurrency", 1, "--limit", 4, "--max-tokens", 7]
    said, _ = run(house, tmp_path, cases, *words)
    assert names(provider.log) == ["good", "poor", "poor", "good"] * 2
    body = json.loads(provider.last.body)
    assert (body["temperature"], body["stream"], body["max_tokens"]) == (0.0, True, 7)
    assert "MODEL" in said and "4 of 4" in said and "no clear difference on 4 cases" in said


def test_errors_are_wrong_and_shown_apart(house: Gateway, cases: Path, tmp_path: Path) -> None:
    said, _ = run(house, tmp_path, cases, "--models", "mine/good,mine/broken", "--limit", 3, "--out", "out")
    assert "Errors, counted as wrong: mine/broken: " in said
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    broken = models(found)["mine/broken"]
    assert (broken["right"], broken["num"], broken["errors"]) == (0, 3, 3)
    assert sum(broken["error_codes"].values()) == 3 and broken["total_ms"] == {"p50": None, "p95": None}
    line = json.loads((tmp_path / "out" / "answers.jsonl").read_text().splitlines()[-1])
    record = house.record(line["request_id"])
    assert record["outcome"] != "ok" or not line["error"]


def test_errors_are_asked_again_when_that_is_wanted(
    house: Gateway, provider: Provider, cases: Path, tmp_path: Path
) -> None:
    words = [cases, "--models", "mine/good", "--limit", 5, "--out", "out"]
    teach(provider, rule("good", error="content_filter", when={"contains": '"question 3"'}))
    assert models(compared(house, tmp_path, *words))["mine/good"]["errors"] == 1
    teach(provider)
    assert models(compared(house, tmp_path, *words))["mine/good"]["errors"] == 1 and provider.log == []
    assert models(compared(house, tmp_path, *words, "--retry-errors"))["mine/good"]["right"] == 5
    assert len(provider.log) == 1


def test_a_run_that_was_killed_goes_on(
    house: Gateway, provider: Provider, cases: Path, tmp_path: Path
) -> None:
    words = [cases, "--models", "mine/good,mine/poor", "--concurrency", 2, "--out", "out"]
    teach(provider, rule("good", silent=True, when={"from_nth": 6}))
    running = start(house, tmp_path, *words)
    answers = tmp_path / "out" / "answers.jsonl"
    eventually(lambda: answers.exists() and answers.read_bytes().count(b"\n") >= 9)
    provider.until(lambda log: names(log).count("good") >= 7)  # both threads are held up now
    running.send_signal(signal.SIGKILL)
    running.communicate()
    kept = answers.read_bytes()
    answers.write_bytes(kept + b'{"case": "c9", "as')  # as if it had been writing
    teach(provider)
    found = compared(house, tmp_path, *words)
    assert models(found)["mine/good"]["right"] == NUM and models(found)["mine/poor"]["num"] == NUM
    assert len(provider.log) == 2 * NUM - kept.count(b"\n")
    assert compared(house, tmp_path, *words)["models"] == found["models"]  # nothing is left to ask
    assert len(provider.log) == 2 * NUM - kept.count(b"\n")


def test_ctrl_c_ends_it_and_keeps_what_came(
    house: Gateway, provider: Provider, cases: Path, tmp_path: Path
) -> None:
    teach(provider, rule("good", silent=True, when={"from_nth": 3}))
    running = start(house, tmp_path, cases, "--models", "mine/good", "--concurrency", 1, "--out", "out")
    provider.until(lambda log: len(log) >= 3)
    running.send_signal(signal.SIGINT)
    running.communicate()
    assert running.returncode == 130
    assert (tmp_path / "out" / "answers.jsonl").read_bytes().count(b"\n") == 2


def test_the_budget_is_never_exceeded_and_a_part_says_so(
    house: Gateway, provider: Provider, cases: Path, tmp_path: Path
) -> None:
    words = [cases, "--models", "mine/good,mine/poor", "--max-tokens", 8, "--out", "out"]
    budget = 0.0052
    found = compared(house, tmp_path, *words, "--max-usd", budget, code=1)
    first = len(provider.log)
    assert 0 < first < 2 * NUM and "the budget of $0.0052" in found["stopped"]
    assert found["spent_usd"] == pytest.approx(spent(house), abs=1e-12) and found["spent_usd"] <= budget
    missing = sum(model["missing"] for model in found["models"])
    assert missing == 2 * NUM - first and f"{missing} answers are missing" in found["stopped"]
    assert "This is a part only" in (tmp_path / "out" / "report.html").read_text()
    _, complained = run(house, tmp_path, *words, "--max-usd", 0, code=1)
    assert complained.startswith("wicket: the budget of $0") and len(provider.log) == first
    whole = compared(house, tmp_path, *words)
    assert whole["stopped"] == "" and len(provider.log) == 2 * NUM
    assert whole["spent_usd"] == pytest.approx(spent(house), abs=1e-12)


def test_gates(house: Gateway, cases: Path, tmp_path: Path) -> None:
    out = ["--out", "out"]
    two = [cases, "--models", "mine/good,mine/poor", *out]
    _, complained = run(house, tmp_path, *two, "--no-worse-than", "mine/good", code=1)
    assert complained.startswith("wicket: mine/poor is worse than mine/good: ")
    assert complained.endswith("Keep mine/good.\n") and complained.count("\n") == 1
    run(house, tmp_path, *two, "--no-worse-than", "mine/poor")
    _, complained = run(
        house, tmp_path, *two, "--fail-below", "mine/poor=0.5", "--fail-below", "mine/good=1", code=1
    )
    assert complained == "wicket: mine/poor has 33.3 % right, less than the 50 % of --fail-below.\n"
    run(house, tmp_path, *two, "--fail-below", "mine/poor=0.3")


def test_repeats_ask_again_and_count_cases_once(
    house: Gateway, provider: Provider, cases: Path, tmp_path: Path
) -> None:
    words = [cases, "--models", "mine/good,mine/poor", "--limit", 9, "--out", "out"]
    compared(house, tmp_path, *words)
    found = compared(house, tmp_path, *words, "--repeat", 3)
    assert len(provider.log) == 2 * 9 * 3 and models(found)["mine/good"]["num"] == 27
    assert found["pairs"][0]["num"] == 9 and found["repeats"] == 3


def test_another_check_needs_no_new_answers(house: Gateway, provider: Provider, tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", [{"prompt": f"question {n}", "expected": "THE"} for n in range(4)])
    words = [path, "--models", "mine/good", "--out", "out"]
    assert models(compared(house, tmp_path, *words))["mine/good"]["right"] == 0
    assert models(compared(house, tmp_path, *words, "--check", "contains"))["mine/good"]["right"] == 4
    assert len(provider.log) == 4


def test_lines_of_an_export_are_cases(house: Gateway, tmp_path: Path) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"question {n}"},
                {"role": "assistant", "content": right(n)},
            ],
            "task": "t",
        }
        for n in range(3)
    ]
    found = compared(house, tmp_path, write(tmp_path / "e.jsonl", rows), "--models", "mine/good")
    assert models(found)["mine/good"]["right"] == 3


BAD: list[tuple[list[Any], int, str]] = [
    (["missing.jsonl", "--models", "mine/good"], 1, "missing.jsonl can't be read"),
    (["--models", "mine/good"], 1, "--suite compact"),
    (["bad.jsonl", "--models", "mine/good"], 1, "bad.jsonl:2: "),
    (["cases.jsonl"], 2, "--models"),
    (["cases.jsonl", "--models", ","], 1, "--models names nobody"),
    (["cases.jsonl", "--models", "mine/good,nowhere/x"], 1, "nowhere/x"),
    (["cases.jsonl", "--models", "mine/good", "--baseline", "x"], 1, "--baseline names x"),
    (["cases.jsonl", "--models", "mine/good", "--fail-below", "mine/good=2"], 1, "--fail-below"),
    (["cases.jsonl", "--models", "mine/good", "--fail-below", "x=0.5"], 1, "--fail-below"),
    (["cases.jsonl", "--models", "mine/good", "--temperature", "hot"], 1, "--temperature"),
    (["cases.jsonl", "--models", "mine/good", "--repeat", "0"], 2, "--repeat"),
    (["cases.jsonl", "--models", "mine/good", "--max-usd", "nan"], 2, "--max-usd"),
    (["cases.jsonl", "--models", "mine/good", "--check", "vibes"], 1, "cases.jsonl:1: There is no check"),
    (["cases.jsonl", "--models", "mine/good", "--check", "judge"], 1, "--judge"),
    (["cases.jsonl", "--models", "mine/good", "--write-card"], 1, "local model"),
    (["cases.jsonl", "--models", "mine/good", "--out", "cases.jsonl"], 1, "can't be used"),
]


def test_bad_input_is_said_before_anything_is_asked(
    house: Gateway, provider: Provider, cases: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.jsonl").write_text('{"prompt": "p", "expected": "x"}\n{"prompt": 5}\n')
    for words, code, message in BAD:
        said, complained = run(house, tmp_path, *words, code=code)
        assert message in complained and complained.startswith("wicket: "), (words, complained)
        assert said == "" and provider.log == [], words


def test_without_a_server_it_says_so(cases: Path, tmp_path: Path, house: Gateway) -> None:
    house.close()
    _, complained = run(house, tmp_path, cases, "--models", "mine/good", code=1)
    assert "No server runs here, and compare needs one" in complained


def test_a_server_that_goes_away_ends_the_run(
    house: Gateway, provider: Provider, cases: Path, tmp_path: Path
) -> None:
    teach(provider, rule("good", silent=True, when={"from_nth": 3}))
    running = start(house, tmp_path, cases, "--models", "mine/good", "--concurrency", 1, "--out", "out")
    provider.until(lambda log: len(log) >= 3)
    os.kill(house.process.pid, signal.SIGKILL)
    said, complained = running.communicate()
    assert running.returncode == 1 and said == "" and "the same command goes on" in complained
