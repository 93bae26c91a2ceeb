"""When a request asks for what was recorded."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.recordings.recording import Message
from wicket.recordings.sameness import difference, digest, meaning

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


def turned(value: Any) -> Any:
    """The same with the keys of every object the other way round."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(list(value))}
    return [turned(one) for one in value] if isinstance(value, list) else value


@given(JSON)
def test_the_order_of_keys_is_nothing(value: Any) -> None:
    assert digest(value) == digest(turned(value)) and difference(value, turned(value)) is None


def test_numbers_are_equal_as_numbers_but_true_is_no_number() -> None:
    assert digest({"t": 1}) == digest({"t": 1.0}) and difference({"t": 1}, {"t": 1.0}) is None
    assert digest({"t": 1}) != digest({"t": True}) and difference({"t": 1}, {"t": True}) is not None


@pytest.mark.parametrize("blot", ["**REDACTED**", "<redacted>", "[FILTERED]", "***", "REDACTED", "scrubbed"])
def test_what_a_recorder_blotted_out_matches_anything(blot: str) -> None:
    assert difference({"key": blot, "a": 1}, {"key": "real", "a": 1}) is None


def test_words_of_a_user_are_no_blot() -> None:
    assert difference({"text": "filtered water"}, {"text": "clean water"}) is not None


@pytest.mark.parametrize(
    ("recorded", "sent", "path"),
    [
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "a[0].b"),
        ({"a": 1}, {}, "a"),
        ({}, {"z": 1}, "z"),
        ({"a": [1, 2]}, {"a": [1]}, "a"),
        (b"x", b"y", "body"),
        (3, 4, "body"),
    ],
)
def test_the_first_difference_is_named(recorded: Any, sent: Any, path: str) -> None:
    found = difference(recorded, sent)
    assert found is not None and found.path == path


def test_long_values_are_cut_short() -> None:
    found = difference({"a": "x" * 10_000}, {"a": ""})
    assert found is not None and len(found.recorded) < 250


def test_a_multipart_boundary_is_no_difference() -> None:
    def form(boundary: str) -> Message:
        body = f"--{boundary}\r\n\r\nsound\r\n--{boundary}--\r\n".encode()
        return Message((("content-type", f"multipart/form-data; boundary={boundary}"),), body, is_raw=True)

    assert digest(meaning(form("aaa"))) == digest(meaning(form("bbbb")))


def test_json_is_read_and_anything_else_left() -> None:
    assert meaning(Message((), json.dumps({"a": 1}).encode(), True)) == {"a": 1}
    assert meaning(Message((), b"v=0\r\n", True)) == b"v=0\r\n" and meaning(Message((), b"", True)) == b""
