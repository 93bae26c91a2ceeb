"""The unmodified OpenAI SDK for Python against a real server."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.path.house import HELLO, Gateway, Provider, rule

MESSAGES: Any = HELLO
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as made:
        yield made


def test_a_whole_answer(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="mine/plain", messages=MESSAGES)
    assert answer.choices[0].message.content == "Paris is the capital of France."
    assert answer.model == "plain" and answer.usage is not None and answer.usage.completion_tokens == 6
    assert answer._request_id is not None and answer._request_id.startswith("req_")


def test_the_alias_serves_the_sdk_too(gateway: Gateway) -> None:
    with OpenAI(base_url=f"{gateway.url}/openai/v1", api_key=gateway.key, max_retries=0) as client:
        assert "pair" in [model.id for model in client.models.list()]


def test_a_stream_with_usage(client: OpenAI) -> None:
    with client.chat.completions.create(
        model="mine/plain", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "Paris is the capital of France."
    usage = chunks[-1].usage
    assert usage is not None and usage.total_tokens == 8
    assert usage.model_extra is not None and usage.model_extra["cost"] == 1e-5


def test_the_streaming_helper_gathers_tool_calls(client: OpenAI, provider: Provider) -> None:
    arguments = '{"city": "Paris", "days": 3}'
    provider.script(rule(tool_calls=[{"name": "weather", "arguments": arguments}]))
    with client.chat.completions.stream(model="mine/plain", messages=MESSAGES, tools=TOOLS) as stream:
        events = [event.type for event in stream]
        final = stream.get_final_completion()
    [call] = final.choices[0].message.tool_calls or []
    assert (call.function.name, call.function.arguments) == ("weather", arguments)
    assert final.choices[0].finish_reason == "tool_calls" and "tool_calls.function.arguments.delta" in events
    assert provider.last.fields["tools"] == TOOLS


def test_raw_responses_show_what_the_gateway_did(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="mine/plain", messages=MESSAGES)
    assert raw.headers["x-wicket-deployment"] == "mine/plain"
    assert raw.headers["x-wicket-cost-usd"] == "0.00001"
    assert raw.parse().choices[0].message.content


class City(BaseModel):
    name: str
    inhabitants: int


def test_parse_with_a_schema(client: OpenAI, provider: Provider) -> None:
    provider.script(rule(text='{"name": "Paris", "inhabitants": 2100000}'))
    answer = client.chat.completions.parse(model="mine/plain", messages=MESSAGES, response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris", inhabitants=2_100_000)
    schema = provider.last.fields["response_format"]["json_schema"]
    assert schema["strict"] is True and schema["schema"]["required"] == ["name", "inhabitants"]


def test_completions_and_embeddings(client: OpenAI, provider: Provider) -> None:
    text = client.completions.create(model="mine/plain", prompt="Say it.", max_tokens=2)
    assert text.choices[0].text == "Paris is" and text.choices[0].finish_reason == "length"
    found = client.embeddings.create(model="mine/plain", input=["a", "b"])  # asks for base64
    assert provider.last.fields["encoding_format"] == "base64"
    assert len(found.data) == 2 and len(found.data[0].embedding) == 8
    assert abs(sum(x * x for x in found.data[0].embedding) - 1) < 1e-5


def test_models_are_listed_and_found(client: OpenAI) -> None:
    assert "mine/plain" in [model.id for model in client.models.list()]
    assert client.models.retrieve("mine/plain").owned_by == "mine"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing-like-it")


def test_many_at_once_without_blocking(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule("slow", gap_ms=30))

    async def ask() -> list[str]:
        async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:

            async def one(number: int) -> str:
                if number % 2:
                    answer = await client.chat.completions.create(model="mine/slow", messages=MESSAGES)
                    return answer.choices[0].message.content or ""
                stream = await client.chat.completions.create(
                    model="mine/slow", messages=MESSAGES, stream=True
                )
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

            return await asyncio.gather(*map(one, range(40)))

    assert set(asyncio.run(ask())) == {"Paris is the capital of France."}


def test_leaving_a_stream_early_ends_it(client: OpenAI, provider: Provider) -> None:
    provider.script(rule(stall_after=2))
    with client.chat.completions.create(model="mine/plain", messages=MESSAGES, stream=True) as stream:
        next(iter(stream))
    provider.until(lambda log: log[-1].client_gone)


@pytest.mark.parametrize(
    ("model", "actions", "kind", "code"),
    [
        ("nothing-like-it", {}, openai.NotFoundError, "model_not_found"),
        ("mine/plain", {"error": "bad_request"}, openai.BadRequestError, "invalid_request"),
        ("mine/plain", {"error": "context_length"}, openai.BadRequestError, "context_length_exceeded"),
        ("mine/plain", {"error": "server_error"}, openai.InternalServerError, "provider_unavailable"),
        ("mine/plain", {"error": "authentication"}, openai.InternalServerError, "provider_auth_failed"),
    ],
)
def test_errors_are_the_sdks_own(
    client: OpenAI, provider: Provider, model: str, actions: dict[str, Any], kind: type, code: str
) -> None:
    provider.script(rule(**actions))
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=model, messages=MESSAGES)
    assert type(caught.value) is kind and caught.value.code == code
    assert caught.value.request_id is not None and caught.value.request_id.startswith("req_")


def test_a_wrong_key_is_an_authentication_error(gateway: Gateway) -> None:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="$OPENAI_API_KEY", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError, match="shell did not expand"):
            client.models.list()
        with pytest.raises(openai.AuthenticationError, match="shell did not expand"):
            client.chat.completions.create(model="mine/plain", messages=MESSAGES)


def test_a_rate_limit_carries_the_time_to_wait(client: OpenAI, provider: Provider) -> None:
    provider.script(rule(error="rate_limit", headers={"retry-after": "30"}))
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="mine/plain", messages=MESSAGES)
    assert caught.value.response.headers["retry-after"] == "30"
    assert caught.value.code == "rate_limit_exceeded"


def test_the_sdk_does_not_repeat_what_cannot_succeed(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(error="bad_request"))
    with (
        OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key) as client,
        pytest.raises(openai.BadRequestError),
    ):
        client.chat.completions.create(model="mine/plain", messages=MESSAGES)
    assert len(provider.log) == 1


def test_an_error_in_a_stream_is_raised_by_the_sdk(client: OpenAI, provider: Provider) -> None:
    provider.script(rule(cut_after=2, gap_ms=20))
    with (
        client.chat.completions.create(model="mine/plain", messages=MESSAGES, stream=True) as stream,
        pytest.raises(openai.APIError) as caught,
    ):
        list(stream)
    assert caught.value.code == "cut"


def test_extra_fields_reach_the_provider(client: OpenAI, provider: Provider) -> None:
    client.chat.completions.create(
        model="mine/plain", messages=MESSAGES, extra_body={"top_k": 7, "provider": {"only": ["mine"]}}
    )
    assert provider.last.fields["top_k"] == 7 and "provider" not in provider.last.fields
    assert json.loads(provider.last.body)["model"] == "plain"
