"""The OpenAI SDK against a real server with the real embedded model."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.path.house import MINE, SECRET, Gateway, Provider, drain
from tests.path.served import eventually

pytestmark = pytest.mark.model
CONFIG = (
    '[server]\nport = 0\n[engines.compact]\nmodel = "smollm2-135m-instruct"\ncontext_tokens = 1024\n'
    '[models.safe]\ndeployments = ["compact", "mine/plain"]\n'
    "[models.auto]\nquality = 0.3\n"
)
FRANCE: Any = [{"role": "user", "content": "What is the capital of France?"}]
STORY: Any = [{"role": "user", "content": "Tell me a very long story about a sailor and the sea."}]


@pytest.fixture(scope="module")
def served(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG + MINE.format(url=one_provider.upstream.base_url, secret=SECRET)
    running = Gateway(tmp_path_factory.mktemp("model"), config)
    try:
        yield running.wait_ready()
    finally:
        running.close()


@pytest.fixture
def client(served: Gateway, provider: Provider) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as made:
        yield made
    assert served.chat("mini", max_tokens=1).status == 200
    assert "Traceback" not in served.heard()


def test_a_request_during_loading_waits_and_the_capital_is_paris(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="mini", messages=FRANCE, temperature=0, max_tokens=20)
    assert "Paris" in (answer.choices[0].message.content or "")
    assert answer.model == "smollm2-135m-instruct"  # who answered, not who was asked
    assert answer.usage is not None and answer.usage.prompt_tokens > 5


def test_a_stream_says_the_same_and_costs_nothing(client: OpenAI, served: Gateway) -> None:
    whole = client.chat.completions.create(model="mini", messages=FRANCE, temperature=0, max_tokens=20)
    with client.chat.completions.create(
        model="mini", messages=FRANCE, temperature=0, max_tokens=20, stream=True,
        stream_options={"include_usage": True},
    ) as stream:  # fmt: skip
        chunks = list(stream)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole.choices[0].message.content
    usage = chunks[-1].usage
    assert usage is not None and usage.completion_tokens > 3 and (usage.model_extra or {})["cost"] == 0


def test_auto_is_the_local_model_for_what_it_is_good_enough_for(client: OpenAI) -> None:
    listed = [model.id for model in client.models.list()]
    assert listed[:2] == ["mini", "auto"]
    answer = client.chat.completions.create(model="auto", messages=FRANCE, temperature=0, max_tokens=20)
    assert answer.model == "smollm2-135m-instruct"
    assert "Paris" in (answer.choices[0].message.content or "")


def test_the_local_model_stands_first(client: OpenAI) -> None:
    first = next(iter(client.models.list()))
    assert first.id == "mini" and (first.model_extra or {})["is_default"] is True


class City(BaseModel):
    name: str
    is_capital: bool


def test_parse_gives_an_object_of_the_schema(client: OpenAI) -> None:
    answer = client.chat.completions.parse(
        model="mini", messages=FRANCE, response_format=City, temperature=0, max_tokens=60
    )
    assert isinstance(answer.choices[0].message.parsed, City)


def test_a_forced_tool_call_has_arguments_of_its_schema(client: OpenAI) -> None:
    tool: Any = {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "maxLength": 20}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
    chosen: Any = {"type": "function", "function": {"name": "weather"}}
    answer = client.chat.completions.create(
        model="mini", messages=FRANCE, tools=[tool], tool_choice=chosen, temperature=0, max_tokens=60
    )
    [call] = answer.choices[0].message.tool_calls or []
    assert call.type == "function" and call.function.name == "weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)


def test_too_long_a_prompt_is_told_with_numbers(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=r"1,?024") as caught:
        client.chat.completions.create(model="mini", messages=[{"role": "user", "content": "sea " * 3_000}])
    assert caught.value.code == "context_length_exceeded"


def test_a_prompt_too_long_for_it_falls_back_to_a_larger_model(client: OpenAI, served: Gateway) -> None:
    answer = served.chat("safe", messages=[{"role": "user", "content": "sea " * 3_000}])
    assert answer.status == 200 and answer.headers["x-wicket-deployment"] == "mine/plain"


def test_leaving_a_stream_frees_the_engine(client: OpenAI, served: Gateway) -> None:
    body = json.dumps({"model": "mini", "messages": STORY, "stream": True, "max_tokens": 900}).encode()
    with served.next_record("client_gone") as record, served.dial() as connection:
        connection.sendall(served.head(body, f"content-length: {len(body)}"))
        assert connection.recv(65_536)
    assert record["is_estimated"] and record["output_tokens"] < 900


def test_a_killed_engine_fails_over_and_comes_back(client: OpenAI, served: Gateway) -> None:
    body = json.dumps({"model": "mini", "messages": STORY, "stream": True, "max_tokens": 900}).encode()
    with served.dial() as connection:
        connection.sendall(served.head(body, f"content-length: {len(body)}", "connection: close"))
        got = connection.recv(65_536)
        [engine] = served.admin("GET", "/admin/v1/status")["engines"]
        os.kill(engine["pid"], signal.SIGKILL)
        got += drain(connection)
    assert b"[DONE]" not in got and b'"error"' in got  # told in the stream, as its first token was out
    answer = served.chat("safe", messages=FRANCE)
    assert answer.status == 200 and answer.headers["x-wicket-deployment"] in (
        "mine/plain",
        "compact/smollm2-135m-instruct",
    )
    eventually(lambda: served.chat("mini", max_tokens=1).status == 200)
    [engine_now] = served.admin("GET", "/admin/v1/status")["engines"]
    assert engine_now["pid"] != engine["pid"]
