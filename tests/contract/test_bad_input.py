"""What hostile callers and broken providers send, in every dialect: refused by name, or passed on."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tests.contract.test_translation import HEARD, SPOKEN, side_heard, side_spoken

from wicket.dialects.contract import module
from wicket.errors import CallerFault, Fault, UpstreamBroken
from wicket.routing.deployment import Deployment
from wicket.wire.fields import peek
from wicket.wire.origin import Origin

DEPLOYMENT = Deployment(
    id="p/m", provider="p", model="claude-sonnet-4-5", origin=Origin("https", "up.example", 443),
    max_output_tokens=4096,
)  # fmt: skip


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
SCHEMAS: dict[str, dict[str, Any]] = {
    "cyclic reference": {
        "type": "object", "properties": {"n": {"$ref": "#/$defs/node"}}, "$defs": {"node": NODE},
    },
    "reference to itself": {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}},
    "the root again": {"type": "object", "properties": {"a": {"$ref": "#"}}},
    "two that name each other": {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/x"}},
        "$defs": {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}},
    },
    "nowhere": {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}},
    "another document": {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1/schema"}}},
    "deep": deep(400),
    "wide": {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(20_000)}},
    "long": {"type": "object", "description": "x" * 3_000_000},
    "many cases": {"type": "object", "properties": {"a": {"enum": [f"case {n}" for n in range(50_000)]}}},
    "references that multiply": {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/d0"}},
        "$defs": {
            f"d{n}": {"type": "object", "description": "d", "properties": {
                "l": {"$ref": f"#/$defs/d{n + 1}", "description": "l"},
                "r": {"$ref": f"#/$defs/d{n + 1}", "description": "r"}}}
            for n in range(30)
        } | {"d30": {"type": "string"}},
    },
}  # fmt: skip
ASKING: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "openai_chat": lambda schema: {
        "model": "m",
        "messages": [{"role": "user", "content": "a"}],
        "tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}],
    },
    "openai_responses": lambda schema: {
        "model": "m",
        "input": "a",
        "tools": [{"type": "function", "name": "f", "strict": True, "parameters": schema}],
    },
    "anthropic_messages": lambda schema: {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "a"}],
        "tools": [{"name": "f", "input_schema": schema}],
    },
    "gemini": lambda schema: {
        "contents": [{"parts": [{"text": "a"}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}],
    },
}
ANSWERED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "openai_chat": lambda schema: {
        "messages": [{"role": "user", "content": "a"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    },
    "openai_responses": lambda schema: {
        "input": "a",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": schema}},
    },
    "anthropic_messages": lambda schema: {
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "a"}],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    },
    "gemini": lambda schema: {
        "contents": [{"parts": [{"text": "a"}]}],
        "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": schema},
    },
}


def test_every_way_in_is_here() -> None:
    assert set(ASKING) == set(ANSWERED) == set(HEARD)


def taken(call: Callable[[], Any]) -> Any:
    """What a call gives, or the caller's fault that it raises."""
    try:
        return call()
    except CallerFault as fault:
        refused = fault
    assert refused.param and 400 <= refused.status < 500 and len(refused.message) < 1_000
    return None


@pytest.mark.parametrize("asking", [ASKING, ANSWERED], ids=["tool", "format"])
@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("name", HEARD)
def test_a_hostile_schema_is_passed_on_or_refused_by_its_path(
    name: str, schema: str, asking: dict[str, Callable[[dict[str, Any]], dict[str, Any]]]
) -> None:
    asked = json.dumps(asking[name](SCHEMAS[schema])).encode()
    fields = peek(asked)
    for provider in SPOKEN:
        conversation = taken(lambda: side_heard(name).read_request(fields))
        if conversation is None:
            continue
        body = taken(partial(side_spoken(provider).write_request, conversation, DEPLOYMENT, streamed=False))
        if body is not None:
            assert json.loads(body.data) and len(body.data) < 20 * len(asked) + 1_000_000


@pytest.mark.parametrize("name", HEARD)
def test_a_schema_deeper_than_json_is_read_is_the_callers_fault(name: str) -> None:
    text = '{"a":' * 100_000 + "1" + "}" * 100_000
    outer = json.dumps(ASKING[name]({"type": "HERE"})).replace('{"type": "HERE"}', text).encode()
    with pytest.raises(CallerFault) as caught:
        side_heard(name).read_request(peek(outer))
    assert 400 <= caught.value.status < 500


BROKEN = "not*base64!"
IMAGES: dict[str, dict[str, Any]] = {
    "openai_chat": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BROKEN}"}}],
            }
        ]
    },
    "openai_responses": {
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_image", "image_url": f"data:image/png;base64,{BROKEN}"}],
            }
        ]
    },
    "anthropic_messages": {
        "max_tokens": 9,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BROKEN}}
                ],
            }
        ],
    },
    "gemini": {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": BROKEN}}]}]},
}


@pytest.mark.parametrize("name", HEARD)
def test_invalid_base64_is_refused_by_its_path(name: str) -> None:
    fields = peek(json.dumps(IMAGES[name]).encode())
    with pytest.raises(CallerFault) as caught:
        side_heard(name).read_request(fields)
    assert caught.value.param is not None and caught.value.param.split("[")[0] in fields
    assert BROKEN not in caught.value.message


PAGE = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1><p>nginx</p></body></html>"


@pytest.mark.parametrize("name", SPOKEN)
def test_a_page_in_place_of_an_answer_is_a_failure_of_the_providers(name: str) -> None:
    dialect, api = module(name), side_spoken(name).CONVERSATION
    for read in (lambda: side_spoken(name).read_completion(PAGE), lambda: dialect.whole(PAGE, api)):
        with pytest.raises(UpstreamBroken):
            read()
    for status in (200, 301, 400, 401, 403, 404, 413, 429, 500, 502, 503, 529):
        fault = dialect.judge(status, {b"content-type": b"text/html"}, PAGE)
        assert isinstance(fault, Fault) and "<" not in fault.message
        assert fault.status >= 500 or status not in (500, 502, 503, 529)
