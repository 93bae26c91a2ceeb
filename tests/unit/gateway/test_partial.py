"""Broken answers: which can be continued, how that is asked for, and where the parts meet."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wicket.gateway.partial import Seam, can_be_continued, fields_to_continue, has_room, id_of, text_of
from wicket.wire.fields import Fields, peek

MESSAGES = [{"role": "user", "content": "Count."}]


def fields(**more: Any) -> Fields:
    return peek(json.dumps({"model": "m", "messages": MESSAGES, **more}).encode())


def frame(index: int = 0, **delta: Any) -> bytes:
    return b"data: " + json.dumps({"id": "c1", "choices": [{"index": index, "delta": delta}]}).encode()


@pytest.mark.parametrize(
    ("more", "can"),
    [
        ({}, True),
        ({"n": 1, "logprobs": False, "response_format": {"type": "text"}}, True),
        ({"n": None, "logprobs": None, "response_format": None}, True),
        ({"tools": [{"type": "function"}]}, True),
        ({"n": 2}, False),
        ({"logprobs": True}, False),
        ({"response_format": {"type": "json_schema"}}, False),
        ({"messages": [*MESSAGES, {"role": "assistant", "content": "1"}]}, False),
        ({"messages": [*MESSAGES, {"role": "tool", "content": "1", "tool_call_id": "c"}]}, True),
        ({"messages": "Count."}, False),
        ({"n": "many"}, False),
    ],
)
def test_which_requests(more: dict[str, Any], can: bool) -> None:
    assert can_be_continued(fields(**more)) is can


def test_what_was_said() -> None:
    assert text_of(
        [frame(role="assistant", content=""), frame(content="a "), b": comment", frame(content="b")]
    ) == ("a b")
    assert text_of([]) == "" and id_of([b": comment", frame(content="x")]) == "c1" and id_of([]) == ""


@pytest.mark.parametrize(
    "odd",
    [
        frame(tool_calls=[{"index": 0}]),
        frame(function_call={"name": "f"}),
        frame(reasoning_content="hm"),
        frame(reasoning="hm"),
        frame(refusal="no"),
        frame(audio={"id": "a"}),
        frame(index=1, content="x"),
        frame(content=[{"type": "text"}]),
        b"data: [1",
    ],
)
def test_anything_but_text_is_none(odd: bytes) -> None:
    assert text_of([frame(content="a"), odd]) is None


def test_the_answer_so_far_goes_behind_the_messages() -> None:
    asked = fields_to_continue(fields(max_tokens=50, max_completion_tokens=None), 'one "two" \n', 20)
    messages = json.loads(bytes(asked["messages"]))
    assert messages == [*MESSAGES, {"role": "assistant", "content": 'one "two"'}]
    assert bytes(asked["max_tokens"]) == b"30" and bytes(asked["max_completion_tokens"]) == b"null"
    assert has_room(fields(max_tokens=21), 20) and not has_room(fields(max_tokens=20), 20)


SAID = "The quick brown fox jumps"


def through(said: str, *pieces: str) -> str:
    seam = Seam(said)
    *some, last = pieces
    return "".join([*(seam.take(piece) for piece in some), seam.take(last, is_last=True)])


@pytest.mark.parametrize(
    ("said", "pieces", "new"),
    [
        (SAID, (" over", " it."), " over it."),
        (SAID, ("", " over", "."), " over."),
        (SAID, ("The", " quick", " brown fox ", "jumps over", "."), " over."),
        (SAID, ("The quick", " red", " fox"), "The quick red fox"),
        (SAID, ("The quick",), "The quick"),
        (SAID + "\n\n", ("\n", "\nThen", "."), "Then."),
        (SAID + " ", ("over", "."), "over."),
        (SAID + " ", (" over", "."), "over."),
        (SAID + " ", (SAID, " over"), "over"),
        ("ha", ("ha", "ha"), "haha"),
        (SAID, ("",), ""),
    ],
)
def test_what_was_said_is_not_said_again(said: str, pieces: tuple[str, ...], new: str) -> None:
    assert through(said, *pieces) == new
