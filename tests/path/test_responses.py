"""A Responses caller at a real server: OpenAI's SDK, a chat provider behind it, and one of its own kind."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.path.house import Gateway, Provider, rule, sse, stream_rule
from tests.path.served import eventually

TOOL: Any = {
    "type": "function",
    "name": "weather",
    "description": "The weather",
    "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}  # fmt: skip
CONFIG = """
[server]
port = 0
workers = 1
[providers.mine]
base_url = "{url}"
api_key = "k"
models = ["plain"]
prices.plain = {{ input = 0.5, output = 1.5 }}
[providers.own]
base_url = "{url}"
api_key = "k"
dialect = "openai_responses"
models = ["gpt-5"]
prices.gpt-5 = {{ input = 1.0, output = 2.0 }}
[models.either]
deployments = ["mine/plain", "own/gpt-5"]
"""
SAMPLES = Path(__file__).parents[1] / "data" / "dialects" / "openai_responses"


@pytest.fixture(scope="module")
def served(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG.format(url=one_provider.upstream.base_url)
    gateway = Gateway(tmp_path_factory.mktemp("responses"), config)
    try:
        yield gateway.wait_ready()
    finally:
        gateway.close()


@pytest.fixture
def client(served: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as made:
        yield made


def test_a_whole_answer_of_a_chat_model(client: OpenAI, provider: Provider) -> None:
    raw = client.responses.with_raw_response.create(
        model="mine/plain",
        instructions="Be brief.",
        input="Where?",
        store=True,
        include=["reasoning.encrypted_content"],
    )
    answer = raw.parse()
    assert answer.output_text == "Paris is the capital of France." and answer.status == "completed"
    assert answer.id == "resp_" + raw.headers["x-request-id"].removeprefix("req_")
    assert answer.usage is not None and answer.usage.output_tokens == 6
    assert answer.instructions == "Be brief." and answer.store is False
    assert [message["role"] for message in provider.last.fields["messages"]] == ["system", "user"]
    assert raw.headers["x-wicket-cost-usd"] == "0.0000105"


def test_a_stream_of_a_chat_model(client: OpenAI, provider: Provider) -> None:
    provider.script(rule(reasoning="Let me think.", text="Paris."))
    with client.responses.stream(model="mine/plain", input="Where?") as stream:
        events = list(stream)
        final = stream.get_final_response()
    names = [event.type for event in events]
    assert names[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert names[-1] == "response.completed" and "response.reasoning_summary_text.delta" in names
    assert [event.sequence_number for event in events] == list(range(len(events)))  # type: ignore[attr-defined]
    thought, said = final.output
    assert thought.type == "reasoning" and thought.summary[0].text == "Let me think."
    assert said.type == "message" and final.output_text == "Paris."
    assert final.usage is not None and final.usage.model_extra is not None
    assert final.usage.model_extra["cost"] > 0


@pytest.mark.parametrize("is_streamed", [False, True])
def test_tools_over_turns(client: OpenAI, provider: Provider, is_streamed: bool) -> None:
    arguments = '{"city": "Paris"}'
    provider.script(
        rule(when={"last_role": "user"}, tool_calls=[{"name": "weather", "arguments": arguments}] * 2),
        rule(text="Sunny."),
    )
    items: Any = [{"role": "user", "content": "How is it?"}]

    def ask() -> Any:
        fields: Any = {"model": "mine/plain", "input": items, "tools": [TOOL], "tool_choice": "auto"}
        if not is_streamed:
            return client.responses.create(**fields)
        with client.responses.stream(**fields) as stream:
            return stream.get_final_response()

    first = ask()
    calls = [item for item in first.output if item.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [("weather", {"city": "Paris"})] * 2
    items += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in first.output]
    items += [{"type": "function_call_output", "call_id": call.call_id, "output": "sun"} for call in calls]
    assert ask().output_text == "Sunny."
    sent = provider.last.fields["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in sent[1]["tool_calls"]] == [call.call_id for call in calls]
    assert provider.last.fields["tools"][0]["function"]["strict"] is True


class City(BaseModel):
    name: str
    inhabitants: int


def test_structured_output(client: OpenAI, provider: Provider) -> None:
    provider.script(rule(text='{"name":"Paris","inhabitants":2000000}'))
    answer = client.responses.parse(model="mine/plain", input="Which?", text_format=City)
    assert answer.output_parsed == City(name="Paris", inhabitants=2_000_000)
    shape = provider.last.fields["response_format"]["json_schema"]
    assert shape["strict"] is True and set(shape["schema"]["properties"]) == {"name", "inhabitants"}


def test_an_output_limit_is_incomplete(client: OpenAI, provider: Provider) -> None:
    provider.script(rule(text="Pa", finish_reason="length"))
    answer = client.responses.create(model="mine/plain", input="Where?", max_output_tokens=16)
    assert answer.status == "incomplete" and answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"


def test_errors_are_raised_as_the_sdk_knows_them(client: OpenAI, provider: Provider) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="mine/plain", input="x", tools=[{"type": "web_search"}])
    assert refused.value.param == "tools[0]"
    with pytest.raises(openai.BadRequestError) as kept:
        client.responses.create(model="mine/plain", input="x", previous_response_id="resp_1")
    assert kept.value.param == "previous_response_id"
    provider.script(rule(cut_after=2))
    with pytest.raises(openai.APIError) as cut:
        list(client.responses.create(model="mine/plain", input="x", stream=True))
    assert "before its answer was complete" in str(cut.value)


def test_what_is_not_kept_is_said(client: OpenAI, served: Gateway) -> None:
    for call in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError) as caught:
            call("resp_1")
        assert caught.value.code == "not_kept"
    with pytest.raises(openai.NotFoundError):
        list(client.responses.input_items.list("resp_1"))
    count = served.post("/v1/responses/input_tokens", {"model": "mine/plain", "input": "x"})
    assert count.status == 400 and "responses.input_tokens" in count.error["message"]
    assert served.request("GET", "/v1/responses").status == 405


# A provider of the same dialect


def test_an_answer_passes_as_it_came(served: Gateway, provider: Provider) -> None:
    body = (SAMPLES / "calls.json").read_text()
    provider.script(rule(body=body, headers={"content-type": "application/json"}))
    asked = {"model": "own/gpt-5", "input": [{"role": "user", "content": "x"}], "new": {"b": 2.5}}
    answer = served.post("/v1/responses", asked)
    assert answer.status == 200 and answer.body.decode() == body
    assert provider.last.path.endswith("/responses")
    assert provider.last.fields == {**asked, "model": "gpt-5"}
    used = json.loads(body)["usage"]
    record = served.record(answer.headers["x-request-id"])
    assert (record["input_tokens"], record["output_tokens"]) == (used["input_tokens"], used["output_tokens"])


def test_a_stream_passes_but_for_its_cost(client: OpenAI, provider: Provider) -> None:
    body = (SAMPLES / "calls.stream").read_text()
    provider.script(stream_rule(body))
    with client.responses.create(model="own/gpt-5", input="x", stream=True) as stream:
        events = [event.to_dict() for event in stream]
    known = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: ")]
    assert events[-1]["response"]["usage"].pop("cost") > 0  # type: ignore[index]
    assert [event["type"] for event in events] == [event["type"] for event in known]
    assert served_usage(events[-1]) == served_usage(known[-1])


def served_usage(event: Any) -> Any:
    return event["response"]["usage"]


def test_a_chat_caller_reaches_a_responses_provider(client: OpenAI, provider: Provider) -> None:
    body = (SAMPLES / "calls.stream").read_text()
    provider.script(stream_rule(body))
    with client.chat.completions.stream(
        model="own/gpt-5", messages=[{"role": "user", "content": "x"}]
    ) as stream:
        final = stream.until_done().get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    whole = json.loads((SAMPLES / "calls.json").read_text())
    known = [item for item in whole["output"] if item["type"] == "function_call"]
    assert [(call.id, call.function.arguments) for call in calls] == [
        (item["call_id"], item["arguments"]) for item in known
    ]
    assert final.choices[0].finish_reason == "tool_calls"
    assert provider.last.fields["store"] is False and provider.last.fields["input"]


def test_an_error_in_a_passing_stream_ends_it(client: OpenAI, provider: Provider) -> None:
    created = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}
    said = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "a"}
    failed = {"type": "response.failed", "response": {
        "status": "failed", "error": {"code": "server_error", "message": "It broke."}}}  # fmt: skip
    provider.script(stream_rule(sse(*[json.dumps(one).encode() for one in (created, said, failed)])))
    with pytest.raises(openai.APIError) as caught:
        list(client.responses.create(model="own/gpt-5", input="x", stream=True))
    assert "It broke." in str(caught.value)


def test_a_hosted_tool_goes_to_the_deployment_that_has_it(client: OpenAI, provider: Provider) -> None:
    body = (SAMPLES / "calls.json").read_text()
    provider.script(rule("gpt-5", body=body, headers={"content-type": "application/json"}))
    raw = client.responses.with_raw_response.create(model="either", input="x", tools=[{"type": "web_search"}])
    assert raw.headers["x-wicket-deployment"] == "own/gpt-5"
    eventually(lambda: [seen.model for seen in provider.log] == ["gpt-5"])
