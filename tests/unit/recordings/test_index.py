"""Which recording answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from wicket.errors import OperatorFault
from wicket.recordings.folder import Folder
from wicket.recordings.index import Index, Missed, asked
from wicket.recordings.recording import Message, Recording

URL = "https://api.openai.com/v1/chat/completions"


def interaction(body: Any, said: str, url: str = URL) -> dict[str, Any]:
    return {
        "request": {"method": "POST", "url": url, "headers": {}, "body": body},
        "response": {"status": 200, "headers": {}, "body": {"said": said}},
    }


def index(folder: Path, files: dict[str, list[dict[str, Any]]], **options: Any) -> Index:
    for name, interactions in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps({"interactions": interactions}))
    made = Index(Folder(folder), **options)
    made.fill()
    return made


def find(made: Index, body: Any, target: str = "/openai/v1/chat/completions") -> str:
    found = made.find(asked("POST", target, Message((), json.dumps(body).encode(), is_raw=True)))
    assert isinstance(found, Recording), found
    said: str = json.loads(found.response.body)["said"]
    return said


def miss(made: Index, body: Any, target: str = "/openai/v1/chat/completions") -> Missed:
    found = made.find(asked("POST", target, Message((), json.dumps(body).encode(), is_raw=True)))
    assert isinstance(found, Missed)
    return found


def test_path_and_body_decide_with_and_without_the_provider_s_name(tmp_path: Path) -> None:
    made = index(tmp_path, {"a.json": [interaction({"m": 1, "n": 2}, "one"), interaction({"m": 2}, "two")]})
    assert find(made, {"n": 2, "m": 1}) == "one" and find(made, {"m": 2}) == "two"
    assert find(made, {"m": 2}, "/v1/chat/completions") == "two"
    assert made.num_recordings == {"openai": 2}


def test_equal_requests_are_answered_in_order_over_and_over(tmp_path: Path) -> None:
    same = [interaction({"m": 1}, said) for said in ("first", "second", "third")]
    made = index(tmp_path, {"a.json": same})
    assert [find(made, {"m": 1}) for _ in range(5)] == ["first", "second", "third", "first", "second"]


def test_one_provider_s_place_is_not_another_s(tmp_path: Path) -> None:
    groq = "https://api.groq.com/openai/v1/chat/completions"
    made = index(tmp_path, {"a.json": [interaction({"m": 1}, "o"), interaction({"m": 1}, "g", groq)]})
    assert find(made, {"m": 1}, "/groq/openai/v1/chat/completions") == "g"
    assert miss(made, {"m": 1}, "/groq/v1/chat/completions").nearest == ""
    only = index(tmp_path, {}, provider="groq")
    assert only.num_recordings == {"groq": 1} and find(only, {"m": 1}, "/openai/v1/chat/completions") == "g"


def test_the_query_decides_between_equals_only(tmp_path: Path) -> None:
    made = index(
        tmp_path, {"a.json": [interaction({"m": 1}, "array"), interaction({"m": 1}, "sse", f"{URL}?alt=sse")]}
    )
    assert find(made, {"m": 1}, "/openai/v1/chat/completions?alt=sse") == "sse"
    assert find(made, {"m": 1}, "/openai/v1/chat/completions") == "array"
    assert find(made, {"m": 1}, "/openai/v1/chat/completions?other=1") in ("array", "sse")


def test_bookkeeping_may_differ_and_so_may_what_is_named(tmp_path: Path) -> None:
    made = index(tmp_path, {"a.json": [interaction({"m": 1, "user": "u"}, "one")]}, ignored=["user"])
    assert find(made, {"m": 1, "user": "other", "stream_options": {"include_usage": True}}) == "one"
    assert miss(made, {"m": 2, "user": "u"}).nearest == "a.json#0"


def test_a_blotted_value_matches_any(tmp_path: Path) -> None:
    made = index(tmp_path, {"a.json": [interaction({"m": 1, "key": "**REDACTED**"}, "one")]})
    assert find(made, {"m": 1, "key": "sk-real"}) == "one" and miss(made, {"m": 2, "key": "x"})


def test_a_miss_names_the_nearest_and_what_differs_first(tmp_path: Path) -> None:
    made = index(
        tmp_path,
        {
            "a.json": [
                interaction({"m": 1, "t": 0, "s": [1]}, "a"),
                interaction({"m": 9, "t": 9, "s": [9]}, "b"),
            ]
        },
    )
    found = miss(made, {"m": 1, "t": 0, "s": [2]})
    assert found.nearest == "a.json#0" and found.url == URL
    assert found.difference is not None
    assert (found.difference.path, found.difference.recorded, found.difference.sent) == ("s[0]", "1", "2")
    assert miss(made, {}, "/openai/v1/nothing") == Missed()


def test_a_bad_file_is_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [")
    made = index(tmp_path, {"a.json": [interaction({"m": 1}, "one")]})
    assert find(made, {"m": 1}) == "one" and list(made.unreadable) == ["bad.yaml"]


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(OperatorFault, match="no recordings"):
        Folder(tmp_path)
