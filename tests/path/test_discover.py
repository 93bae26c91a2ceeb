"""`wicket tasks discover` over a real server: requests are logged, sorted, priced, and the saving is told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.path.house import Gateway, Provider, rule
from tests.path.served import eventually
from tests.path.test_cli import Place
from tests.unit.lab.logged import intents

CONFIG = """
[server]
port = 0
workers = 1
[providers.mine]
base_url = "{url}"
api_key = "{secret}"
models = ["dear"]
prices.dear = {{ input = 3.0, output = 15.0 }}
[models.front]
deployments = ["mine/dear"]
collect = "front"
[models.other]
deployments = ["mine/dear"]
collect = "asides"
"""
NUM = 60


@pytest.fixture
def served(provider: Provider, open_gateway: Any) -> Iterator[Gateway]:
    running: Gateway = open_gateway(CONFIG)
    yield running
    assert "Traceback" not in running.heard()


def test_logged_requests_are_sorted_and_priced(served: Gateway, provider: Provider, tmp_path: Any) -> None:
    place = Place(tmp_path)
    place.environ["WICKET_HOME"] = str(served.home)
    system = {"role": "system", "content": "Name the intent."}
    for text, label in intents()[:NUM]:
        provider.script(rule(text="early" if label < "j" else "late"))
        assert served.chat("front", messages=[system, {"role": "user", "content": text}]).status == 200
    assert served.chat("other", messages=[{"role": "user", "content": "And you?"}]).status == 200

    def all_kept() -> bool:
        tasks = {task["task"]: task["examples"] for task in place.json("tasks", "list")}
        return tasks == {"front": NUM, "asides": 1}

    eventually(all_kept)
    eventually(lambda: len(place.json("logs", "--limit", "1000")) == NUM + 1)
    records = place.json("logs", "--limit", "1000")
    found = place.json("tasks", "discover", "--task", "front", "--no-topics")
    (task,) = found["tasks"]
    assert task["task"] == task["model"] == "front" and task["deployment"] == "mine/dear"
    (group,) = task["groups"]
    assert group["system"] == "Name the intent." and group["requests"] == NUM
    assert group["answers"]["kind"] == "label" and group["verdict"]["code"] == "too_few"
    front = [record for record in records if record["model"] == "front"]
    assert (
        group["cost_usd"] == pytest.approx(sum(record["cost_usd"] for record in front))
        and group["cost_usd"] > 0
    )
    assert group["output_tokens"] == sum(record["output_tokens"] for record in front)
    every = place.json("tasks", "discover", "--no-topics")
    assert [task["task"] for task in every["tasks"]] == ["asides", "front"]
    shown = place.run("tasks", "discover", "--task", "front", "--no-topics", "--limit", "10")
    assert "too few, 10 of ~500 needed" in shown and "only the first 10" in place.said
    place.run("tasks", "discover", "--task", "nothing", code=1)
    assert "Nothing is collected for 'nothing'" in place.said
    exported = tmp_path / "front.jsonl"
    place.run("logs", "export", "--task", "front", "--out", str(exported))
    from_file = json.loads(place.run("tasks", "discover", "--from", str(exported), "--no-topics", "--json"))
    assert from_file["tasks"][0]["groups"][0]["requests"] == NUM
    assert from_file["tasks"][0]["groups"][0]["cost_usd"] is None
