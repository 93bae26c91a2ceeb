from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from wicket.errors import CallerFault
from wicket.state import responses
from wicket.state.kept import KeptResponse
from wicket.state.responses import continued, edited, input_items, item_page, items_of, went_before
from wicket.wire.fields import Fields, peek


def kept(items: list[Any], output: list[Any], id: str = "resp_1") -> KeptResponse:
    answer = json.dumps({"id": id, "output": output}).encode()
    return KeptResponse("key:1", id, 1, 1, "m", "", json.dumps(items).encode(), answer)


def fields(**body: Any) -> Fields:
    return peek(json.dumps(body).encode())


def test_a_text_is_a_message() -> None:
    assert json.loads(items_of(fields(input="hé"))) == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hé"}]}
    ]
    assert items_of(fields()) == items_of(fields(input=None)) == b"[]"
    assert json.loads(items_of(fields(input=[{"role": "user", "content": "x"}])))[0]["content"] == "x"


@pytest.mark.parametrize("value", [1, True, {"a": 1}])
def test_what_is_no_input(value: Any) -> None:
    with pytest.raises(CallerFault) as caught:
        items_of(fields(input=value))
    assert caught.value.param == "input"


def test_earlier_turns_stand_before_the_new_one() -> None:
    chain = [
        kept(
            [{"role": "user", "content": "a"}], [{"type": "message", "id": "m", "status": "s", "content": []}]
        ),
        kept([{"role": "user", "content": "b"}], [{"type": "web_search_call", "id": "ws_1"}]),
    ]
    found = continued(fields(model="m", input="c", previous_response_id="resp_1", x=1.50), went_before(chain))
    assert list(found) == ["model", "input", "x"] and bytes(found["x"]) == b"1.5"
    items = json.loads(bytes(found["input"]))
    assert [item.get("content", item.get("id")) for item in items[:4]] == ["a", [], "b", "ws_1"]
    assert "id" not in items[1] and items[4]["content"][0]["text"] == "c"


def test_a_thought_that_can_not_be_read_back_is_left_out() -> None:
    output = [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": ""},
        {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": 3},
        {"type": "reasoning", "id": "rs_4", "summary": [], "encrypted_content": "e"},
    ]
    assert [json.loads(bytes(raw))["id"] for raw in went_before([kept([], output)])] == ["rs_4"]


def test_too_long_a_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MAX_CHAIN_BYTES", 100)
    with pytest.raises(CallerFault) as caught:
        continued(fields(input="x"), [msgspec.Raw(b'"' + b"x" * 100 + b'"')])
    assert caught.value.param == "previous_response_id"


def test_edits_leave_the_rest_as_it_came() -> None:
    assert edited(b'{"id": "a","x":1.50}', {"id": "b"}) == b'{"id":"b","x":1.50}'


def test_input_items_have_ids_and_pages() -> None:
    first = kept(
        [{"role": "user", "content": "a"}], [{"type": "message", "role": "assistant", "content": "b"}]
    )
    last = kept(
        [{"role": "user", "content": "c", "id": "own"}, {"type": "function_call_output"}], [], "resp_2"
    )
    items = input_items([first, last])
    assert [item["id"] for item in items] == ["msg_2_0", "msg_2_1", "own", "item_2_3"]
    assert items[1]["content"] == [{"type": "output_text", "text": "b"}] and items[0]["type"] == "message"
    page = item_page(items, 3, "", False)
    assert [item["id"] for item in page["data"]] == ["item_2_3", "own", "msg_2_1"] and page["has_more"]
    page = item_page(items, 3, page["last_id"], False)
    assert [item["id"] for item in page["data"]] == ["msg_2_0"] and not page["has_more"]
    assert item_page([], 3, "", True)["first_id"] is None
    with pytest.raises(CallerFault):
        item_page(items, 3, "nobody", True)
