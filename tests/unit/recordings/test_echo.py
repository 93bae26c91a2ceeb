"""What is compared of an answer before and after a translation."""

import json
from typing import Any

from wicket.dialects.hub import (
    ArgumentsDelta,
    Began,
    Completion,
    Finish,
    PartBegan,
    PartEnded,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
)
from wicket.errors import UpstreamBroken
from wicket.recordings.echo import Gist, gist, read_back
from wicket.recordings.reader import _says_the_same

CALL = ToolCall(id="c", name="f", arguments='{"a": 1}')
WHOLE = Completion(origin="x", parts=[Thinking(text="hm"), Text(text="süß"), CALL], finish=Finish.STOP)
STREAM = [
    Began("i", "m"),
    PartBegan(0, Thinking()),
    TextDelta(0, "hm"),
    PartEnded(0),
    PartBegan(1, Text(text="")),
    TextDelta(1, "sü"),
    PartBegan(2, ToolCall(id="c", name="f")),
    ArgumentsDelta(2, '{"a"'),
    TextDelta(1, "ß"),
    ArgumentsDelta(2, ":1}"),
    PartEnded(2),
    Stopped(Finish.TOOL_CALLS),
]


def test_a_stream_says_what_the_whole_says() -> None:
    assert gist(WHOLE) == gist(STREAM) == Gist("süß", [("f", {"a": 1})])


def test_a_call_without_arguments_is_an_empty_object() -> None:
    assert gist([PartBegan(0, ToolCall(id="c", name="f"))]).calls == [("f", {})]
    assert gist([PartBegan(0, ToolCall(id="c", name="f", arguments=""))]).calls == [("f", {})]


def test_arguments_that_are_no_json_are_compared_as_text() -> None:
    twice = [PartBegan(0, ToolCall(id="c", name="f")), ArgumentsDelta(0, '{}{"a":1}')]
    assert gist(twice).calls == [("f", '{}{"a":1}')]


class Dialect:
    """A family that writes and reads JSON, and says `said` whatever it was told."""

    def __init__(self, said: Any) -> None:
        self.said = said

    def read_completion(self, written: bytes) -> Completion:
        if not written:
            raise UpstreamBroken("malformed", "nothing")
        return Completion(origin="y", parts=[Text(text=json.loads(written)), *self.said], finish=Finish.STOP)


def test_what_is_read_back_must_be_the_same() -> None:
    written = json.dumps("süß").encode()
    assert read_back(Dialect([CALL]), written, is_stream=False) == gist(WHOLE)
    assert _says_the_same(Dialect([CALL]), WHOLE, written)
    assert not _says_the_same(Dialect([]), WHOLE, written)
    assert not _says_the_same(Dialect([CALL]), WHOLE, b'"sweet"')
    assert not _says_the_same(Dialect([CALL]), WHOLE, b"")
