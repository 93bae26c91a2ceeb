"""LangChain's OpenAI class against a real server: a smoke test."""

from typing import Any

import pytest

from tests.path.house import Gateway, Provider, rule

pytestmark = pytest.mark.services


@pytest.fixture
def chat(gateway: Gateway) -> Any:
    from langchain_openai import ChatOpenAI

    def made(model: str = "mine/plain", **options: Any) -> Any:
        return ChatOpenAI(
            model=model, base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, **options
        )

    return made


def test_invoke_and_stream(chat: Any) -> None:
    answer = chat().invoke("Say it.")
    assert answer.content == "Paris is the capital of France."
    assert answer.usage_metadata["output_tokens"] == 6
    pieces = list(chat(stream_usage=True).stream("Say it."))
    assert "".join(piece.content for piece in pieces) == answer.content and len(pieces) > 3
    assert sum((piece.usage_metadata or {}).get("output_tokens", 0) for piece in pieces) == 6


def test_tools_over_two_turns(chat: Any, provider: Provider) -> None:
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_core.tools import tool

    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"

    provider.script(
        rule(when={"to_nth": 1}, tool_calls=[{"name": "weather", "arguments": '{"city": "Paris"}'}]),
        rule(text="It is sunny."),
    )
    model = chat().bind_tools([weather])
    question = HumanMessage("How is it?")
    first = model.invoke([question])
    [call] = first.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Paris"})
    result = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
    assert model.invoke([question, first, result]).content == "It is sunny."
    assert [turn["role"] for turn in provider.last.fields["messages"]] == ["user", "assistant", "tool"]


def test_structured_output(chat: Any, provider: Provider) -> None:
    from pydantic import BaseModel

    class City(BaseModel):
        name: str

    provider.script(rule(text='{"name": "Paris"}'))
    assert chat().with_structured_output(City, method="json_schema").invoke("Which?") == City(name="Paris")


def test_a_limit_is_openai_s_error(chat: Any, provider: Provider) -> None:
    import openai

    provider.script(rule(error="rate_limit", headers={"retry-after": "30"}))
    with pytest.raises(openai.RateLimitError):
        chat().invoke("Say it.")
