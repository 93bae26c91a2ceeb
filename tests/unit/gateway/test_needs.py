"""What a request needs, read off its bytes."""

from typing import Any

import pytest

from tests.unit.routing.sample import deployment
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
