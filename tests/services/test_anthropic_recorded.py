"""The unmodified Anthropic SDK for Python, through a real server, to what Anthropic really answered."""

import json
from typing import Any

import pytest

from tests.path.replayed import FOLDER, answered, asked, recorded
from wicket.recordings.recording import Recording

pytestmark = pytest.mark.services
MESSAGES = [
    (file.removesuffix(".yaml"), number)
    for file in FOLDER.files
    if file.startswith("anthropic/")
    for number, one in enumerate(FOLDER.again(file))
    if one.path.endswith("/messages") and one.status == 200
]
WHOLE = [place for place in MESSAGES if not recorded(*place).is_stream]
STREAMS = [place for place in MESSAGES if recorded(*place).is_stream]


def of(file: str, number: int = 0) -> dict[str, Any]:
    """A recorded request as the SDK takes it; fields that it has no name for go along as `extra_body`."""
    import anthropic

    known = anthropic.resources.messages.Messages.create.__annotations__
    body = {**asked(file, number), "model": f"anthropic/{asked(file, number)['model']}"}
    extra = {name: value for name, value in body.items() if name not in known}
    named = {name: value for name, value in body.items() if name in known}
    return {**named, "extra_body": extra} if extra else named


@pytest.mark.parametrize(("file", "number"), WHOLE)
def test_the_answer_is_what_the_provider_said(anthropic_client: Any, file: str, number: int) -> None:
    raw = anthropic_client.messages.with_raw_response.create(**of(file, number))
    assert json.loads(raw.text()) == answered(file, number)
    assert raw.headers["x-wicket-deployment"] == of(file, number)["model"]
    message = raw.parse()
    assert message.model_dump(exclude_unset=True, mode="json")["content"] == answered(file, number)["content"]
    assert message.usage.output_tokens == answered(file, number)["usage"]["output_tokens"] > 0


def events(one: Recording) -> list[dict[str, Any]]:
    lines = one.response.body.decode().replace("\r\n", "\n").split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


@pytest.mark.parametrize(("file", "number"), STREAMS)
def test_a_stream_is_what_was_recorded(anthropic_client: Any, file: str, number: int) -> None:
    with anthropic_client.messages.create(**of(file, number)) as stream:
        got = [event.model_dump(mode="json", exclude_unset=True) for event in stream]
    known = [event for event in events(recorded(file, number)) if event["type"] != "ping"]
    assert [event for event in got if event["type"] != "ping"] == known
    assert known[-1]["type"] == "message_stop"


@pytest.mark.parametrize("file", ["anthropic/stream_text", "anthropic/thinking_stream"])
def test_the_sdk_puts_a_stream_together(anthropic_client: Any, file: str) -> None:
    wanted = {name: value for name, value in of(file).items() if name != "stream"}
    with anthropic_client.messages.stream(**wanted) as stream:
        message = stream.get_final_message()
    known = events(recorded(file))
    deltas = [event["delta"] for event in known if event["type"] == "content_block_delta"]
    said = "".join(delta.get("text", "") for delta in deltas)
    assert "".join(block.text for block in message.content if block.type == "text") == said != ""
    seals = [delta["signature"] for delta in deltas if delta["type"] == "signature_delta"]
    assert [block.signature for block in message.content if block.type == "thinking"] == seals


@pytest.mark.parametrize("file", ["anthropic/tools_three_turns", "anthropic/thinking_tools_turns"])
def test_tools_over_several_turns(anthropic_client: Any, file: str) -> None:
    """What a client would send back after each turn, seals included, is what the recorded client sent."""
    num_turns = len(FOLDER.again(f"{file}.yaml"))
    assert num_turns >= 2
    for number in range(num_turns):
        message = anthropic_client.messages.create(**of(file, number))
        if number + 1 == num_turns:
            assert any(block.type == "text" for block in message.content)
            continue
        assert message.stop_reason == "tool_use"
        back = asked(file, number + 1)["messages"]
        said = [turn["content"] for turn in back if turn["role"] == "assistant"][-1]
        got = [block.model_dump(mode="json", exclude_unset=True) for block in message.content]
        names = ("type", "id", "name", "input", "text", "thinking", "signature")
        assert [_some(block, names) for block in got] == [_some(block, names) for block in said]


def _some(block: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: block[name] for name in names if name in block}


def test_structured_output(anthropic_client: Any) -> None:
    message = anthropic_client.messages.create(**of("anthropic/json_schema"))
    schema = asked("anthropic/json_schema")["output_config"]["format"]["schema"]
    assert set(json.loads(message.content[0].text)) == set(schema["required"])


def test_tokens_are_counted(anthropic_client: Any) -> None:
    counted = anthropic_client.messages.count_tokens(**of("anthropic/count_tokens"))
    assert counted.input_tokens == answered("anthropic/count_tokens")["input_tokens"]


@pytest.mark.parametrize(
    ("file", "kind"),
    [("anthropic/error_model", "NotFoundError"), ("anthropic/error_request", "BadRequestError")],
)
def test_errors_are_the_sdk_s_own(anthropic_client: Any, file: str, kind: str) -> None:
    import anthropic

    with pytest.raises(getattr(anthropic, kind)) as caught:
        anthropic_client.messages.create(**of(file))
    known = answered(file)["error"]
    assert caught.value.status_code == recorded(file).status
    assert caught.value.body["error"] == {"type": known["type"], "message": known["message"]}
