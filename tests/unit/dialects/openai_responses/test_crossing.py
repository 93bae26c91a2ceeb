"""Other families' recorded answers through the hands of a Responses caller, and back as the next input."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.unit.dialects.openai_responses.speaking import ASKED, conversation, events_of, gathered, streamed
from wicket.dialects import openai_responses
from wicket.dialects.hub import Broken, Completion, Delta, Foreign, Media, Part, Text
from wicket.dialects.translation import Spoken, spoken
from wicket.recordings.apis import place_of
from wicket.recordings.folder import Folder
from wicket.recordings.recording import Recording
from wicket.wire.sse import payload

CASSETTES = Path(__file__).parents[3] / "data" / "cassettes"
FAMILIES = ("anthropic", "gemini", "vertex_gemini", "deepseek", "openrouter", "mistral", "groq", "openai")
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
CONVERSATIONS = {"openai_chat": "chat.completions", "anthropic_messages": "messages", "gemini": "generate"}


def recordings() -> Iterator[tuple[Recording, Spoken]]:
    for name in FAMILIES:
        folder = Folder(CASSETTES / name)
        for file in folder.files:
            for one in folder.read(file):
                place = place_of(one)
                if one.status != 200 or place is None or CONVERSATIONS.get(place.dialect) != place.api:
                    continue
                side = spoken(place.dialect)
                assert side is not None
                yield one, side


ALL = list(recordings())


def deltas_of(recording: Recording, side: Spoken) -> list[Delta]:
    splitter, reader = side.splitter(), side.stream_reader()
    frames = [*splitter.feed(recording.response.body), splitter.finish()]
    payloads = [data for frame in frames if (data := payload(frame))]
    return [*(delta for data in payloads for delta in reader.feed(data)), *reader.finish()]


def shown(parts: list[Part]) -> list[Any]:
    """What must come back: texts, thoughts with their seals, calls. A text's own seal does not."""
    names = ("text", "id", "name", "arguments", "is_redacted")
    found = []
    for part in parts:
        seal = "" if isinstance(part, Text) else part.signature
        if not isinstance(part, Foreign | Media) and (getattr(part, "text", "x") or seal):
            found.append((type(part).__name__, seal, [getattr(part, name, None) for name in names]))
    return found


def check(output: dict[str, Any], completion: Completion) -> None:
    """The SDK takes it, and what it sends back is what was said."""
    answer = Response.model_validate(output)
    items = [item.model_dump(mode="json", exclude_none=True) for item in answer.output]
    turns = conversation(input=[{"role": "user", "content": "q"}, *items]).turns
    assert shown([part for turn in turns[1:] for part in turn.parts]) == shown(completion.parts)


def test_there_are_answers_of_every_family() -> None:
    assert {recording.provider for recording, _ in ALL} >= set(FAMILIES) and len(ALL) > 100


@pytest.mark.parametrize(("recording", "side"), ALL, ids=[recording.name for recording, _ in ALL])
def test_an_answer_crosses_and_comes_back(recording: Recording, side: Spoken) -> None:
    if not recording.is_stream:
        completion = side.read_completion(recording.response.body)
        check(json.loads(openai_responses.write_completion(completion, ASKED, 0.5)), completion)
        return
    deltas = deltas_of(recording, side)
    events = events_of(streamed(deltas))
    for event in events:
        EVENT.validate_python(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    if not any(isinstance(delta, Broken) for delta in deltas):
        check(events[-1]["response"], gathered(deltas))
