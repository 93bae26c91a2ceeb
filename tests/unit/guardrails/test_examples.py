"""Which texts of an example are rewritten, and what is kept of a request at all."""

import json
from typing import Any

import pytest

from wicket.guardrails import pii
from wicket.guardrails.examples import KEPT_FIELDS, Unfit, scrubbed, scrubbed_text

MAIL = "ada@example.org"


def shout(texts: Any) -> list[str]:
    return [text.upper() for text in texts]


def run(request: Any, answer: Any, *scrubs: Any) -> tuple[Any, Any]:
    both = scrubbed(json.dumps(request).encode(), json.dumps(answer).encode(), scrubs)
    return json.loads(both[0]), json.loads(both[1])


def test_texts_are_rewritten_and_structure_is_not() -> None:
    call = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": '{"x": ["y", 1]}'}}
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "name": "ada", "content": [{"type": "text", "text": "hello"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_a", "content": "done"},
    ]
    request, answer = run({"messages": messages}, {"role": "assistant", "content": "yes"}, shout)
    assert request["messages"] == [
        {"role": "system", "content": "BE BRIEF"},
        {"role": "user", "name": "ADA", "content": [{"type": "text", "text": "HELLO"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_a",
                    "type": "function",
                    "function": {"name": "F", "arguments": '{"X": ["Y", 1]}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_a", "content": "DONE"},
    ]
    assert answer == {"role": "assistant", "content": "YES"}


def test_only_fields_that_say_what_the_task_is_are_kept() -> None:
    request = {
        "model": "m",
        "user": MAIL,
        "metadata": {"who": MAIL},
        "safety_identifier": MAIL,
        "messages": [{"role": "user", "content": "hi", "extra": MAIL}],
        "temperature": 0,
        "tools": [{"type": "function", "function": {"name": "f", "description": f"asks {MAIL}"}}],
        "response_format": {"type": "json_object"},
    }
    kept, _ = run(request, {"role": "assistant", "content": "x", "annotations": [MAIL]}, pii.scrub)
    assert set(kept) <= set(KEPT_FIELDS) and MAIL not in json.dumps(kept)
    assert kept["tools"][0]["function"]["description"] == "asks [EMAIL_1]"
    assert kept["response_format"] == {"type": "json_object"} and kept["temperature"] == 0
    assert kept["messages"] == [{"role": "user", "content": "hi"}]


def test_json_inside_texts_stays_json_with_its_spacing() -> None:
    text = (
        '{ "mail":"ada@example.org",\n  "card": 4111111111111111, "n": 12, "q": "\\"a\\u0040b.example\\"" }'
    )
    _, answer = run({"messages": []}, {"role": "assistant", "content": text}, pii.scrub)
    assert answer["content"] == (
        '{ "mail":"[EMAIL_1]",\n  "card": "[CARD_1]", "n": 12, "q": "\\"[EMAIL_2]\\"" }'
    )
    assert json.loads(answer["content"])["n"] == 12
    names = scrubbed_text('{"ada@example.org": "admin"}', [pii.scrub])
    assert names == '{"[EMAIL_1]": "admin"}'


def test_what_stands_where_structure_should_is_a_text_too() -> None:
    request = {"messages": [{"role": "user", "tool_call_id": f"id of {MAIL}", "content": "x"}]}
    kept, _ = run(request, {"role": "assistant", "content": "x"}, pii.scrub)
    assert MAIL not in json.dumps(kept)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ([{"type": "image_url", "image_url": {"url": "data:"}}], "not_text"),
        ([{"type": "text", "text": "a"}, {"type": "input_audio", "input_audio": {}}], "not_text"),
        ([{"type": "text", "text": 5}], "not_text"),
        (["plain"], "not_text"),
    ],
)
def test_what_is_not_all_text_is_not_kept(content: Any, code: str) -> None:
    request = {"messages": [{"role": "user", "content": content}]}
    for scrubs in ((), (pii.scrub,)):  # also without any guardrail
        with pytest.raises(Unfit) as caught:
            run(request, {"role": "assistant", "content": "x"}, *scrubs)
        assert caught.value.code == code


@pytest.mark.parametrize(
    "request_bytes",
    [
        *(
            b"",
            b"[]",
            b"{}",
            b'{"messages": 5}',
            b'{"messages": ["x"]}',
            b'{"messages": [{"content": "\xff"}]}',
        ),
        b'{"messages":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
)
def test_what_can_not_be_read_is_not_kept(request_bytes: bytes) -> None:
    with pytest.raises(Unfit):
        scrubbed(request_bytes, b'{"role": "assistant", "content": "x"}', [pii.scrub])
