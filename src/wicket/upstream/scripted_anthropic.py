"""The scripted upstream's answers as Anthropic's Messages API gives them.

Written from the API reference, apart from our own dialect, so that each can be held against the other.
Source: platform.claude.com/docs (Messages, streaming, errors, models), 2026-11.
"""

from __future__ import annotations

import json as _json
from collections.abc import Iterator
from typing import Any

from wicket.upstream.scripted_content import Content, Frame, Refused
from wicket.upstream.scripted_script import pieces
from wicket.wire.json import encode

STREAM_TYPE = "text/event-stream; charset=utf-8"
END = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_FINISHES = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}
OVERLOADED = 529  # what it answers where others answer 503


def answer(content: Content) -> dict[str, Any]:
    """A whole message."""
    message = _message(content)
    blocks = [block for block, _ in _blocks(content)]
    usage = {"input_tokens": content.input_tokens, "output_tokens": content.output_tokens}
    return {**message, "content": blocks, **_end(content), "usage": usage}


def frames(content: Content) -> list[Frame]:
    """A stream's events."""
    found: list[Frame] = []

    def add(event: dict[str, Any], *, is_token: bool = False) -> None:
        found.append((b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encode(event)), is_token))

    usage = {"input_tokens": content.input_tokens, "output_tokens": 1}
    add({"type": "message_start", "message": {**_message(content), "content": [], "usage": usage}})
    for index, (block, deltas) in enumerate(_blocks(content)):
        place = {"index": index}
        add({"type": "content_block_start", **place, "content_block": _empty(block)})
        if index == 0:
            add({"type": "ping"})
        for delta, is_token in deltas:
            add({"type": "content_block_delta", **place, "delta": delta}, is_token=is_token)
        add({"type": "content_block_stop", **place})
    used = {"usage": {"output_tokens": content.output_tokens}} if content.is_counted else {"usage": {}}
    add({"type": "message_delta", "delta": _end(content), **used})
    return found


def fault(status: int, message: str) -> Refused:
    """An error's status and body."""
    kind = _TYPES.get(status, "api_error")
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_scripted"}
    return Refused(OVERLOADED if status == 503 else status, body)


def fault_frame(message: str) -> bytes:
    """An error inside a stream."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": message}}
    return b"event: error\ndata: " + encode(error) + b"\n\n"


def broken_frame() -> bytes:
    """A frame that is no JSON."""
    return b'event: content_block_delta\ndata: {"type": "content_blo\n\n'


def models(names: tuple[str, ...]) -> dict[str, Any]:
    """The list of models."""
    rows = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2025-11-24T00:00:00Z"}
        for name in names
    ]
    return {"data": rows, "has_more": False, "first_id": names[0], "last_id": names[-1]}


def _message(content: Content) -> dict[str, Any]:
    start = {"id": f"msg_{content.id}", "type": "message", "role": "assistant", "model": content.model}
    return {**start, "stop_reason": None, "stop_sequence": None}


def _end(content: Content) -> dict[str, Any]:
    reason = _FINISHES.get(content.finish_reason, content.finish_reason)
    return {"stop_reason": reason, "stop_sequence": None}


def _blocks(content: Content) -> Iterator[tuple[dict[str, Any], list[tuple[dict[str, Any], bool]]]]:
    """Each block whole, and the deltas that it streams as, with what counts as a token."""
    if content.reasoning:
        block = {"type": "thinking", "thinking": content.reasoning, "signature": content.signature}
        deltas = [({"type": "thinking_delta", "thinking": one}, True) for one in pieces(content.reasoning)]
        sealed = ({"type": "signature_delta", "signature": content.signature}, False)
        yield block, [*deltas, sealed] if content.signature else deltas
    said = content.text or content.refusal
    if said:
        yield (
            {"type": "text", "text": said},
            [({"type": "text_delta", "text": one}, True) for one in pieces(said)],
        )
    for call in content.calls:
        block = {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name}
        first: list[tuple[dict[str, Any], bool]] = [({"type": "input_json_delta", "partial_json": ""}, True)]
        parts = [] if call.arguments == "{}" else pieces(call.arguments)
        deltas = first + [({"type": "input_json_delta", "partial_json": one}, True) for one in parts]
        yield {**block, "input": _json.loads(call.arguments)}, deltas


def _empty(block: dict[str, Any]) -> dict[str, Any]:
    emptied: dict[str, Any] = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {name: emptied.get(name, value) for name, value in block.items()}
