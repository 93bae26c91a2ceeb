"""The assistant's message: a stream gives the same as the whole answer, however its frames are cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.dialects.openai_message import streamed_message, whole_message
from wicket.wire.sse import FrameSplitter, payload


def whole(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> Any:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    found = whole_message(json.dumps({"choices": [choice], **more}).encode())
    return None if found is None else json.loads(found)


def streamed(deltas: list[dict[str, Any]], finish: str | None = "stop") -> Any:
    frames = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    frames += [{"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}, {"choices": []}]
    found = streamed_message([*(json.dumps(frame).encode() for frame in frames), b"", b"[DONE]"])
    return None if found is None else json.loads(found)


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({min(place, len(text)) for place in places})
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PLACES = st.lists(st.integers(0, 40), max_size=6)
CALLS = st.lists(st.tuples(st.sampled_from(["book", "find"]), TEXTS), max_size=3)


@given(TEXTS, PLACES, CALLS)
def test_a_stream_cut_anywhere_is_the_whole_answer(
    text: str, places: list[int], calls: list[tuple[str, str]]
) -> None:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in cut(text, places)]
    made = []
    for index, (name, arguments) in enumerate(calls):
        made.append(
            {"id": f"c{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
        )
        first, *rest = cut(arguments, places)
        start = {"index": index, "id": f"c{index}", "type": "function"}
        deltas.append({"tool_calls": [{**start, "function": {"name": name, "arguments": first}}]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in rest]
    finish = "tool_calls" if calls else "stop"
    expected = whole({"content": text or None, **({"tool_calls": made} if made else {})}, finish)
    assert streamed(deltas, finish) == expected
    if text or calls:
        assert expected["content"] == (text or None) and expected.get("tool_calls", []) == made
    else:
        assert expected is None


@given(TEXTS, st.integers(1, 30))
def test_bytes_cut_anywhere_give_the_same(text: str, size: int) -> None:
    frames = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in cut(text, [3, 9])]
    frames.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    data = b"".join(b"data: " + json.dumps(f, ensure_ascii=False).encode() + b"\r\n\r\n" for f in frames)
    splitter = FrameSplitter()
    seen = [
        frame for start in range(0, len(data), size) for frame in splitter.feed(data[start : start + size])
    ]
    found = streamed_message([payload(frame) for frame in seen])
    assert (None if found is None else json.loads(found)) == whole({"content": text})


def test_only_text_and_tool_calls_are_kept() -> None:
    message = {"content": "x", "refusal": None, "reasoning_content": "because", "annotations": []}
    assert whole(message) == {"role": "assistant", "content": "x"}
    assert streamed([{"reasoning_content": "because"}, {"content": "x"}]) == whole(message)


@pytest.mark.parametrize("finish", ["length", "content_filter", "function_call", None, ""])
def test_other_ends_teach_nothing(finish: str | None) -> None:
    assert whole({"content": "x"}, finish) is None and streamed([{"content": "x"}], finish) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [{"finish_reason": "stop"}]}',
        b'{"choices": [{"finish_reason": "stop", "message": {"content": [{"type": "text"}]}}]}',
        b'{"choices": [{"finish_reason": "stop", "message": {"content": ""}}]}',
        b'{"choices": [{"finish_reason": "stop", "message": {"refusal": "no", "content": null}}]}',
        b'{"choices": [{"finish_reason": "stop", "message": {"content": "\\ud83d"}}]}',
        b'{"choices": [{"finish_reason": "tool_calls", "message": {"tool_calls": [{"id": "x"}]}}]}',
    ],
)
def test_what_is_no_answer_is_none(data: bytes) -> None:
    assert whole_message(data) is None
    assert streamed_message([data.replace(b'"message"', b'"delta"')]) is None


def test_a_second_choice_is_none() -> None:
    one = b'{"finish_reason": "stop", "message": {"content": "x"}}'
    assert whole_message(b'{"choices": [%b]}' % one) is not None
    assert whole_message(b'{"choices": [%b, %b]}' % (one, one)) is None
    frame = b'{"choices": [{"index": 1, "delta": {"content": "x"}, "finish_reason": "stop"}]}'
    assert streamed_message([frame]) is None


def test_providers_that_number_no_calls() -> None:
    one, two = ({"id": name, "function": {"name": name, "arguments": "{}"}} for name in "ab")
    both = streamed([{"tool_calls": [one]}, {"tool_calls": [two]}], "tool_calls")
    assert [call["id"] for call in both["tool_calls"]] == ["a", "b"]
    same = streamed(
        [{"tool_calls": [{"index": 0, **one}]}, {"tool_calls": [{"index": 0, **two}]}], "tool_calls"
    )
    assert same == both
    more = streamed([{"tool_calls": [one]}, {"tool_calls": [{"function": {"arguments": " "}}]}], "tool_calls")
    assert more["tool_calls"][0]["function"]["arguments"] == "{} "
