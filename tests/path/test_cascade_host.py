"""The cascade with a mini in the real engine host: its own judgement, over a scripted checkpoint."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.path.cascaded import Cascaded, says
from tests.path.house import Provider
from tests.path.served import eventually
from wicket.minis.confidence import Point

runs: Any = pytest.importorskip("tests.unit.engines.mini_runs")
FOUR = '{"people":"4"}'
SURE, UNSURE = '{"people": "4"} [[doubt 250]]', '{"people": "4"} [[doubt 1500]]'
POINTS = [Point(0.95, 400, 398), Point(0.2, 900, 500)]


class Hosted(Cascaded):
    engine_module = "wicket.engines.host"

    def put(self, run: str) -> None:
        """A run whose checkpoint is a script, promoted."""
        calibration = msgspec.structs.replace(runs.BY_THE_MEAN, points=POINTS, num_validated=1000)
        runs.write_run(self.minis.parent, runs.card(run=run, calibration=calibration))


@pytest.fixture
def served(provider: Provider, tmp_path: Path) -> Iterator[Hosted]:
    provider.script(says(FOUR))
    running = Hosted(tmp_path, provider, "quality = 0.95\ncheck_share = 1.0", run="")
    try:
        running.wait_ready()
        running.put("r1")
        running.wait_line("configuration 2 is in force")
        yield running
    finally:
        running.close()


def by(served: Hosted, text: str, **fields: Any) -> str:
    answer = served.ask(text, **fields)
    assert answer.status == 200, answer.body
    return answer.headers["x-wicket-deployment"]


@pytest.mark.parametrize("stream", [False, True])
def test_its_own_judgement_decides_who_answers(served: Hosted, provider: Provider, stream: bool) -> None:
    sure = served.ask(SURE, stream=stream)
    assert sure.headers["x-wicket-deployment"] == "mini/slots"
    assert sure.headers["x-wicket-confidence"] == "0.9526"
    assert (sure.text if stream else sure.json["choices"][0]["message"]["content"]) == FOUR
    eventually(lambda: served.cascade()["agreed"] >= 1)
    unsure = served.ask(UNSURE)
    assert unsure.headers["x-wicket-deployment"] == "mine/large"
    attempts = served.record(unsure.headers["x-request-id"])["attempts"]
    assert [a["reason"] for a in attempts] == ["not_confident", "ok"] and attempts[0]["status"] == 422


def test_what_is_not_of_its_kind_goes_up(served: Hosted) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    assert by(served, SURE, tools=tools) == "mine/large"
    assert by(served, SURE, n=2) == "mine/large"
    assert by(served, SURE) == "mini/slots"


def test_a_crashed_core_and_a_killed_host_hold_nobody_up(served: Hosted) -> None:
    assert by(served, '{"people": "4"} [[crash 3]]') == "mine/large"
    eventually(lambda: by(served, SURE) == "mini/slots")
    os.kill(served.mini()["pid"], signal.SIGKILL)
    assert by(served, SURE) == "mine/large"
    eventually(lambda: by(served, SURE) == "mini/slots")


def test_the_next_run_takes_over_and_its_card_is_shown(served: Hosted) -> None:
    before = served.mini()["pid"]
    served.put("r2")
    served.wait_line("configuration 3 is in force")
    assert by(served, SURE) == "mini/slots" and served.mini()["pid"] != before
    card = served.request("GET", "/v1/models/mini/slots").json["card"]
    assert card["mini"]["run"] == "r2"
    direct = served.ask(UNSURE, model="mini/slots")
    assert direct.status == 200 and direct.headers["x-wicket-confidence"] not in ("", "0")
