"""A broken answer as something that can be continued: which ones, how it is asked for, how the parts meet.

Pure. A continuation is asked for with the answer so far as a trailing assistant message ("prefill"). What may
be continued is plain text: one choice, no tool call, no reasoning, no prescribed form.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from wicket.wire import json
from wicket.wire.fields import Fields
from wicket.wire.sse import payload

LEAST_ECHO = 16  # characters: a shorter answer may well say the same again
_LIMITS = ("max_tokens", "max_completion_tokens")


class _Delta(msgspec.Struct):
    content: Any = None
    tool_calls: Any = None
    function_call: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    audio: Any = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    index: int = 0


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None


class _Format(msgspec.Struct):
    type: str = ""


class _Message(msgspec.Struct):
    role: str = ""


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_format = msgspec.json.Decoder(_Format | None).decode
_decode_messages = msgspec.json.Decoder(list[_Message]).decode
_decode_count = msgspec.json.Decoder(float | None).decode
_decode_flag = msgspec.json.Decoder(bool | None).decode


def can_be_continued(fields: Fields) -> bool:
    """Whether a request asks for one plain text, and has not begun the answer itself."""
    try:
        wanted = _decode_count(fields["n"]) if "n" in fields else 1
        form = _decode_format(fields["response_format"]) if "response_format" in fields else None
        has_scores = _decode_flag(fields["logprobs"]) if "logprobs" in fields else False
        messages = _decode_messages(fields["messages"])
    except (msgspec.DecodeError, KeyError):
        return False
    is_plain = form is None or form.type == "text"
    return wanted in (None, 1) and is_plain and not has_scores and messages[-1].role in ("user", "tool")


def text_of(frames: Iterable[bytes]) -> str | None:
    """What a stream's frames have said; None if that was anything but one choice's text."""
    pieces: list[str] = []
    for frame in frames:
        data = payload(frame)
        if not data:
            continue
        try:
            choices = _decode_chunk(data).choices or ()
        except msgspec.DecodeError:
            return None
        for choice in choices:
            delta = choice.delta or _Delta()
            others = (delta.tool_calls, delta.function_call, delta.refusal, delta.reasoning, delta.audio)
            if choice.index or any(others) or delta.reasoning_content:
                return None
            if isinstance(delta.content, str):
                pieces.append(delta.content)
            elif delta.content is not None:
                return None
    return "".join(pieces)


def id_of(frames: Iterable[bytes]) -> str:
    """The id that a stream's first frame gave the answer, "" for none."""
    for frame in frames:
        data = payload(frame)
        if data:
            found = json.decode(data).get("id")
            return found if isinstance(found, str) else ""
    return ""


def has_room(fields: Fields, num_tokens: int) -> bool:
    """Whether the request's own limit leaves any token after so many."""
    return all(limit is None or limit > num_tokens for limit in _limits(fields).values())


def fields_to_continue(fields: Fields, said: str, num_tokens: int) -> Fields:
    """The request with the answer so far behind its messages, and its limit less so many tokens.

    White space at the end is left out: Anthropic refuses it there (their API reference, "prefill").
    """
    changed = dict(fields)
    message = json.encode({"role": "assistant", "content": said.rstrip()})
    changed["messages"] = msgspec.Raw(bytes(fields["messages"]).rstrip()[:-1] + b"," + message + b"]")
    for name, limit in _limits(fields).items():
        if limit is not None:
            changed[name] = msgspec.Raw(b"%d" % (int(limit) - num_tokens))
    return changed


def _limits(fields: Fields) -> dict[str, float | None]:
    return {name: _decode_count(fields[name]) for name in _LIMITS if name in fields}


class Seam:
    """Where the parts of an answer meet: what the second one repeats of the first is left out.

    That is white space at the first one's end, and the whole first part of a model that says it again.
    """

    def __init__(self, said: str) -> None:
        self._said = said.rstrip()
        self._tail = said[len(self._said) :]
        self._held = ""
        self._is_past = False

    def take(self, text: str, *, is_last: bool = False) -> str:
        """What of the second part goes on to the caller; "" while it still could be a repetition."""
        if self._is_past:
            return text
        held = self._held = self._held + text
        is_echo = len(self._said) >= LEAST_ECHO and held.startswith(self._said)
        could_echo = len(self._said) >= LEAST_ECHO and self._said.startswith(held)
        new = held[len(self._said) :] if is_echo else held
        could_be_tail = len(new) < len(self._tail) and self._tail.startswith(new)
        if not is_last and (could_be_tail or (could_echo and not is_echo)):
            return ""
        self._is_past = True
        same = 0
        while same < min(len(new), len(self._tail)) and new[same] == self._tail[same]:
            same += 1
        return new[same:]
