"""The scripted upstream's answers as Ollama's own API gives them: lines of JSON.

Written from the API's documentation, apart from our own dialect, so that each can be held against the other.
Source: Ollama's docs/api.md and api/types.go, 2026-11.
"""

from __future__ import annotations

import json as _json
from typing import Any

from wicket.upstream.scripted_content import Content, Frame, Refused
from wicket.upstream.scripted_script import pieces
from wicket.wire.json import encode

STREAM_TYPE = "application/x-ndjson"
END = b""  # the line with `done` is the last
_FINISHES = {"tool_calls": "stop"}  # its other words are OpenAI's: stop, length
_CREATED_AT = "2025-11-24T16:00:00.000000Z"


def answer(content: Content) -> dict[str, Any]:
    """A whole answer."""
    message: dict[str, Any] = {"role": "assistant", "content": content.text or content.refusal}
    if content.reasoning:
        message["thinking"] = content.reasoning
    if content.calls:
        message["tool_calls"] = _calls(content)
    return {**_line(content, message), **_end(content)}


def frames(content: Content) -> list[Frame]:
    """A stream's lines: calls come whole, counts in the last one."""
    empty: dict[str, Any] = {"role": "assistant", "content": ""}
    messages = [{**empty, "thinking": one} for one in pieces(content.reasoning)]
    messages += [{**empty, "content": one} for one in pieces(content.text or content.refusal)]
    messages += [{**empty, "tool_calls": [call]} for call in _calls(content)]
    found: list[Frame] = [(encode({**_line(content, one), "done": False}) + b"\n", True) for one in messages]
    return [*found, (encode({**_line(content, empty), **_end(content)}) + b"\n", False)]


def fault(status: int, message: str) -> Refused:
    """An error's status and body."""
    return Refused(status, {"error": "unauthorized" if status == 401 else message})


def fault_frame(message: str) -> bytes:
    """An error inside a stream."""
    return encode({"error": message}) + b"\n"


def broken_frame() -> bytes:
    """A line that is no JSON."""
    return b'{"model": "m", "mess\n'


def models(names: tuple[str, ...]) -> dict[str, Any]:
    """The list of models (`/api/tags`)."""
    return {"models": [{"name": name, "model": name, "modified_at": _CREATED_AT} for name in names]}


def _line(content: Content, message: dict[str, Any]) -> dict[str, Any]:
    return {"model": content.model, "created_at": _CREATED_AT, "message": message}


def _calls(content: Content) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id,
            "function": {"index": index, "name": call.name, "arguments": _json.loads(call.arguments)},
        }
        for index, call in enumerate(content.calls)
    ]


def _end(content: Content) -> dict[str, Any]:
    ended: dict[str, Any] = {
        "done": True,
        "done_reason": _FINISHES.get(content.finish_reason, content.finish_reason),
        "total_duration": 42_000_000,
        "load_duration": 1_000_000,
    }
    if content.is_counted:
        ended |= {"prompt_eval_count": content.input_tokens, "eval_count": content.output_tokens}
    return ended
