"""A mini is put in force while the server runs: to the first, to the next, never to a bad one."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.path.cascaded import PARIS, ROME, Cascaded, made_card, says
from tests.path.house import Answer, Provider, stream_rule
from tests.path.served import eventually


@pytest.fixture
def served(provider: Provider, tmp_path: Path) -> Iterator[Cascaded]:
    running = Cascaded(tmp_path, provider, "quality = 0.95\ncheck_share = 0", run="")
    try:
        yield running.wait_ready()
    finally:
        running.close()


def by(served: Cascaded) -> str:
    return served.ask().headers["x-wicket-deployment"]


def test_a_task_without_a_mini_goes_up_until_it_has_one(served: Cascaded, provider: Provider) -> None:
    provider.script(says(PARIS))
    assert by(served) == "mine/large"
    assert served.cascade() == {
        "route": "extract",
        "task": "slots",
        "note": "no mini yet: everything goes up",
    }
    record = served.record(served.ask().headers["x-request-id"])
    assert record["task"] == "slots" and len(record["attempts"]) == 1
    assert [m["id"] for m in served.request("GET", "/v1/models").json["data"]] == ["auto", "extract"]
    for name in ("alone", "mini/slots"):
        answer = served.ask(model=name)
        assert answer.status == 503 and answer.error["code"] == "no_mini_yet"
        assert "'slots'" in answer.error["message"]
    served.promote("r1")
    served.wait_line("task slots: run r1 is in force")
    served.wait_line("configuration 2 is in force")
    assert by(served) == "mini/slots" and served.ask(model="alone").status == 200
    assert served.cascade()["floor"] == 0.97
    served.promote("r2", says=PARIS)
    served.wait_line("configuration 3 is in force")
    assert served.ask().json["choices"][0]["message"]["content"] == PARIS, "the next run's answer"
    assert served.cascade()["run"] == "r2" and served.mini()["state"] == "ready"
    (served.minis / "slots" / "current").unlink()
    served.wait_line("configuration 4 is in force")
    assert by(served) == "mine/large"


def test_streams_under_way_go_on_through_a_promotion(served: Cascaded, provider: Provider) -> None:
    go = threading.Event()
    provider.script(stream_rule(STREAM, "large", first_token_ms=0, split_every=40, piece_gap_ms=60))
    found: list[Answer] = []

    def ask() -> None:
        go.set()
        found.append(served.ask("long #0.1", stream=True))

    thread = threading.Thread(target=ask)
    thread.start()
    assert go.wait(30)
    provider.until(lambda log: len(log) == 1)
    served.promote("r1")
    served.wait_line("configuration 2 is in force")
    assert thread.is_alive(), "the stream was over too soon to prove anything"
    thread.join()
    assert found[0].text == "word " * 60


@pytest.mark.parametrize("damage", ["missing", "card", "other", "name"])
def test_a_run_that_cant_be_used_changes_nothing_but_the_log(served: Cascaded, damage: str) -> None:
    served.promote("r1")
    served.wait_line("configuration 2 is in force")
    if damage == "card":
        served.promote("r2", card=b'{"version": 1, "task": "slots"')
    elif damage == "other":
        served.promote("r2", card=made_card("r9"))
    else:
        text = "../../elsewhere" if damage == "name" else "r2"
        draft = served.minis / "slots" / "current.new"
        draft.write_text(text)
        draft.replace(served.minis / "slots" / "current")
    served.wait_line("task slots stays with its run r1: ")
    assert served.ask().json["choices"][0]["message"]["content"] == ROME
    assert served.cascade()["run"] == "r1"
    assert served.admin("POST", "/admin/v1/config/reload") == {
        "changed": False,
        "version": 2,
        "needs_restart": [],
    }
    served.promote("r3", says=PARIS)
    served.wait_line("configuration 3 is in force")
    eventually(lambda: served.ask().json["choices"][0]["message"]["content"] == PARIS)


def test_a_start_with_a_damaged_run_says_so_and_serves(provider: Provider, tmp_path: Path) -> None:
    served = Cascaded(tmp_path, provider)
    (served.minis / "slots" / "r1" / "mini.json").write_text("{")
    served.close()
    again = Cascaded(tmp_path, provider, run="")
    try:
        again.url = again.wait_line(r"Wicket answers on (http://\S+)/v1")[1]
        again.wait_line(r"Note: +task slots has no mini: mini.json can't be read")
    finally:
        again.close()


CHUNK = {"id": "c", "model": "up"}
STREAM = (
    "".join(
        "data: "
        + json.dumps(
            {**CHUNK, "choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]}
        )
        + "\n\n"
        for _ in range(60)
    )
    + "data: "
    + json.dumps({**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    + "\n\ndata: [DONE]\n\n"
)
