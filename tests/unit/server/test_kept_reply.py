"""Replies whose answer is kept, frame by frame: what is edited, what waits, what goes on untouched."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from wicket.errors import CallerFault, Fault, ProviderFault
from wicket.server.kept_reply import KeepingReply, SealingReply, event_of
from wicket.state.seal import Seal

OWN = "resp_own"


class Kept:
    """A reply that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def whole(self, status: int, headers: bytes, body: bytes, content_type: bytes = b"") -> None:
        self.said.append(("whole", status, body))

    def begin(self, headers: bytes, content_type: bytes = b"") -> None:
        self.said.append("begin")

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def finish(self) -> None:
        self.said.append("finish")

    def refuse(self, fault: Fault, headers: bytes) -> None:
        self.said.append(fault)

    def fail_in_band(self, fault: Fault) -> None:
        self.said.append(fault)

    @property
    def bytes(self) -> bytes:
        return b"".join(each for each in self.said if isinstance(each, bytes))


class Keeping:
    """What keeps an answer: says so when it is told to."""

    def __init__(self) -> None:
        self.response = b""
        self.done: Callable[[bool], None] = lambda is_kept: None

    def __call__(self, response: bytes, done: Callable[[bool], None]) -> None:
        self.response, self.done = response, done


def frame(name: str, **fields: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


CREATED = frame("response.created", response={"id": "theirs", "x": 1.5})
DELTA = frame("response.output_text.delta", delta='"response"')
COMPLETED = frame("response.completed", response={"id": "theirs", "status": "completed"}, sequence_number=7)


@pytest.fixture
def keeping() -> Keeping:
    return Keeping()


def responses_in(data: bytes) -> list[Any]:
    lines = [json.loads(line[6:]) for line in data.splitlines() if line.startswith(b"data: ")]
    return [event["response"] for event in lines if "response" in event]


@pytest.mark.parametrize("is_kept", [True, False])
def test_the_last_event_waits_and_says_whether_it_is_kept(keeping: Keeping, is_kept: bool) -> None:
    inner = Kept()
    reply = KeepingReply(inner, OWN, "resp_before", keeping)
    reply.begin(b"")
    reply.write(b": comment\n\n" + CREATED + DELTA)
    reply.write(DELTA + COMPLETED + b": late\n\n")
    reply.write(b": later\n\n")
    reply.finish()
    assert DELTA + DELTA in inner.bytes and b"completed" not in inner.bytes and "finish" not in inner.said
    keeping.done(is_kept)
    assert inner.said[-1] == "finish" and inner.bytes.endswith(b"\n\n: late\n\n: later\n\n")
    created, completed = responses_in(inner.bytes)
    assert created == {"id": OWN, "x": 1.5, "previous_response_id": "resp_before", "store": True}
    assert (completed["id"], completed["store"]) == (OWN, is_kept)
    assert json.loads(keeping.response)["id"] == OWN and b'"sequence_number":7' in inner.bytes


def test_a_whole_answer_waits_too(keeping: Keeping) -> None:
    inner = Kept()
    reply = KeepingReply(inner, OWN, None, keeping)
    reply.whole(200, b"", b'{"id": "theirs", "x": 1.50}')
    assert inner.said == []
    keeping.done(True)
    assert inner.said == [
        ("whole", 200, b'{"id":"resp_own","x":1.50,"previous_response_id":null,"store":true}')
    ]


def test_what_failed_is_not_kept(keeping: Keeping) -> None:
    inner = Kept()
    fault = CallerFault("x", "x")
    failed = frame("response.failed", response={"id": "theirs", "status": "failed"})
    reply = KeepingReply(inner, OWN, None, keeping)
    reply.whole(400, b"", b"{}")
    reply.write(failed)
    reply.refuse(fault, b"")
    reply.fail_in_band(fault)
    assert (
        keeping.response == b"" and inner.said[0] == ("whole", 400, b"{}") and inner.said[2:] == [fault] * 2
    )
    assert responses_in(inner.bytes)[0]["id"] == OWN


def test_a_fault_behind_the_last_event_comes_behind_it(keeping: Keeping) -> None:
    inner = Kept()
    fault = CallerFault("x", "x")
    reply = KeepingReply(inner, OWN, None, keeping)
    reply.write(COMPLETED)
    reply.fail_in_band(fault)
    assert inner.said == []
    keeping.done(True)
    assert inner.said[-1] is fault and len(inner.said) == 2


def test_without_an_answer_of_a_keeper_nothing_is_sealed() -> None:
    inner = Kept()
    reply = SealingReply(inner, Seal(bytes(32)), "t", "resp_before")
    reply.whole(200, b"", b'{"id": "theirs"}')
    reply.write(CREATED)
    assert (
        inner.said[0] == ("whole", 200, b'{"id": "theirs"}')
        and responses_in(inner.bytes)[0]["id"] == "theirs"
    )
    reply.refuse(ProviderFault("x", "It failed."), b"")
    reply.refuse(CallerFault("y", "It is wrong."), b"")
    assert "nobody else" in inner.said[-2].message and inner.said[-1].message == "It is wrong."


@pytest.mark.parametrize(
    "data",
    [
        b"", b": comment", b"data: [DONE]", b'data: {"response"', b'data: {"type": "response.completed"}',
        b'data: {"type": "response.completed", "response": null}', b'data: {"type": 1, "response": {}}',
        b'data: ["response"]', DELTA, b'data: {"type": "response.output_item.done", "response": {}}',
    ],
)  # fmt: skip
def test_other_frames_are_left_alone(data: bytes) -> None:
    assert event_of(data.removesuffix(b"\n\n")) is None
