"""Every recorded Converse call parses; its streams say the same wherever they are cut; nothing is lost."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.path.replayed import FOLDER
from wicket.dialects import bedrock_converse as bedrock
from wicket.dialects.bedrock_converse.eventstream import read_message
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import Delta, Finish, Part, Text, Thinking, ToolCall
from wicket.recordings.apis import place_of
from wicket.recordings.recording import Recording

CALLS = [
    recording
    for file in FOLDER.files
    if file.startswith("bedrock/")
    for recording in FOLDER.again(file)
    if (place := place_of(recording)) is not None and place.dialect == "bedrock_converse"
]
WHOLE = [one for one in CALLS if one.status == 200 and not one.is_stream]
STREAMS = [one for one in CALLS if one.status == 200 and one.is_stream]
ERRORS = [one for one in CALLS if one.status >= 400]


def name(recording: Recording) -> str:
    return recording.name


def test_there_are_recordings_of_each_kind() -> None:
    assert len(WHOLE) >= 8 and len(STREAMS) >= 4 and ERRORS


def kinds(content: list[dict[str, Any]]) -> list[type[Part]]:
    found = {"text": Text, "toolUse": ToolCall, "reasoningContent": Thinking}
    return [found[next(iter(block))] for block in content if block != {"text": ""}]


@pytest.mark.parametrize("recording", WHOLE, ids=name)
def test_a_whole_answer_is_read_to_the_last_block(recording: Recording) -> None:
    said = json.loads(recording.response.body)
    read = bedrock.read_completion(recording.response.body)
    content = said["output"]["message"]["content"]
    assert [type(part) for part in read.parts] == kinds(content)
    for part, block in zip(read.parts, [one for one in content if one != {"text": ""}], strict=True):
        match part:
            case Text(text=text):
                assert text == block["text"]
            case ToolCall():
                use = block["toolUse"]
                assert (part.id, part.name, json.loads(part.arguments)) == (
                    use["toolUseId"], use["name"], use["input"]
                )  # fmt: skip
            case Thinking(is_redacted=True):
                assert part.signature == block["reasoningContent"]["redactedContent"]
            case Thinking():
                reasoning = block["reasoningContent"]["reasoningText"]
                assert (part.text, part.signature) == (reasoning["text"], reasoning.get("signature", ""))
    usage = said["usage"]
    assert (
        read.counts is not None
        and read.counts == bedrock.whole(recording.response.body, bedrock.CONVERSATION).counts
    )
    assert read.counts.input_tokens + read.counts.output_tokens == usage["totalTokens"]
    assert read.unread in ([], ["trace"], ["additionalModelResponseFields"])


def deltas(recording: Recording, seed: int) -> list[Delta]:
    chance, data = random.Random(seed), recording.response.body
    splitter, reader, found = bedrock.splitter(), bedrock.stream_reader(), list[Delta]()
    while data:
        size = chance.choice((1, 2, 7, 100, len(data)))
        for message in splitter.feed(data[:size]):
            found += reader.feed(message)
        data = data[size:]
    assert splitter.finish() == b""
    return [*found, *reader.finish()]


@pytest.mark.parametrize("recording", STREAMS, ids=name)
def test_a_stream_says_the_same_wherever_it_is_cut_and_what_its_messages_say(recording: Recording) -> None:
    first = deltas(recording, 0)
    assert all(deltas(recording, seed) == first for seed in range(1, 5))
    gathered = Gathered()
    for delta in first:
        gathered.add(delta)
    answer = gathered.completion()
    messages = [read_message(one) for one in bedrock.splitter().feed(recording.response.body)]
    said = [json.loads(message.payload) for message in messages]
    text = "".join(one["delta"].get("text", "") for one in said if "delta" in one)
    assert gathered.text == text
    stop = next(one["stopReason"] for one in said if "stopReason" in one)
    assert answer.raw_finish == stop and (answer.finish is Finish.TOOL_CALLS) == (stop == "tool_use")
    usage = next(one["usage"] for one in said if "usage" in one)
    assert answer.counts is not None
    assert answer.counts.input_tokens + answer.counts.output_tokens == usage["totalTokens"]
    frames = [bedrock.frame(one) for one in bedrock.splitter().feed(recording.response.body)]
    assert frames[-1].is_done and any(frame.finished for frame in frames)


@pytest.mark.parametrize("recording", ERRORS, ids=name)
def test_a_recorded_error_is_judged(recording: Recording) -> None:
    headers = {key.encode(): value.encode() for key, value in recording.response.headers}
    fault = bedrock.judge(recording.status, headers, recording.response.body)
    assert fault.message == json.loads(recording.response.body)["message"]
    assert fault.code == "model_not_found" and fault.elsewhere
