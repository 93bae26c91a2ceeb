"""What an engine produced, as OpenAI's objects and chunks. Pure.

Shapes follow OpenAI's API reference; its SDKs' parsing and streaming helpers are the tests' judges.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from wicket.engines.contract import Done, TokenLogprob
from wicket.engines.host.calls import CallArguments, CallStart, Delta, Text
from wicket.errors import Fault
from wicket.wire import json

DONE = b"data: [DONE]\n\n"
Spell = Callable[[int], bytes]


class Stamp(msgspec.Struct, frozen=True):
    """What every object of one answer carries."""

    id: str
    created: int
    model: str
    fingerprint: str


class PromptDetails(msgspec.Struct, frozen=True):
    """Of the prompt's tokens, those that came from the prefix cache."""

    cached_tokens: int = 0


class Usage(msgspec.Struct, frozen=True):
    """Counts in tokens; with several choices the prompt counts once."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


def usage(prompts: Sequence[Sequence[Done]]) -> Usage:
    """The sum over prompts of their choices."""
    prompt = sum(choices[0].prompt_tokens for choices in prompts)
    cached = sum(choices[0].cached_tokens for choices in prompts)
    output = sum(done.output_tokens for choices in prompts for done in choices)
    return Usage(prompt, output, prompt + output, PromptDetails(cached))


def finish_reason(done: Done, num_calls: int) -> str:
    """OpenAI's name for how a generation ended."""
    return "tool_calls" if num_calls and done.finish_reason == "stop" else done.finish_reason


def chat_logprobs(entries: Sequence[TokenLogprob], spell: Spell) -> dict[str, Any]:
    """`choices[].logprobs` of a chat answer."""
    content = [
        {**_spelled(entry.token_id, entry.logprob, spell), "top_logprobs": _tops(entry, spell)}
        for entry in entries
    ]
    return {"content": content, "refusal": None}


def _tops(entry: TokenLogprob, spell: Spell) -> list[dict[str, Any]]:
    return [_spelled(token, logprob, spell) for token, logprob in entry.top]


def _spelled(token: int, logprob: float, spell: Spell) -> dict[str, Any]:
    raw = spell(token)
    return {"token": raw.decode(errors="replace"), "logprob": logprob, "bytes": list(raw)}


def completion_logprobs(
    entries: Sequence[TokenLogprob], spell: Spell, *, offset: int = 0, is_first: bool = False
) -> dict[str, Any]:
    """`choices[].logprobs` of a text completion; `is_first`: the first token has nothing before it."""
    tokens = [spell(entry.token_id).decode(errors="replace") for entry in entries]
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token)
    logprobs: list[float | None] = [entry.logprob for entry in entries]
    tops: list[dict[str, float] | None] = [
        {spell(token).decode(errors="replace"): logprob for token, logprob in entry.top} for entry in entries
    ]
    if is_first and entries:
        logprobs[0] = tops[0] = None
    return {"tokens": tokens, "token_logprobs": logprobs, "top_logprobs": tops, "text_offset": offsets}


class Choice:
    """One choice of a whole chat answer, collected from deltas."""

    def __init__(self, call_id: Callable[[], str]) -> None:
        self._call_id = call_id
        self._text: list[str] = []
        self._calls: list[dict[str, Any]] = []
        self.logprobs: list[TokenLogprob] = []

    def add(self, deltas: Sequence[Delta]) -> None:
        """Take deltas in."""
        for delta in deltas:
            if isinstance(delta, Text):
                self._text.append(delta.text)
            elif isinstance(delta, CallStart):
                function = {"name": delta.name, "arguments": ""}
                self._calls.append({"id": self._call_id(), "type": "function", "function": function})
            else:
                self._calls[delta.index]["function"]["arguments"] += delta.text

    @property
    def message(self) -> dict[str, Any]:
        """The assistant's message."""
        text = "".join(self._text)
        content = None if self._calls and not text.strip() else text
        message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
        if self._calls:
            message["tool_calls"] = self._calls
        return message


def chat_choice(index: int, choice: Choice, reason: str, logprobs: dict[str, Any] | None) -> dict[str, Any]:
    """One entry of a chat answer's `choices`."""
    return {"index": index, "message": choice.message, "logprobs": logprobs, "finish_reason": reason}


def text_choice(index: int, text: str, reason: str, logprobs: dict[str, Any] | None) -> dict[str, Any]:
    """One entry of a completion's `choices`."""
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}


def whole(stamp: Stamp, kind: str, choices: Sequence[dict[str, Any]], used: Usage) -> bytes:
    """A whole answer; `kind` is its `object`."""
    return json.encode({**_head(stamp, kind), "choices": choices, "usage": used})


def _head(stamp: Stamp, kind: str) -> dict[str, Any]:
    return {
        "id": stamp.id,
        "object": kind,
        "created": stamp.created,
        "model": stamp.model,
        "system_fingerprint": stamp.fingerprint,
    }


class Chunks:
    """Writes one stream's frames. What every frame shares is encoded once: that is most of its bytes."""

    def __init__(self, stamp: Stamp, kind: str, *, has_usage: bool) -> None:
        self._head = json.encode(_head(stamp, kind))[:-1]
        self._tail = b',"usage":null}\n\n' if has_usage else b"}\n\n"

    def frame(self, choice: dict[str, Any]) -> bytes:
        """One choice's news."""
        return b'data: %b,"choices":[%b]%b' % (self._head, json.encode(choice), self._tail)

    def usage(self, used: Usage) -> bytes:
        """The last frame before the end, with no choices in it."""
        return b'data: %b,"choices":[],"usage":%b}\n\n' % (self._head, json.encode(used))


def chat_delta(
    index: int, delta: dict[str, Any], reason: str | None = None, logprobs: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One entry of a chat chunk's `choices`."""
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}


def delta_fields(delta: Delta, call_id: Callable[[], str]) -> dict[str, Any]:
    """A delta as a chunk's `delta`."""
    if isinstance(delta, Text):
        return {"content": delta.text}
    if isinstance(delta, CallArguments):
        return {"tool_calls": [{"index": delta.index, "function": {"arguments": delta.text}}]}
    function = {"name": delta.name, "arguments": ""}
    return {"tool_calls": [{"index": delta.index, "id": call_id(), "type": "function", "function": function}]}


def embeddings(vectors: Sequence[Sequence[float]], model: str, tokens: int, *, is_base64: bool) -> bytes:
    """The answer of /v1/embeddings; base64 holds little-endian 32-bit floats, as OpenAI's SDK asks for."""
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if is_base64 else vector}
        for index, vector in enumerate(vectors)
    ]
    used = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json.encode({"object": "list", "data": data, "model": model, "usage": used})


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def error(fault: Fault) -> bytes:
    """OpenAI's error object."""
    fields = {"message": fault.message, "type": fault.kind, "param": fault.param, "code": fault.code}
    return json.encode({"error": fields})


def error_frame(fault: Fault) -> bytes:
    """An error in a stream that has begun; no `[DONE]` follows it."""
    return b"data: %b\n\n" % error(fault)
