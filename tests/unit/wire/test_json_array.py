"""Events as one JSON array."""

import json

from wicket.wire.json_array import JsonArray


def test_frames_become_elements_and_comments_white_space() -> None:
    array = JsonArray()
    pieces = [
        array.write(b": wait\n\n"),
        array.write(b'data: {"a":1}\n\nevent: x\ndata: {"a":2}\n\n'),
        array.write(b'data: {"a":3}\n\n'),
        array.finish(),
    ]
    assert json.loads(b"".join(pieces)) == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert pieces[0] == b"\n"


def test_nothing_is_an_empty_array() -> None:
    assert JsonArray().finish() == b"[]"
