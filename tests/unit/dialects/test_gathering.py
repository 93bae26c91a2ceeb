"""Deltas put together."""

import msgspec
import pytest

from wicket.dialects.contract import Counts
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Broken,
    Finish,
    PartBegan,
    PartEnded,
    SignatureDelta,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from wicket.errors import UpstreamBroken


def test_parts_that_overlap_come_out_whole_and_in_order() -> None:
    whole = Gathered()
    for delta in (
        Began("i", "m", 5),
        PartBegan(0, Thinking(text="h")),
        PartBegan(1, Text(text="")),
        TextDelta(0, "m"),
        TextDelta(1, "a", msgspec.Raw(b'[{"token":"a"}]')),
        SignatureDelta(0, "s"),
        PartBegan(2, ToolCall(id="c", name="find")),
        AnnotationDelta(1, msgspec.Raw(b'{"x":1}')),
        ArgumentsDelta(2, '{"a"'),
        PartEnded(0),
        PartBegan(3, ToolCall(id="d", name="all", arguments='{"b":2}')),
        ArgumentsDelta(2, ":1}"),
        Used(Counts(1, 1)),
        Used(Counts(1, 2)),
        Stopped(Finish.TOOL_CALLS, "tool_use"),
    ):
        whole.add(delta)
    assert whole.text == "a"
    made = whole.completion("o")
    thought, text, first, second = made.parts
    assert isinstance(thought, Thinking) and (thought.text, thought.signature) == ("hm", "s")
    assert isinstance(text, Text) and text.annotations == msgspec.Raw(b'[{"x":1}]')
    assert isinstance(first, ToolCall) and first.arguments == '{"a":1}'
    assert isinstance(second, ToolCall) and second.arguments == '{"b":2}'
    assert made.counts == Counts(1, 2) and made.logprobs == msgspec.Raw(b'{"content":[{"token":"a"}]}')
    assert (made.origin, made.id, made.model, made.created_s) == ("o", "i", "m", 5)


def test_a_broken_stream_is_no_answer() -> None:
    with pytest.raises(UpstreamBroken):
        Gathered().add(Broken(UpstreamBroken("cut", "It ended.")))
    with pytest.raises(UpstreamBroken):
        Gathered().completion()
