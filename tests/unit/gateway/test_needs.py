"""What a request needs, read off its bytes."""

from typing import Any

import pytest

from tests.unit.routing.sample import deployment
from wicket.dialects.contract import Api, module
from wicket.dialects.openai_chat import CHAT, EMBEDDINGS
from wicket.dialects.openai_chat.apis import GENERATIONS, SPEECH
from wicket.gateway.needs import read_needs
from wicket.routing.deployment import FEATURES, Route
from wicket.routing.filters import Needs, with_questions
from wicket.routing.preferences import Preferences
from wicket.wire import fields as top
from wicket.wire import json

PLAIN = with_questions(Route(name="r", deployments=(deployment("a/m", lacks=FEATURES), deployment("b/m"))))
TEXT = {"role": "user", "content": "Say it."}


def part(kind: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": kind, kind: {"url": "https://x"}}]}


def needs(message: dict[str, Any] = TEXT, *, route: Route = PLAIN, **fields: Any) -> Needs:
    body = json.encode({"model": "r", "messages": [message], **fields})
    return read_needs(top.peek(body), CHAT, len(body), route, None)


@pytest.mark.parametrize(
    ("message", "fields", "features"),
    [
        (TEXT, {}, ()),
        (part("image_url"), {}, ("vision",)),
        (part("input_audio"), {}, ("audio",)),
        (part("file"), {}, ("pdf",)),
        ({"role": "user", "content": 'a "type":"image_url" in prose'}, {}, ()),
        ({"role": "user", "content": '\\\\"type":"file"'}, {}, ()),
        (TEXT, {"tools": [{"type": "function", "function": {"name": "f"}}]}, ("tools",)),
        (TEXT, {"tools": []}, ()),
        (TEXT, {"tools": None}, ()),
        (TEXT, {"response_format": {"type": "json_schema", "json_schema": {}}}, ("json_schema",)),
        (TEXT, {"response_format": {"type": "json_object"}}, ()),
        (TEXT, {"reasoning_effort": "high"}, ("reasoning",)),
        (TEXT, {"reasoning_effort": "none"}, ()),
    ],
)
def test_features(message: dict[str, Any], fields: dict[str, Any], features: tuple[str, ...]) -> None:
    assert needs(message, **fields).features == features


def test_where_nobody_is_known_to_lack_anything_nothing_is_looked_for() -> None:
    unknown = with_questions(Route(name="r", deployments=(deployment("a/m"), deployment("b/m"))))
    assert needs(part("image_url"), route=unknown).features == ()


def test_lengths() -> None:
    sized = deployment("a/m", context_tokens=4_096, max_output_tokens=50)
    route = with_questions(Route(name="r", deployments=(sized, deployment("b/m"))))
    words = {"role": "user", "content": "word " * 10_000}
    long = needs(words, route=route, max_tokens=70, max_completion_tokens=80)
    assert 6_000 < long.least_input_tokens < 7_000
    assert long.output_tokens == 80
    image = {"role": "user", "content": "data:image/png;base64," + "A" * 100_000}
    assert needs(image, route=route).least_input_tokens == 0, "an image's bytes are no text"
    assert needs(words, max_tokens=70) == Needs(), "where no length is known, none is asked for"


def test_of_other_apis_only_the_parameters_count() -> None:
    body = json.encode({"model": "r", "input": ["x" * 99_999], "dimensions": 3})
    wanted = Preferences(require_parameters=True)
    found = read_needs(top.peek(body), EMBEDDINGS, len(body), PLAIN, wanted)
    assert found == Needs(parameters=("dimensions",))


def test_an_ability_is_needed_where_it_tells_candidates_apart() -> None:
    speaks, draws = deployment("a/m", lacks=("images",)), deployment("b/m", lacks=("speech",))
    route = with_questions(Route(name="r", deployments=(speaks, draws)))
    assert set(route.questions) == {"images", "speech"}
    for api, features in ((GENERATIONS, ("images",)), (SPEECH, ("speech",)), (EMBEDDINGS, ()), (CHAT, ())):
        assert read_needs({}, api, 10, route, None).features == features
    alike = with_questions(Route(name="r", deployments=(speaks, deployment("b/m", lacks=("images",)))))
    assert alike.questions == ()


def api_of(name: str) -> Api:
    """The API of conversations in a dialect."""
    return module(name).CONVERSATION  # type: ignore[attr-defined, no-any-return]


def asks(dialect: str, fields: dict[str, Any], route: Route = PLAIN) -> Needs:
    body = json.encode(fields)
    return read_needs(top.peek(body), api_of(dialect), len(body), route, None)


def claude(block: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [block]}]}


def item(part: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": [part]}]}


def contents(mime: str, name: str = "inlineData", spelled: str = "mimeType") -> dict[str, Any]:
    return {"contents": [{"parts": [{name: {spelled: mime, "data": "AAAA"}}]}]}


@pytest.mark.parametrize(
    ("dialect", "fields", "features"),
    [
        ("anthropic_messages", claude({"type": "image", "source": {"type": "url"}}), ("vision",)),
        ("anthropic_messages", claude({"type": "document", "source": {}}), ("pdf",)),
        ("anthropic_messages", claude({"type": "text", "text": 'a "type":"image" in prose'}), ()),
        ("anthropic_messages", {"messages": [], "tools": [{"name": "f"}]}, ("tools",)),
        ("anthropic_messages", {"messages": [], "tools": []}, ()),
        ("anthropic_messages", {"output_config": {"format": {"type": "json_schema"}}}, ("json_schema",)),
        ("anthropic_messages", {"thinking": {"type": "adaptive"}}, ("reasoning",)),
        ("anthropic_messages", {"thinking": {"type": "disabled"}}, ()),
        ("openai_responses", item({"type": "input_image"}), ("vision",)),
        ("openai_responses", item({"type": "input_file"}), ("pdf",)),
        ("openai_responses", item({"type": "input_audio"}), ("audio",)),
        ("openai_responses", {"input": 'a "type":"input_image" in prose'}, ()),
        ("openai_responses", {"tools": [{"type": "function"}]}, ("tools",)),
        ("openai_responses", {"text": {"format": {"type": "json_schema"}}}, ("json_schema",)),
        ("openai_responses", {"reasoning": {"effort": "high"}}, ("reasoning",)),
        ("openai_responses", {"reasoning": {"effort": "none"}}, ()),
        ("gemini", contents("image/png"), ("vision",)),
        ("gemini", contents("image/png", "inline_data", "mime_type"), ("vision",)),
        ("gemini", contents("application/pdf", "fileData"), ("pdf",)),
        ("gemini", contents("audio/wav"), ("audio",)),
        ("gemini", {"contents": [{"parts": [{"text": '"mimeType":"image/png"'}]}]}, ()),
        ("gemini", {"tools": [{"functionDeclarations": []}]}, ("tools",)),
        ("gemini", {"generationConfig": {"responseSchema": {"type": "OBJECT"}}}, ("json_schema",)),
        ("gemini", {"generation_config": {"response_json_schema": {}}}, ("json_schema",)),
        ("gemini", {"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}}, ("reasoning",)),
        ("gemini", {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}, ()),
        ("gemini", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "high"}}}, ("reasoning",)),
    ],
)
def test_features_in_other_dialects(dialect: str, fields: dict[str, Any], features: tuple[str, ...]) -> None:
    assert asks(dialect, fields).features == features


BOUNDED = with_questions(
    Route(
        name="r",
        deployments=(deployment("a/m", context_tokens=4_096, max_output_tokens=50), deployment("b/m")),
    )
)


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        ("openai_chat", {"max_tokens": 80}),
        ("anthropic_messages", {"max_tokens": 80}),
        ("openai_responses", {"max_output_tokens": 80}),
        ("gemini", {"generationConfig": {"maxOutputTokens": 80}}),
        ("gemini", {"generation_config": {"max_output_tokens": 80.0}}),
    ],
)
def test_the_output_limit_in_every_dialect(dialect: str, fields: dict[str, Any]) -> None:
    assert asks(dialect, fields, BOUNDED).output_tokens == 80


@pytest.mark.parametrize("value", [None, "80", -1, 0, True, 1e300, [], {"maxOutputTokens": "x"}])
def test_a_limit_that_is_none_keeps_nobody_out(value: Any) -> None:
    assert asks("anthropic_messages", {"max_tokens": value}, BOUNDED).output_tokens == 0
    assert asks("gemini", {"generationConfig": value}, BOUNDED).output_tokens == 0


@pytest.mark.parametrize(
    ("dialect", "text", "picture"),
    [
        ("anthropic_messages", claude({"type": "text", "text": "word " * 10_000}),
         claude({"type": "image", "source": {"type": "base64", "data": "A" * 60_000}})),
        ("openai_responses", {"input": "word " * 10_000},
         item({"type": "input_image", "image_url": "data:image/png;base64," + "A" * 60_000})),
        ("gemini", {"contents": [{"parts": [{"text": "word " * 10_000}]}]},
         {"contents": [{"parts": [{"inline_data": {"data": "A" * 60_000}}]}]}),
    ],
)  # fmt: skip
def test_the_least_input_in_every_dialect(
    dialect: str, text: dict[str, Any], picture: dict[str, Any]
) -> None:
    assert 6_000 < asks(dialect, text, BOUNDED).least_input_tokens < 7_000
    assert asks(dialect, picture, BOUNDED).least_input_tokens == 0, "an image's bytes are no text"
