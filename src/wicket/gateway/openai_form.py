"""What was said, in the one form that is learned from and compared: OpenAI's, whatever the two ends speak.

Nothing here runs for a request that is neither collected nor checked.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects import openai_chat
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import Completion, Text
from wicket.dialects.openai_message import streamed_message, whole_message
from wicket.errors import CallerFault, Fault
from wicket.gateway.attempt import Attempt
from wicket.gateway.call import Call
from wicket.gateway.crossing import asked_of, hearing, speaking
from wicket.routing.deployment import Deployment
from wicket.wire import json
from wicket.wire.origin import Origin
from wicket.wire.sse import payload

FORM = openai_chat.CHAT.dialect
_NOWHERE = Origin("http", "nowhere", 80)


def request_body(call: Call) -> bytes:
    """A conversation's request as a chat completion. Raises `CallerFault` for what can't be said so."""
    reader = hearing(call.api.dialect)
    if reader is None:
        raise CallerFault("unsupported", "This dialect's requests can't be read.")
    plain = Deployment(id="", provider="", model=call.model, origin=_NOWHERE)
    return openai_chat.write_request(reader.read_request(call.fields), plain, streamed=False).data


def message_of(call: Call, answer: Attempt) -> bytes | None:
    """The assistant's message that a caller got, as JSON; None for one that teaches nothing."""
    if call.api.dialect == FORM and call.is_streamed:
        return streamed_message([payload(frame) for frame in answer.taken or ()])
    if call.api.dialect == FORM and answer.translated is None:
        return whole_message(answer.parts[0])
    completion = _streamed(call, answer) if call.is_streamed else completion_of(answer)
    if completion is None:
        return None
    return whole_message(openai_chat.write_completion(completion, asked_of(call), None))


def completion_of(answer: Attempt) -> Completion | None:
    """A whole answer's meaning; None if it can't be read."""
    if answer.translated is not None:
        return answer.translated.completion
    reader = speaking(answer.deployment.dialect)
    try:
        return reader.read_completion(answer.parts[0]) if reader is not None else None
    except Fault:
        return None


def text_of(answer: Attempt) -> str | None:
    """A whole answer's text; None if it has none."""
    if not answer.parts:
        return None
    if answer.deployment.dialect == FORM:
        return said_whole(answer.parts[0])
    completion = completion_of(answer)
    if completion is None:
        return None
    texts = [part.text for part in completion.parts if isinstance(part, Text)]
    return "".join(texts) if texts else None


def _streamed(call: Call, answer: Attempt) -> Completion | None:
    """What the caller got frame by frame, read as its own dialect's provider would be."""
    side = speaking(call.api.dialect)
    if side is None:
        return None
    reader, gathered = side.stream_reader(), Gathered()
    try:
        for frame in answer.taken or ():
            data = payload(frame)
            for delta in reader.feed(data) if data else ():
                gathered.add(delta)
        for delta in reader.finish():
            gathered.add(delta)
        return gathered.completion()
    except Fault:
        return None


class _Message(msgspec.Struct):
    content: Any = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    delta: _Message | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] = []


_decode = msgspec.json.Decoder(_Answer).decode


def said_whole(body: bytes) -> str | None:
    """The text of a whole chat answer's first choice; None if it is no text."""
    message = _first(body).message
    return message.content if message is not None and isinstance(message.content, str) else None


def said_in_frames(frames: bytes) -> str | None:
    """The text of a chat stream's first choices; None if it has none."""
    pieces = []
    for frame in frames.split(b"\n\n"):
        data = payload(frame)
        delta = _first(data).delta if data and data != b"[DONE]" else None
        if delta is not None and isinstance(delta.content, str):
            pieces.append(delta.content)
    return "".join(pieces) if pieces else None


def _first(data: bytes) -> _Choice:
    try:
        choices = _decode(data).choices
    except (json.DecodeError, RecursionError):
        return _Choice()
    return choices[0] if choices else _Choice()
