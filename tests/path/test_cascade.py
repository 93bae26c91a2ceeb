"""The cascade over real processes: the mini's share, what goes up, and what happens when either side dies."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.path.cascaded import PARIS, ROME, Cascaded, says
from tests.path.house import Provider, rule
from tests.path.served import eventually


@pytest.fixture
def served(provider: Provider, tmp_path: Path) -> Iterator[Cascaded]:
    running = Cascaded(tmp_path, provider, "quality = 0.95\ncheck_share = 0")
    try:
        running.wait_ready()
        running.wait_line("mini/slots is ready")
        eventually(lambda: running.ask().headers["x-wicket-deployment"] == "mini/slots")
        provider.script(says(PARIS))
        yield running
    finally:
        running.close()


@pytest.mark.parametrize("stream", [False, True])
def test_a_sure_answer_is_the_minis_and_an_unsure_one_goes_up(
    served: Cascaded, provider: Provider, stream: bool
) -> None:
    sure = served.ask("rome #0.97", stream=stream)
    assert sure.status == 200 and sure.headers["x-wicket-deployment"] == "mini/slots"
    assert sure.headers["x-wicket-confidence"] == "0.97"
    assert (sure.text if stream else sure.json["choices"][0]["message"]["content"]) == ROME
    assert (sure.chunks[0] if stream else sure.json)["model"] == "slots"
    assert provider.log == []
    unsure = served.ask("rome #0.9699")
    assert unsure.status == 200 and unsure.headers["x-wicket-deployment"] == "mine/large"
    assert "x-wicket-confidence" not in unsure.headers
    assert unsure.json["choices"][0]["message"]["content"] == PARIS
    record = served.record(unsure.headers["x-request-id"])
    assert [(a["deployment"], a["reason"]) for a in record["attempts"]] == [
        ("mini/slots", "not_confident"),
        ("mine/large", "ok"),
    ]
    assert record["task"] == "slots" and record["large_cost_usd"] == record["cost_usd"] > 0


@pytest.mark.parametrize("how", ["busy", "broken", "strict"])
def test_whatever_keeps_a_mini_from_answering_goes_up_at_once(
    served: Cascaded, provider: Provider, how: str
) -> None:
    answer = served.ask(f"rome #{how}")
    assert answer.status == 200 and answer.headers["x-wicket-deployment"] == "mine/large"
    record = served.record(answer.headers["x-request-id"])
    assert len(record["attempts"]) == 2, "asked once, never again"


@pytest.fixture
def hurried(provider: Provider, tmp_path: Path) -> Iterator[Cascaded]:
    """A cascade that gives its mini half a second."""
    running = Cascaded(tmp_path, provider, "quality = 0.95\ncheck_share = 0", mini_s=0.5)
    try:
        running.wait_ready()
        running.wait_line("mini/slots is ready")
        provider.script(says(PARIS))
        yield running
    finally:
        running.close()


def test_a_silent_mini_is_left_after_its_own_limit(hurried: Cascaded) -> None:
    eventually(lambda: hurried.ask().headers["x-wicket-deployment"] == "mini/slots")
    answer = hurried.ask("rome #silent")
    assert answer.headers["x-wicket-deployment"] == "mine/large"
    attempts = hurried.record(answer.headers["x-request-id"])["attempts"]
    assert attempts[0]["reason"] == "first_token_timeout"


def test_with_the_large_model_dead_the_minis_share_is_served(served: Cascaded, provider: Provider) -> None:
    provider.script(rule("large", close=True))
    assert served.ask("rome #0.98").headers["x-wicket-deployment"] == "mini/slots"
    unsure = served.ask("rome #0.5")
    assert unsure.status == 502 and unsure.error["code"] == "reset"
    provider.script(rule("large", error="authentication"))
    assert served.ask("rome #0.5").error["code"] == "provider_auth_failed", "not: not_confident"


def test_with_the_mini_killed_everything_goes_up_until_it_is_back(served: Cascaded) -> None:
    pid = served.mini()["pid"]
    os.kill(pid, signal.SIGKILL)
    assert served.ask("rome #0.98").headers["x-wicket-deployment"] == "mine/large"
    served.wait_line("the engine mini:slots was ended by SIGKILL")
    eventually(lambda: served.ask("rome").headers["x-wicket-deployment"] == "mini/slots")
    assert served.mini()["pid"] != pid


def test_a_stopped_mini_process_holds_nobody_up(hurried: Cascaded) -> None:
    pid = hurried.mini()["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert hurried.ask("rome #0.98").headers["x-wicket-deployment"] == "mine/large"
    finally:
        os.kill(pid, signal.SIGCONT)


def test_only_chat_is_for_the_mini(served: Cascaded, provider: Provider) -> None:
    answer = served.post("/v1/embeddings", {"model": "extract", "input": "x"})
    assert answer.headers["x-wicket-deployment"] == "mine/large" and len(provider.log) == 1


def test_a_mini_can_be_called_by_its_own_name(served: Cascaded) -> None:
    listed = [model["id"] for model in served.request("GET", "/v1/models").json["data"]]
    assert listed == ["auto", "mini/slots", "extract", "alone"]
    answer = served.ask("rome #0.20", model="mini/slots")
    assert answer.headers["x-wicket-deployment"] == "mini/slots", "no floor without a cascade"
    assert answer.headers["x-wicket-confidence"] == "0.20"
    record = served.record(answer.headers["x-request-id"])
    assert record["task"] == "" and record["large_cost_usd"] == 0 and record["model"] == "mini/slots"
    assert served.ask("rome #busy", model="mini/slots").status == 429


def test_a_cascades_card_shows_the_large_models_price(served: Cascaded) -> None:
    card = served.request("GET", "/v1/models/extract").json
    assert card["deployments"] == ["mini/slots", "mine/large"]
    assert card["prices"] == {"input": 3.0, "output": 15.0}
