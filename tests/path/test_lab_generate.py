"""A teacher that fails, limits, cuts and lies, a run that is killed, a full disk: answers all the same."""

import json
import os
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.path.house import Gateway, Provider, rule
from tests.path.served import LIMIT_S
from wicket.upstream.scripted import Seen

NUM = 60
ANSWERS = {f"question {number}": f"answer {number}" for number in range(NUM)}
HALF = [  # of 24 calls 12 fail, each in its own way
    rule(when={"every_nth": 6}, error="server_error"),
    rule(when={"every_nth": 5}, error="rate_limit", headers={"retry-after": "0.02"}),
    rule(when={"every_nth": 5}, reset=True),
    rule(when={"every_nth": 6}, content_length_off=50),
    rule(when={"every_nth": 9}, body="<html>", status=200),
]


def prompts(folder: Path, *rows: Any) -> Path:
    path = folder / "prompts.jsonl"
    rows = rows or tuple({"prompt": prompt} for prompt in ANSWERS)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def words(provider: Provider, path: Path, *options: str) -> list[str]:
    base = ["-m", "wicket.lab", "generate", str(path), "--base-url", provider.upstream.base_url]
    out = ["--model", "t", "--out", str(path.parent / "out.jsonl"), "--wait", "0.005", "--json"]
    priced = [] if "--prices" in options else ["--prices", "[{}]"]
    return [sys.executable, *base, *out, *priced, *options]


def run(provider: Provider, path: Path, *options: str, **more: Any) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        words(provider, path, *options), capture_output=True, check=False, timeout=LIMIT_S, **more
    )
    report = json.loads(done.stdout) if done.stdout else {}
    return done.returncode, report, done.stderr.decode()


def answers(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path.parent / "out.jsonl").read_text().splitlines()]


def asked(log: list[Seen]) -> Counter[str]:
    return Counter(seen.fields["messages"][-1]["content"] for seen in log)


def test_half_the_calls_fail_and_every_prompt_is_answered(provider: Provider, tmp_path: Path) -> None:
    provider.script(*HALF, answers=ANSWERS)
    path = prompts(tmp_path)
    code, report, said = run(provider, path, "--concurrency", "12")
    assert code == 0, said
    assert report["answered"] == NUM and not report["failures"]
    told = {row["messages"][0]["content"]: row["messages"][1]["content"] for row in answers(path)}
    assert told == ANSWERS and len(answers(path)) == NUM
    assert report["calls"] == len(provider.log) == NUM + report["failed_calls"]
    assert report["failed_calls"] > NUM / 2
    provider.script(answers=ANSWERS)
    code, report, _ = run(provider, path)
    assert code == 0 and report["answered_before"] == NUM and not provider.log


def test_a_killed_run_goes_on_and_asks_nothing_twice_for_nothing(provider: Provider, tmp_path: Path) -> None:
    provider.script(*HALF, answers=ANSWERS)
    path = prompts(tmp_path)
    process = subprocess.Popen(words(provider, path, "--concurrency", "4"), stderr=subprocess.DEVNULL)
    provider.until(lambda log: len(log) >= 50)
    process.kill()
    assert process.wait(LIMIT_S) < 0
    log = provider.log
    there = {row["messages"][0]["content"] for row in answers(path)}
    assert 0 < len(there) < NUM
    with (tmp_path / "out.jsonl").open("ab") as file:
        file.write(b'{"messages": [{"role": "us')  # a line that a crash cut
    provider.script(answers=ANSWERS)
    code, report, said = run(provider, path)
    assert code == 0, said
    again = asked(provider.log)
    assert not there & set(again) and set(again) == set(ANSWERS) - there and max(again.values()) == 1
    assert sorted(row["messages"][1]["content"] for row in answers(path)) == sorted(ANSWERS.values())
    # Nobody knows how the calls under way ended, so they count for all that they could have used.
    real = sum(seen.input_tokens + seen.output_tokens for seen in [*log, *provider.log])
    assert report["spent_tokens"] >= real


def test_a_budget_is_never_exceeded(provider: Provider, tmp_path: Path) -> None:
    provider.script(*HALF, answers=ANSWERS)
    path = prompts(tmp_path)
    options = (
        "--concurrency",
        "16",
        "--max-tokens",
        "100",
        "--prices",
        '[{"input": 1000, "output": 2000}]',
    )
    code, report, _ = run(provider, path, *options, "--max-usd", "2.5", "--max-all-tokens", "4000")
    used = sum(seen.input_tokens + seen.output_tokens for seen in provider.log)
    assert code == 1 and 0 < report["answered"] < NUM
    assert used <= report["spent_tokens"] <= 4000 and report["spent_usd"] <= 2.5
    assert "budget does not allow another call" in report["stopped"]
    assert {failure["code"] for failure in report["failures"]} == {"not_asked"}
    code, report, _ = run(provider, path, *options, "--max-usd", "none")
    assert code == 0 and len(answers(path)) == NUM


def test_what_a_teacher_refuses_is_listed_and_left_alone(provider: Provider, tmp_path: Path) -> None:
    refusing = rule(when={"contains": '"question 7"'}, error="content_policy")
    provider.script(refusing, answers=ANSWERS)
    path = prompts(tmp_path)
    code, report, _ = run(provider, path)
    assert code == 1 and report["answered"] == NUM - 1
    failure = report["failures"][0]
    assert failure["origin"] == "prompts.jsonl:8" and failure["code"] == "status_400"
    assert "refused by the safety system" in failure["message"]
    provider.script(answers=ANSWERS)
    code, report, _ = run(provider, path)
    assert code == 1 and not provider.log and len(report["failures"]) == 1
    code, report, _ = run(provider, path, "--retry-refused")
    assert code == 0 and len(provider.log) == 1


def test_a_teacher_that_is_down_or_has_no_place_for_us_ends_it(provider: Provider, tmp_path: Path) -> None:
    path = prompts(tmp_path)
    provider.script(rule(error="authentication"))
    code, _, said = run(provider, path)
    assert code == 1 and "The API key is not valid" in said and "Check the key" in said
    assert len(provider.log) <= 8
    provider.script(rule(error="overloaded"))
    code, report, _ = run(provider, path)
    assert code == 1 and "calls in a row failed" in report["stopped"]
    assert 30 <= len(provider.log) <= 40


def test_samples_schema_and_cut_answers(provider: Provider, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}')
    path = prompts(tmp_path, {"prompt": "good"}, {"prompt": "good"}, {"prompt": "bad"}, {"prompt": "long"})
    wrong = rule(when={"contains": '"good"', "to_nth": 1}, text='{"n": "one"}')
    long = rule(when={"contains": '"long"'}, text='{"n": 2}', finish_reason="length")
    provider.script(wrong, long, answers={"good": '{"n": 1}', "bad": "no JSON"})
    options = ("--samples", "2", "--temperature", "0.7", "--schema", str(schema), "--system", "Be brief.")
    code, report, _ = run(provider, path, *options)
    assert code == 1 and report["errands"] == 6 and report["repeated"] == 2 and report["answered"] == 2
    assert [row["messages"][2]["content"] for row in answers(path)] == ['{"n": 1}'] * 2
    codes = {failure["origin"]: failure["code"] for failure in report["failures"]}
    assert codes == {"prompts.jsonl:3": "not_json", "prompts.jsonl:4": "cut_at_limit"}
    sent = provider.log[0].fields
    assert sent["temperature"] == 0.7 and sent["response_format"]["json_schema"]["strict"] is True
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    assert asked(provider.log)["bad"] == 6  # three tries each, then it is the teacher's way
    provider.script(answers={"long": '{"n": 2}'})
    run(provider, path, *options, "--max-tokens", "2048")  # more room: only what was cut is asked again
    assert asked(provider.log) == {"long": 2}


def test_log_probabilities_are_kept_where_the_teacher_gives_them(provider: Provider, tmp_path: Path) -> None:
    top = [{"token": "Yes", "logprob": -0.1, "bytes": None}, {"token": "No", "logprob": -2.5, "bytes": None}]
    token = {"token": "Yes", "logprob": -0.1, "bytes": None, "top_logprobs": top}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Yes"},
        "finish_reason": "stop",
        "logprobs": {"content": [token]},
    }
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    path = prompts(tmp_path, {"prompt": "sure?"}, {"prompt": "really?"})
    told = rule(when={"contains": "sure"}, body={"choices": [choice], "usage": usage}, status=200)
    provider.script(told)
    code, report, _ = run(provider, path, "--top-logprobs", "2")
    assert code == 0 and report["with_logprobs"] == 1
    kept = {row["messages"][0]["content"]: row.get("logprobs") for row in answers(path)}
    assert kept == {"sure?": [["Yes", -0.1, [["Yes", -0.1], ["No", -2.5]]]], "really?": None}
    assert provider.log[0].fields["logprobs"] is True and provider.log[0].fields["top_logprobs"] == 2


def test_paraphrases_keep_the_answer(provider: Provider, tmp_path: Path) -> None:
    chat = [
        {"role": "user", "content": "Block my card [CARD_1]"},
        {"role": "assistant", "content": "block_card"},
    ]
    path = prompts(tmp_path, {"messages": chat})
    provider.script(
        rule(when={"to_nth": 1}, text="Block my card, [CARD_1]!"),  # the same words
        rule(when={"to_nth": 1}, text="Please stop my card"),  # the number is lost
        rule(text="Please stop card [CARD_1]"),
    )
    code, report, said = run(provider, path, "--paraphrase", "--temperature", "1")
    assert code == 0 and report["failed_calls"] == 2, said
    (row,) = answers(path)
    assert row["messages"] == [{"role": "user", "content": "Please stop card [CARD_1]"}, chat[1]]
    assert row["meta"]["augmented"] == "paraphrase"


def test_a_full_disk_ends_it_clearly_and_the_next_run_goes_on(provider: Provider, tmp_path: Path) -> None:
    provider.script(answers=ANSWERS)
    path = prompts(tmp_path)
    full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))  # noqa: E731
    code, _, said = run(provider, path, preexec_fn=full)
    assert code == 1 and "can't be written" in said and "Make room, then run the same command again" in said
    assert "Traceback" not in said
    there = len(answers(path))
    assert 0 < there < NUM
    code, report, _ = run(provider, path)
    assert code == 0 and report["answered_before"] == there and len(answers(path)) == NUM


def test_a_file_of_somebody_else_is_left_alone(provider: Provider, tmp_path: Path) -> None:
    path = prompts(tmp_path)
    out = tmp_path / "out.jsonl"
    out.write_text('{"mine": 1}\nno newline at the end')
    code, _, said = run(provider, path)
    assert code == 1 and "out.jsonl:1 was not written by `wicket lab generate`" in said
    assert out.read_text() == '{"mine": 1}\nno newline at the end'


def test_broken_prompts_and_unknown_prices(provider: Provider, tmp_path: Path) -> None:
    path = prompts(tmp_path)
    path.write_text('{"prompt": "question 1"}\n{"prompt": \n')
    code, _, said = run(provider, path)
    assert code == 1 and "prompts.jsonl:2: " in said
    code, report, said = run(provider, path, "--broken", "skip")
    assert code == 0 and report["broken_lines"] == 1 and "prompts.jsonl:2 is skipped" in said
    code, _, said = run(provider, path, "--broken", "skip", "--prices", "")
    assert code == 1 and "Nobody knows what t costs: --price IN,OUT" in said


def test_the_gateway_is_a_teacher_too(gateway: Gateway, provider: Provider, tmp_path: Path) -> None:
    provider.script(rule(when={"every_nth": 7}, error="server_error"), answers=ANSWERS)
    path = prompts(tmp_path)
    environ = {**os.environ, "WICKET_HOME": str(tmp_path / "home"), "WICKET_URL": gateway.url}
    environ["WICKET_API_KEY"] = gateway.key
    line = [sys.executable, "-m", "wicket.cli", "lab", "generate", str(path), "--teacher", "mine/plain"]
    line += ["--out", str(tmp_path / "out.jsonl"), "--json"]
    done = subprocess.run(line, capture_output=True, check=False, timeout=LIMIT_S, env=environ)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["answered"] == NUM
    prices = 0.5 * 2 + 1.5 * 2  # millionths of a dollar: two tokens in, two out
    assert report["spent_usd"] == pytest.approx(NUM * prices / 1e6)
    assert gateway.key not in done.stderr.decode() + (tmp_path / "out.jsonl.journal").read_text()
