"""A real host that is asked with a floor: it refuses before a token is made, and answers what it can."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.path.hosted import IS_LINUX, Host, script
from wicket.minis.capability import FOLDER, CapabilityCard, KindScore, file_name
from wicket.minis.kinds import KINDS
from wicket.wire.json import encode

PLAIN = "What is the capital of France?"
SUM = "What is 17 + 25?"
MODEL = "compact/echo"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("router")
    with Host(folder, script(folder)) as found:
        write_card(found, {kind: KindScore(14, 14) for kind in KINDS} | {"maths": KindScore(1, 14)})
        found.until("/readyz", 200)
        yield found


def write_card(host: Host, kinds: dict[str, KindScore]) -> Path:
    folder = host.socket.parent / "home" / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(MODEL)
    path.write_bytes(encode(CapabilityCard(model=MODEL, created_ms=1, suite="s", kinds=kinds)))
    return path


def ask(host: Host, text: Any, floor: str = "", **fields: Any) -> httpx.Response:
    body = {"model": "echo", "messages": [{"role": "user", "content": text}], **fields}
    headers = {"x-wicket-floor": floor} if floor else {}
    return host.client.post("/v1/chat/completions", json=body, headers=headers)


def refused(answer: httpx.Response) -> str:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (
        422,
        "not_confident",
        "invalid_request_error",
    )
    message: str = error["message"]
    return message


def test_a_question_that_the_model_is_good_at_is_answered(host: Host) -> None:
    answer = ask(host, PLAIN, "0.8", temperature=0)
    assert answer.status_code == 200 and answer.json()["choices"][0]["message"]["content"] == PLAIN
    assert 0.8 <= float(answer.headers["x-wicket-confidence"]) < 1


def test_streams_say_how_sure_they_are_too(host: Host) -> None:
    answer = ask(host, PLAIN, "0.8", stream=True)
    assert answer.status_code == 200 and answer.text.endswith("data: [DONE]\n\n")
    assert float(answer.headers["x-wicket-confidence"]) >= 0.8


def test_without_a_floor_everything_is_answered_and_nothing_is_said(host: Host) -> None:
    answer = ask(host, SUM)
    assert answer.status_code == 200 and "x-wicket-confidence" not in answer.headers


def test_what_it_is_measured_to_be_bad_at_goes_to_another_model(host: Host) -> None:
    answer = ask(host, SUM, "0.8")
    assert "maths" in refused(answer) and float(answer.headers["x-wicket-confidence"]) < 0.5


@pytest.mark.skipif(not IS_LINUX, reason="reads /proc")
def test_it_refuses_before_it_generates(host: Host) -> None:
    before = host.children()
    refused(ask(host, f"{SUM} [[crash 0]]", "0.8", stream=True))
    assert host.children() == before and ask(host, PLAIN, "0.8").status_code == 200


@pytest.mark.parametrize(
    ("text", "fields", "why"),
    [
        (PLAIN, {"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ([{"type": "image_url", "image_url": {"url": "data:,"}}], {}, "form"),
        ("Tell me more. " * 1_000, {}, "length"),
        (PLAIN, {"temperature": 9}, "form"),
        ("", {}, "chat"),
    ],
)
def test_what_it_can_not_take_is_for_the_next_model(host: Host, text: Any, fields: Any, why: str) -> None:
    assert why in refused(ask(host, text, "0.5", **fields))


def test_a_long_conversation_is_long_whatever_its_last_question(host: Host) -> None:
    turns = [{"role": "user", "content": "x " * 4_000}, {"role": "assistant", "content": "Yes."}]
    last = {"role": "user", "content": PLAIN}
    assert "length" in refused(ask(host, "", "0.5", messages=[*turns, last]))


@pytest.mark.parametrize("floor", ["high", "-1", "0x1", "nan", "1e999", "0.8.1", "1" * 30])
def test_a_floor_that_is_no_number_is_named(host: Host, floor: str) -> None:
    answer = ask(host, PLAIN, floor)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "x-wicket-floor"


def test_a_floor_above_one_is_never_met_and_a_floor_of_zero_always(host: Host) -> None:
    refused(ask(host, PLAIN, "1.5"))
    assert ask(host, SUM, "0").status_code == 200


def test_a_card_written_anew_counts_at_once(tmp_path: Path) -> None:
    with Host(tmp_path, script(tmp_path)) as host:
        host.until("/readyz", 200)
        refused(ask(host, PLAIN, "0.1"))
        path = write_card(host, {"knowledge": KindScore(50, 50)})
        assert ask(host, PLAIN, "0.8").status_code == 200
        path.write_text(json.dumps({"version": 1}))
        refused(ask(host, PLAIN, "0.1"))
        write_card(host, {"knowledge": KindScore(0, 50)})
        refused(ask(host, PLAIN, "0.8"))


@pytest.mark.model
def test_the_built_in_model_answers_what_its_page_says_it_can(tmp_path: Path) -> None:
    with Host(tmp_path, "smollm2-135m-instruct") as host:
        host.until("/readyz", 200)
        body = {"messages": [{"role": "user", "content": PLAIN}], "temperature": 0, "max_tokens": 8}

        def asked(floor: str, **fields: Any) -> httpx.Response:
            return host.client.post(
                "/v1/chat/completions", json=body | fields, headers={"x-wicket-floor": floor}
            )

        able = asked("0.5")
        assert able.status_code == 200 and "Paris" in able.json()["choices"][0]["message"]["content"]
        assert "knowledge" in refused(asked("0.95"))
        assert "maths" in refused(asked("0.5", messages=[{"role": "user", "content": SUM}]))
