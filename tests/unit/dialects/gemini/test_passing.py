"""Gemini to Gemini: where requests go, what is changed in them, what is read of answers."""

import json
from typing import Any

import pytest

from tests.unit.dialects.gemini.speaking import VERTEX, answer, deployment
from wicket.dialects import gemini
from wicket.dialects.contract import Counts
from wicket.dialects.gemini.apis import COUNT, EMBED, EMBED_MANY, GENERATE
from wicket.errors import CallerFault, ProviderBusy, UpstreamBroken
from wicket.wire.fields import peek


@pytest.mark.parametrize(
    ("model", "base", "streamed", "target"),
    [
        ("g-1", "/v1beta", False, "/v1beta/models/g-1:generateContent"),
        ("g-1", "/v1beta", True, "/v1beta/models/g-1:streamGenerateContent?alt=sse"),
        ("models/g-1", "/v1beta", False, "/v1beta/models/g-1:generateContent"),
        ("tunedModels/t", "/v1beta", False, "/v1beta/tunedModels/t:generateContent"),
        ("g-1@001", VERTEX, True, f"{VERTEX}/models/g-1@001:streamGenerateContent?alt=sse"),
        ("a b?c#d", "", False, "/models/a%20b%3Fc%23d:generateContent"),
        ("../../x", "", False, "/models/%2E%2E/%2E%2E/x:generateContent"),
    ],
)
def test_targets(model: str, base: str, streamed: bool, target: str) -> None:
    assert gemini.target(deployment(model, base), GENERATE, streamed=streamed) == target


def test_a_query_is_kept_and_other_apis_have_their_own_verb() -> None:
    made = gemini.target(deployment("m", query="key=1"), GENERATE, streamed=True)
    assert made == "/v1beta/models/m:streamGenerateContent?key=1&alt=sse"
    for api in (COUNT, EMBED, EMBED_MANY):
        assert gemini.target(deployment("m"), api, streamed=True) == f"/v1beta/models/m:{api.name}"


def test_the_callers_bytes_pass_but_for_our_fields() -> None:
    sent = (
        b'{"contents" : [ {"parts":[{"text":"\\u00e9", "new": 1.50}]} ],"model":"x","models":[],"labels":{}}'
    )
    body = gemini.body(peek(sent), deployment("m", remove=("labels",)), GENERATE, streamed=True)
    assert body.data == b'{"contents":[ {"parts":[{"text":"\\u00e9", "new": 1.50}]} ]}'
    assert body.dropped == ("labels",)


def test_models_named_inside_are_those_of_the_deployment() -> None:
    sent = peek(b'{"requests":[{"model":"models/a","content":{"x":1.0}},{"content":{}}]}')
    made = json.loads(gemini.body(sent, deployment("b"), EMBED_MANY, streamed=False).data)
    assert [one["model"] for one in made["requests"]] == ["models/b", "models/b"]
    counted = peek(b'{"generateContentRequest":{"model":"models/a"}}')
    made = json.loads(gemini.body(counted, deployment("b"), COUNT, streamed=False).data)
    assert made["generateContentRequest"]["model"] == "models/b"
    with pytest.raises(CallerFault, match="requests"):
        gemini.body(peek(b'{"requests":1}'), deployment("b"), EMBED_MANY, streamed=False)


USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 2}


def test_whole_answers() -> None:
    found = gemini.whole(answer({"text": "a"}, usageMetadata=USAGE), GENERATE)
    assert (found.model, found.counts) == ("g-1", Counts(3, 2))
    assert gemini.whole(answer(finish="MALFORMED_FUNCTION_CALL"), GENERATE).counts is None
    blocked = b'{"promptFeedback":{"blockReason":"SAFETY"}}'
    assert gemini.whole(blocked, GENERATE).counts is None
    chunks = b"[%b,%b]" % (answer({"text": "a"}), answer(usageMetadata=USAGE))
    assert gemini.whole(chunks, GENERATE).counts == Counts(3, 2)
    for data, api in (
        (b'{"totalTokens":3}', COUNT),
        (b'{"embedding":{}}', EMBED),
        (b'{"embeddings":[{}]}', EMBED_MANY),
    ):
        assert gemini.whole(data, api).counts is None


@pytest.mark.parametrize("data", [b"{}", b'{"candidates":[]}', b"[]", b"x", b"[1]", b'{"candidates":{}}'])
def test_what_is_no_answer(data: bytes) -> None:
    for api in gemini.APIS:
        with pytest.raises(UpstreamBroken):
            gemini.whole(data, api)


BUSY = b'{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}'


def test_errors_inside() -> None:
    for data in (BUSY, b"[%b]" % BUSY):
        with pytest.raises(ProviderBusy):
            gemini.whole(data, GENERATE)
    assert isinstance(gemini.frame(BUSY).fault, ProviderBusy)
    refused = gemini.frame(b'{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}').fault
    assert isinstance(refused, UpstreamBroken)


@pytest.mark.parametrize(
    ("chunk", "spoke", "finished"),
    [
        ({"candidates": [{"content": {"parts": [{"text": "a"}]}}]}, True, False),
        ({"candidates": [{"content": {"parts": [{"text": ""}]}}]}, False, False),
        ({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}]}, True, False),
        ({"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}]}, False, True),
        ({"candidates": [{"finishReason": 1}]}, False, True),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, False, True),
        ({}, False, False),
    ],
)
def test_frames(chunk: dict[str, Any], spoke: bool, finished: bool) -> None:
    found = gemini.frame(json.dumps({**chunk, "modelVersion": "g-1", "usageMetadata": USAGE}).encode())
    assert (found.spoke, found.finished, found.model, found.counts) == (spoke, finished, "g-1", Counts(3, 2))
    assert found.is_usage is (chunk == {}) and not found.is_done
