"""Recorded answers with sealed thoughts and calls, through every dialect and back to their provider.

A caller gets the recorded answer in its own form and sends it back as its reference says, with results for
the calls: what goes out to the provider must hold every seal that the recording has. (A seal that Gemini puts
on plain text is not carried, since Google takes the text without: it is reported.)
"""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from tests.path.callers import CALLERS, Caller, Question
from tests.path.replayed import recorded

from wicket.dialects.translation import Asked, Heard, Spoken, heard, spoken
from wicket.routing.deployment import Deployment
from wicket.wire.fields import peek
from wicket.wire.origin import Origin
from wicket.wire.sse import payload

NAMES = {
    "openai": "openai_chat",
    "anthropic": "anthropic_messages",
    "gemini": "gemini",
    "cohere": "cohere",
    "responses": "openai_responses",
}
RECORDINGS = {
    "gemini/stream_tools_signature": ("gemini", "gemini-3-pro-preview"),
    "anthropic/thinking_tools_turns": ("anthropic_messages", "claude-sonnet-4-5"),
    "anthropic/thinking_stream": ("anthropic_messages", "claude-sonnet-4-5"),
    "anthropic/thinking_redacted_stream": ("anthropic_messages", "claude-3-7-sonnet"),
}
PAIRS = [
    (name, file)
    for name in CALLERS
    for file, (origin, _) in RECORDINGS.items()
    if NAMES[name] != origin  # the same dialect passes as bytes
]


def sides(name: str, origin: str) -> tuple[Heard, Spoken]:
    voice, provider = heard(NAMES[name]), spoken(origin)
    assert voice is not None and provider is not None
    return voice, provider


def seals(value: Any) -> list[str]:
    """Every seal in a provider's JSON, in order; those of thoughts, calls and what is redacted."""
    found: list[str] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            is_redacted = key == "data" and value.get("type") == "redacted_thinking"
            if is_redacted or (key in ("thoughtSignature", "signature") and inner):
                found.append(inner)
            else:
                found += seals(inner)
    elif isinstance(value, list):
        found += [seal for inner in value for seal in seals(inner)]
    return found


def payloads(side: Spoken, body: bytes) -> Iterable[bytes]:
    splitter = side.splitter()
    frames = [*splitter.feed(body), splitter.finish()]
    return [found for found in map(payload, frames) if found]


@pytest.mark.parametrize(("name", "file"), PAIRS)
def test_every_seal_goes_back_to_whom_it_is_from(name: str, file: str) -> None:
    origin, model = RECORDINGS[file]
    voice, provider = sides(name, origin)
    caller = CALLERS[name]
    answer = recorded(file).response.body
    asked = Asked(id="req_1", created_s=1, model="m", fields={}, wants_usage=True)
    if answer.lstrip().startswith(b"{"):
        whole = provider.read_completion(answer)
        said = caller.whole(json.loads(voice.write_completion(whole, asked, None)))
        sealed = seals(json.loads(answer))
    else:
        reader, writer = provider.stream_reader(), voice.stream_writer(asked)
        deltas = [delta for one in payloads(provider, answer) for delta in reader.feed(one)]
        deltas += reader.finish()
        stream = b"".join(writer.write(delta) for delta in deltas) + writer.finish(None)
        said = caller.streamed(events(stream))
        sealed = seals([json.loads(one) for one in payloads(provider, answer)])
    assert sealed
    assert set(seals(back(caller, voice, provider, said, model))) >= set(sealed)


def events(stream: bytes) -> list[dict[str, Any]]:
    lines = [line[6:] for line in stream.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def _turns(body: dict[str, Any]) -> list[dict[str, Any]]:
    return next(body[name] for name in ("messages", "contents", "input") if name in body)


def back(caller: Caller, voice: Heard, provider: Spoken, said: Any, model: str) -> Any:
    """What the provider gets of the next request."""
    body = caller.body("m", Question(tools=True, thinking=True), stream=False)
    body = caller.go_on(body, said, ["fine" for _ in said.calls])
    if not said.calls:  # nothing to give a result of: the user goes on
        turns = _turns(body)
        more = caller.body("m", Question("Go on."), stream=False)
        turns[:] = [turn for turn in turns if turn.get("content") != [] and turn.get("parts") != []]
        turns += _turns(more)
    conversation = voice.read_request(peek(msgspec.json.encode(body)))
    deployment = Deployment(
        id="p/m",
        provider="p",
        model=model,
        origin=Origin("https", "up.example", 443),
        max_output_tokens=9_999,
    )
    return json.loads(provider.write_request(conversation, deployment, streamed=False).data)
