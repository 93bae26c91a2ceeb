"""What OpenAI's chat dialect reads in answers and frames, and what it sends."""

import json
from typing import Any

import msgspec
import pytest

from wicket.dialects.contract import Counts
from wicket.dialects.openai_chat import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    body,
    frame,
    target,
    wants_usage,
    whole,
)
from wicket.errors import CallerFault, ProviderRefusal, UpstreamBroken
from wicket.routing.deployment import Deployment
from wicket.wire.fields import peek
from wicket.wire.origin import Origin

PLAIN = Deployment(id="p/m", provider="p", model="up/m", origin=Origin("https", "up.example", 443))


def sent(request: dict[str, Any], streamed: bool = False, **deployment: Any) -> dict[str, Any]:
    made = msgspec.structs.replace(PLAIN, **deployment)
    data = body(peek(json.dumps(request).encode()), made, CHAT, streamed=streamed).data
    found: dict[str, Any] = json.loads(data)
    return found


def read(**chunk: Any) -> Any:
    return frame(json.dumps(chunk).encode())


def test_the_target_is_path_template_and_query() -> None:
    assert target(PLAIN, CHAT) == "/v1/chat/completions"
    azure = msgspec.structs.replace(
        PLAIN, base_path="/openai", path_template="/deployments/{model}", query="api-version=1"
    )
    assert target(azure, EMBEDDINGS) == "/openai/deployments/up/m/embeddings?api-version=1"


def test_the_model_is_renamed_and_ours_is_taken_out() -> None:
    request = {"model": "a", "models": [1], "provider": {}, "route": "x", "wicket": 1, "seed": 7}
    assert sent(request) == {"model": "up/m", "seed": 7}


def test_a_providers_own_spelling_and_dislikes() -> None:
    request = {"model": "a", "max_completion_tokens": 5, "store": True}
    assert sent(request, rename={"max_completion_tokens": "max_tokens"}) == {
        "model": "up/m", "max_tokens": 5, "store": True,
    }  # fmt: skip
    made = msgspec.structs.replace(PLAIN, remove=("store", "seed"))
    found = body(peek(json.dumps(request).encode()), made, CHAT, streamed=False)
    assert found.dropped == ("store",) and b"store" not in found.data


@pytest.mark.parametrize(
    ("options", "usage", "wanted"),
    [
        (None, "ask", {"include_usage": True}),
        ({}, "ask", {"include_usage": True}),
        ({"include_usage": False, "x": 1}, "ask", {"include_usage": True, "x": 1}),
        ({"x": 1}, "always", {"x": 1}),
        ({"x": 1}, "never", {"x": 1}),
    ],
)
def test_usage_is_asked_for_where_it_must_be(options: Any, usage: str, wanted: Any) -> None:
    request = {"model": "a", "stream": True, "stream_options": options}
    assert sent(request, streamed=True, usage_in_stream=usage)["stream_options"] == wanted


@pytest.mark.parametrize(
    ("options", "wants"), [(b"null", False), (b"{}", False), (b'{"include_usage":true}', True),
                           (b'{"include_usage":1}', False)],
)  # fmt: skip
def test_who_wants_usage(options: bytes, wants: bool) -> None:
    assert wants_usage(peek(b'{"stream_options":' + options + b"}")) is wants
    assert wants_usage({}) is False


def test_options_that_are_none_are_refused() -> None:
    with pytest.raises(CallerFault) as caught:
        wants_usage(peek(b'{"stream_options":[1]}'))
    assert caught.value.param == "stream_options"


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"}, {"reasoning_content": "x"}, {"reasoning": "x"}, {"refusal": "x"},
        {"audio": {"id": "a"}}, {"function_call": {"name": "f"}},
        {"tool_calls": [{"index": 0, "function": {"arguments": ""}}]},
        {"content": [{"type": "text", "text": "x"}]},
    ],
)  # fmt: skip
def test_what_counts_as_output(delta: dict[str, Any]) -> None:
    assert read(choices=[{"delta": delta}]).spoke


@pytest.mark.parametrize(
    "delta",
    [
        {},
        None,
        {"role": "assistant", "content": ""},
        {"content": None, "tool_calls": None},
        {"tool_calls": []},
    ],
)
def test_what_does_not(delta: dict[str, Any] | None) -> None:
    found = read(choices=[{"delta": delta, "finish_reason": None}])
    assert not (found.spoke or found.finished or found.is_usage or found.is_done) and found.fault is None


def test_ends() -> None:
    assert frame(b"[DONE]").is_done
    assert read(choices=[{"delta": {}, "finish_reason": "length"}]).finished
    last = read(model="u", choices=[], usage={"prompt_tokens": 3, "completion_tokens": 4})
    assert last.is_usage and last.counts == Counts(3, 4) and last.model == "u"
    both = read(choices=[{"finish_reason": "stop"}], usage={"prompt_tokens": 3, "completion_tokens": 4})
    assert both.finished and not both.is_usage and both.counts == Counts(3, 4)
    assert read(choices=[], x_groq={"usage": {"prompt_tokens": 1, "completion_tokens": 2}}).counts == Counts(
        1, 2
    )
    assert read(choices=[], usage=None).counts is None


@pytest.mark.parametrize("reason", ["error", "network_error", "insufficient_system_resource"])
def test_a_failure_by_the_name_of_a_finish_reason(reason: str) -> None:
    assert read(choices=[{"delta": {}, "finish_reason": reason}]).fault.code == "failed_finish"
    with pytest.raises(UpstreamBroken):
        whole(json.dumps({"choices": [{"finish_reason": reason}]}).encode(), CHAT)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ({"message": "Broken.", "code": 500}, UpstreamBroken, "Broken."),
        ("plain words", UpstreamBroken, "plain words"),
        ({"message": "No.", "code": "content_filter"}, ProviderRefusal, "No."),
        ({"code": 1}, UpstreamBroken, "The provider reported an error inside its answer."),
    ],
)
def test_an_error_inside_a_good_status(error: Any, kind: type, message: str) -> None:
    fault = read(error=error).fault
    assert type(fault) is kind and fault.message == message
    with pytest.raises(kind):
        whole(json.dumps({"error": error, "choices": None}).encode(), CHAT)


@pytest.mark.parametrize("error", [None, {}, ""])
def test_an_empty_error_field_is_none(error: Any) -> None:
    assert read(error=error, choices=[{"delta": {"content": "x"}}]).spoke


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 2}, Counts(9, 2)),
        ({"prompt_tokens": 9, "total_tokens": 9}, Counts(9, 0)),
        (
            {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}},
            Counts(9, 2, 8),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 7}, Counts(9, 2, 7)),
        (
            {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 99}},
            Counts(9, 2, 9),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
            Counts(9, 5, reasoning_tokens=4),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "completion_tokens_details": {"reasoning_tokens": 40},
            },
            Counts(9, 45, reasoning_tokens=40),
        ),
        ({}, None),
        (None, None),
    ],
)
def test_usage(usage: Any, counts: Counts | None) -> None:
    found = whole(
        json.dumps({"choices": [{"finish_reason": "stop"}], "usage": usage, "model": "u"}).encode(), CHAT
    )
    assert (found.counts, found.model) == (counts, "u")


@pytest.mark.parametrize(
    ("data", "api"),
    [(b"", CHAT), (b"<html>", CHAT), (b"[]", CHAT), (b"{}", CHAT), (b'{"choices":null}', COMPLETIONS),
     (b'{"choices":[]}', EMBEDDINGS), (b'{"data":[]}', CHAT), (b'"x"', CHAT), (b'{"choices":"x"}', CHAT)],
)  # fmt: skip
def test_what_is_no_answer(data: bytes, api: Any) -> None:
    with pytest.raises(UpstreamBroken) as caught:
        whole(data, api)
    assert caught.value.code == "malformed"


@pytest.mark.parametrize("data", [b"", b"x", b"[]", b'{"choices":[{"delta":7}]}', b'{"choices":[', b"\xff"])
def test_what_is_no_chunk(data: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        frame(data)


def test_half_a_surrogate_pair_does_not_end_a_stream() -> None:
    assert frame(b'{"choices":[{"delta":{"content":"\\ud83d"}}]}').spoke
    assert (
        whole(b'{"choices":[{"message":{"content":"\\ud83d"},"finish_reason":"stop"}]}', CHAT).counts is None
    )
