"""The loop over a real server: logged, learned, in place without a restart; with a model of seconds."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab import tiny_task  # noqa: E402
from tests.path.house import SECRET, Answer, Gateway, Provider  # noqa: E402
from tests.path.served import eventually  # noqa: E402

NUM = 900
CONFIG = """
[server]
port = 0
[providers.large]
base_url = "{url}"
api_key = "{secret}"
prices.big = {{ input = 2.5, output = 10.0 }}
[models.assistant]
deployments = ["mini:wants", "large/big"]
policy = "cascade"
quality = 0.9
collect = "wants"
check_share = 0.05
timeouts = {{ mini_s = 30 }}
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


@pytest.fixture(scope="module")
def gateway(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    known = dict(tiny_task.requests(NUM + 300, seed=0))
    provider.script(answers=known)
    folder = tmp_path_factory.mktemp("loop")
    made = Gateway(folder, CONFIG.format(url=provider.upstream.base_url, secret=SECRET)).wait_ready()
    yield made
    made.close()


def ask(gateway: Gateway, text: str, model: str = "assistant", **fields: Any) -> Answer:
    messages = [{"role": "system", "content": tiny_task.SYSTEM}, {"role": "user", "content": text}]
    return gateway.post("/v1/chat/completions", {"model": model, "messages": messages, **fields})


def asked(gateway: Gateway, pairs: list[tuple[str, str]]) -> list[Answer]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda pair: ask(gateway, pair[0]), pairs))


def wicket(gateway: Gateway, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "WICKET_HOME": str(gateway.home)}
    command = [sys.executable, "-m", "wicket.cli", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)


def test_logged_answers_become_a_mini_that_takes_what_it_can(
    gateway: Gateway, provider: Provider, tmp_path: Path
) -> None:
    pairs = tiny_task.requests(NUM + 300, seed=0)
    first = asked(gateway, pairs[:NUM])
    assert {answer.headers["x-wicket-deployment"] for answer in first} == {"large/big"}

    def num_kept() -> int:
        tasks = gateway.admin("GET", "/admin/v1/tasks")["data"]
        return sum(task["examples"] for task in tasks)

    eventually(lambda: num_kept() == NUM)
    base = tiny_task.base(tmp_path)
    options = [
        "--base",
        str(base),
        "--rate",
        "0.003",
        "--epochs",
        "10",
        "--quality",
        "0.9",
        "--scheme",
        "f16",
    ]
    trained = wicket(gateway, "mini", "train", "wants", *options, "--json")
    assert trained.returncode == 0, trained.stderr
    report = json.loads(trained.stdout)
    assert report["gate"]["passed"] and "training:" in trained.stderr

    eventually(lambda: ask(gateway, pairs[NUM][0], model="mini/wants").status == 200)
    after = asked(gateway, pairs[NUM:])
    taken = [
        (answer, pair)
        for answer, pair in zip(after, pairs[NUM:], strict=True)
        if answer.headers["x-wicket-deployment"] == "mini/wants"
    ]
    assert len(taken) >= 0.3 * len(after)
    right = sum(json.loads(content(answer)) == json.loads(gold) for answer, (_, gold) in taken)
    assert right >= 0.9 * len(taken)
    assert all(float(answer.headers["x-wicket-confidence"]) >= report["floor"] - 1e-4 for answer, _ in taken)
    assert all(json.loads(content(answer)) for answer in after), "the rest was answered by the large model"

    eventually(lambda: json.loads(wicket(gateway, "savings", "--json").stdout)["requests"] == NUM + 300)
    saved = json.loads(wicket(gateway, "savings", "--json").stdout)
    assert saved["tasks"][0]["mini_requests"] == len(taken)
    assert saved["spent_usd"] < saved["large_only_usd"]
    shown = json.loads(wicket(gateway, "mini", "list", "--json").stdout)
    assert [(run["task"], run["is_current"], run["passed"]) for run in shown] == [("wants", True, True)]


def test_streams_and_strangers(gateway: Gateway) -> None:
    text, gold = tiny_task.requests(NUM, seed=0)[3]
    streamed = ask(gateway, text, stream=True)
    assert json.loads(streamed.text) == json.loads(gold)
    for fields in ({"tools": [{"type": "function", "function": {"name": "f"}}]}, {"n": 2}):
        assert ask(gateway, text, **fields).headers["x-wicket-deployment"] == "large/big"
    long = ask(gateway, text + " ba" * 3_000)
    assert long.headers["x-wicket-deployment"] == "large/big"


def test_with_the_large_model_dead_the_minis_share_is_served(gateway: Gateway, provider: Provider) -> None:
    pairs = tiny_task.requests(NUM + 300, seed=0)[NUM:]
    provider.script(answers=dict(pairs))
    before = [answer.headers["x-wicket-deployment"] for answer in asked(gateway, pairs[:60])]
    from tests.path.house import rule

    provider.script(rule(error="overloaded"))
    after = asked(gateway, pairs[:60])
    served = [answer.status == 200 for answer in after]
    assert served == [deployment == "mini/wants" for deployment in before]
    assert any(served)
    failed = ask(gateway, pairs[0][0], n=2)  # no mini can do this
    assert failed.error["code"] not in ("not_confident", "internal_error") and failed.status >= 429
    provider.script(answers=dict(pairs))


def test_with_the_mini_killed_everything_goes_up(gateway: Gateway) -> None:
    pairs = tiny_task.requests(NUM + 300, seed=0)[NUM:]
    text = next(
        pair[0] for pair in pairs if ask(gateway, pair[0]).headers["x-wicket-deployment"] == "mini/wants"
    )
    engines = gateway.admin("GET", "/admin/v1/status")["engines"]
    [pid] = [engine["pid"] for engine in engines if engine["name"].startswith("mini")]
    os.kill(pid, signal.SIGKILL)
    answer = ask(gateway, text)
    assert (answer.status, answer.headers["x-wicket-deployment"]) == (200, "large/big")
    eventually(lambda: ask(gateway, text).headers["x-wicket-deployment"] == "mini/wants")


def content(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return str(answer.json["choices"][0]["message"]["content"])
