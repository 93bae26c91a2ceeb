"""The unmodified OpenAI SDK for Python, through a real server, to what providers really answered."""

import base64
import json
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.path.replayed import FOLDER, answered, asked, recorded

pytestmark = pytest.mark.services


def of(file: str, number: int = 0) -> dict[str, Any]:
    """A recorded request as the SDK takes it, with our name for the model."""
    body = asked(file, number)
    return {**body, "model": f"{file.split('/')[0]}/{body['model']}"}


def ask(client: OpenAI, file: str, number: int = 0) -> Any:
    """The request; fields that the SDK has no name for go along as `extra_body`."""
    return client.chat.completions.create(**_named(of(file, number)))


def _named(body: dict[str, Any]) -> dict[str, Any]:
    known = openai.resources.chat.Completions.create.__wrapped__.__annotations__  # type: ignore[attr-defined]
    extra = {name: value for name, value in body.items() if name not in known}
    named = {name: value for name, value in body.items() if name in known}
    return {**named, "extra_body": extra} if extra else named


@pytest.mark.parametrize(
    "file",
    [
        *("openai/text", "openai/reasoning", "openai/several_choices", "openai/web_search", "openai/tools"),
        *("groq/json_schema", "groq/image", "mistral/thinking", "deepseek/thinking", "openrouter/tools"),
        *(
            "huggingface/max_tokens",
            "cerebras/reasoning",
            "zai/thinking",
            "ollama/json_schema",
        ),
    ],
)
def test_the_answer_is_what_the_provider_said(openai_client: OpenAI, file: str) -> None:
    raw = openai_client.chat.completions.with_raw_response.create(**_named(of(file)))
    assert json.loads(raw.text) == answered(file)
    answer, said = raw.parse(), answered(file)
    assert answer.model == said["model"] and len(answer.choices) == len(said["choices"])
    for choice, known in zip(answer.choices, said["choices"], strict=True):
        assert choice.finish_reason == known["finish_reason"]
        assert choice.message.content == known["message"].get("content")
    assert answer.usage is not None and answer.usage.total_tokens == said["usage"]["total_tokens"]
    assert raw.headers["x-wicket-deployment"] == of(file)["model"]


def test_fields_beyond_the_sdk_s_types_arrive(openai_client: OpenAI) -> None:
    message = ask(openai_client, "deepseek/thinking").choices[0].message
    known = answered("deepseek/thinking")["choices"][0]["message"]
    assert message.reasoning_content == known["reasoning_content"] != ""
    details = ask(openai_client, "openrouter/thinking_signature").choices[0].message.reasoning_details
    assert details == answered("openrouter/thinking_signature")["choices"][0]["message"]["reasoning_details"]
    assert any(detail.get("signature") for detail in details)


def test_a_stream_says_what_was_recorded(openai_client: OpenAI) -> None:
    for file in ("openai/stream_text", "openrouter/stream_cache"):
        with ask(openai_client, file) as stream:
            chunks = list(stream)
        known = sent(file)
        assert text_of(chunks) == "".join(
            choice["delta"].get("content") or "" for chunk in known for choice in chunk["choices"]
        )
        assert text_of(chunks), file
        reasons = [
            choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason
        ]
        assert reasons[-1:] == ["stop"], file


def test_usage_of_a_stream(openai_client: OpenAI) -> None:
    with ask(openai_client, "openai/stream_usage") as stream:
        usage = [chunk.usage for chunk in stream if chunk.usage][-1]
    known = next(chunk["usage"] for chunk in sent("openai/stream_usage") if chunk.get("usage"))
    assert usage.prompt_tokens == known["prompt_tokens"]
    assert usage.completion_tokens == known["completion_tokens"]
    assert (
        usage.completion_tokens_details.reasoning_tokens
        == known["completion_tokens_details"]["reasoning_tokens"]
    )


def test_reasoning_streams_with_its_details(openai_client: OpenAI) -> None:
    with ask(openai_client, "openrouter/stream_reasoning") as stream:
        deltas = [choice.delta for chunk in stream for choice in chunk.choices]
    known = [choice["delta"] for chunk in sent("openrouter/stream_reasoning") for choice in chunk["choices"]]
    assert [getattr(one, "reasoning", None) for one in deltas] == [one.get("reasoning") for one in known]
    assert [getattr(one, "reasoning_details", None) for one in deltas] == [
        one.get("reasoning_details") for one in known
    ]


def sent(file: str) -> list[dict[str, Any]]:
    """The chunks of a recorded stream."""
    frames = recorded(file).response.body.replace(b"\r\n", b"\n").split(b"\n\n")
    return [json.loads(frame[6:]) for frame in frames if frame.startswith(b"data: {")]


def text_of(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def calls_of(chunks: list[Any]) -> list[tuple[str, str, str]]:
    """Tool calls gathered by their index: id, name, arguments."""
    found: dict[int, list[str]] = {}
    for call in [
        call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()
    ]:
        parts = found.setdefault(call.index, ["", "", ""])
        parts[0] = parts[0] or call.id or ""
        parts[1] += call.function.name or ""
        parts[2] += call.function.arguments or ""
    return [(one[0], one[1], one[2]) for one in found.values()]


def sent_back(file: str, number: int) -> list[tuple[str, str, Any]]:
    """The tool calls of the last assistant turn with some in a recorded request."""
    turns = [turn for turn in asked(file, number)["messages"] if turn.get("tool_calls")]
    return [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in turns[-1]["tool_calls"]
    ]


@pytest.mark.parametrize(
    "file",
    ["openai/parallel_tools_turns", "openai/tools_three_turns", "groq/tools_turns", "mistral/tools_turns"],
)
def test_tools_over_several_turns(openai_client: OpenAI, file: str) -> None:
    """What a client would send back after each turn is what the recorded client sent back."""
    num_turns = len(FOLDER.again(f"{file}.yaml"))
    assert num_turns >= 2
    for number in range(num_turns):
        answer = ask(openai_client, file, number)
        calls = answer.choices[0].message.tool_calls or []
        if number + 1 < num_turns:
            assert answer.choices[0].finish_reason == "tool_calls"
            got = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in calls]
            assert got == sent_back(file, number + 1)
        else:
            assert answer.choices[0].message.content


@pytest.mark.parametrize(
    "file", ["deepseek/thinking_tools_turns", "cerebras/tools_turns", "ollama/tools_turns"]
)
def test_turns_that_the_client_wrote_anew(openai_client: OpenAI, file: str) -> None:
    for number in range(len(FOLDER.again(f"{file}.yaml"))):
        message = ask(openai_client, file, number).choices[0].message
        known = answered(file, number)["choices"][0]["message"]
        calls = [call.model_dump(exclude_unset=True) for call in message.tool_calls or ()]
        assert (message.content, calls) == (known.get("content"), known.get("tool_calls") or [])


def test_parallel_tools(openai_client: OpenAI) -> None:
    calls = ask(openai_client, "openai/parallel_tools_turns").choices[0].message.tool_calls
    known = answered("openai/parallel_tools_turns")["choices"][0]["message"]["tool_calls"]
    assert [call.model_dump() for call in calls] == known and len(calls) == 2


@pytest.mark.parametrize("file", ["openai/stream_tools_turns", "openai/stream_tools"])
def test_streamed_tools_over_several_turns(openai_client: OpenAI, file: str) -> None:
    with ask(openai_client, file) as stream:
        calls = calls_of(list(stream))
    assert [(one, name, json.loads(text or "{}")) for one, name, text in calls] == sent_back(file, 1)
    with ask(openai_client, file, 1) as stream:
        assert text_of(list(stream))


def test_streamed_parallel_tools_keep_their_arguments_apart(openai_client: OpenAI) -> None:
    with ask(openai_client, "openai/stream_parallel_tools") as stream:
        calls = calls_of(list(stream))
    assert len(calls) == 2 and len({one for one, _, _ in calls}) == 2
    assert all(json.loads(arguments) for _, _, arguments in calls)


class CityLocation(BaseModel):
    city: str
    country: str


def test_structured_output(openai_client: OpenAI) -> None:
    ask(openai_client, "openai/json_schema")
    message = ask(openai_client, "openai/json_schema", 1).choices[0].message
    assert CityLocation.model_validate_json(message.content) == CityLocation(
        city="Mexico City", country="Mexico"
    )


def test_images_and_sound(openai_client: OpenAI) -> None:
    assert ask(openai_client, "openai/image").choices[0].message.content
    assert ask(openai_client, "openai/audio_in").choices[0].message.content
    audio = ask(openai_client, "openai/audio_out").choices[0].message.audio
    assert audio.transcript and base64.b64decode(audio.data)


def test_embeddings(openai_client: OpenAI) -> None:
    found = openai_client.embeddings.create(**of("openai/embeddings"))
    assert found.data[0].embedding == answered("openai/embeddings")["data"][0]["embedding"]


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("openai/error_model", openai.NotFoundError),
        ("openai/error_request", openai.BadRequestError),
        ("groq/error_model", openai.NotFoundError),
        ("groq/tool_use_failed", openai.BadRequestError),
    ],
)
def test_errors_are_the_sdk_s_own(
    openai_client: OpenAI, file: str, kind: type[openai.APIStatusError]
) -> None:
    with pytest.raises(kind) as caught:
        ask(openai_client, file)
    assert caught.value.status_code == recorded(file).status
    assert caught.value.message


def test_a_limit_is_told_once_when_retries_are_off(openai_client: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        ask(openai_client, "openrouter/errors_429")
    assert caught.value.status_code == 429


def test_an_error_inside_a_stream_is_raised(openai_client: OpenAI) -> None:
    with (
        pytest.raises(openai.APIError, match="Token limit reached"),
        ask(openai_client, "openrouter/stream_error") as stream,
    ):
        list(stream)
