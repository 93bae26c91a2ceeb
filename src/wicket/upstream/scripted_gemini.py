"""The scripted upstream's answers as Gemini's generateContent gives them.

Written from the API reference, apart from our own dialect, so that each can be held against the other.
Source: ai.google.dev/api (generate-content, models), google.rpc.Status, 2026-11.
"""

from __future__ import annotations

import json as _json
from typing import Any

from wicket.upstream.scripted_content import Content, Frame, Refused
from wicket.upstream.scripted_script import pieces
from wicket.wire.json import encode

STREAM_TYPE = "text/event-stream; charset=utf-8"
END = b""
_FINISHES = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


def answer(content: Content) -> dict[str, Any]:
    """A whole answer."""
    texts = _texts(content.text or content.refusal)
    if texts:
        texts[-1] |= _seal(content)
    parts = _thoughts(content, content.reasoning) + texts + _calls(content)
    return _chunk(content, parts, is_last=True)


def frames(content: Content) -> list[Frame]:
    """A stream's chunks: calls come whole, the last one has the finish reason."""
    parts = [part for piece in pieces(content.reasoning) for part in _thoughts(content, piece)]
    parts += [part for piece in pieces(content.text or content.refusal) for part in _texts(piece)]
    parts += _calls(content)
    found = [(_sse(_chunk(content, [part], is_last=False)), True) for part in parts]
    last = {"text": "", **_seal(content)}
    return [*found, (_sse(_chunk(content, [last], is_last=True)), False)]


def fault(status: int, message: str) -> Refused:
    """An error's status and body. A bad key is a 400 here."""
    if status == 401:
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
        text = "API key not valid. Please pass a valid API key."
        error = {"code": 400, "message": text, "status": _STATUSES[400], "details": details}
        return Refused(400, {"error": error})
    kind = _STATUSES.get(status, "INTERNAL")
    return Refused(status, {"error": {"code": status, "message": message, "status": kind}})


def fault_frame(message: str) -> bytes:
    """An error inside a stream."""
    return _sse({"error": {"code": 503, "message": message, "status": "UNAVAILABLE"}})


def broken_frame() -> bytes:
    """A frame that is no JSON."""
    return b'data: {"candidates": [{"con\n\n'


def models(names: tuple[str, ...]) -> dict[str, Any]:
    """The list of models."""
    return {"models": [{"name": f"models/{name}", "version": "1", "displayName": name} for name in names]}


def _sse(chunk: dict[str, Any]) -> bytes:
    return b"data: " + encode(chunk) + b"\r\n\r\n"


def _chunk(content: Content, parts: list[dict[str, Any]], *, is_last: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if is_last:
        candidate["finishReason"] = _FINISHES.get(content.finish_reason, content.finish_reason)
    chunk: dict[str, Any] = {"candidates": [candidate]}
    if content.is_counted:
        chunk["usageMetadata"] = _usage(content)
    return {**chunk, "modelVersion": content.model, "responseId": content.id}


def _usage(content: Content) -> dict[str, int]:
    usage = {
        "promptTokenCount": content.input_tokens,
        "candidatesTokenCount": content.output_tokens - content.reasoning_tokens,
        "totalTokenCount": content.input_tokens + content.output_tokens,
    }
    return {**usage, "thoughtsTokenCount": content.reasoning_tokens} if content.reasoning_tokens else usage


def _thoughts(content: Content, text: str) -> list[dict[str, Any]]:
    return [{"text": text, "thought": True}] if text else []


def _texts(text: str) -> list[dict[str, Any]]:
    return [{"text": text}] if text else []


def _seal(content: Content) -> dict[str, str]:
    """An answer without calls has its signature on its last text."""
    is_on_call = bool(content.calls) or not content.signature
    return {} if is_on_call else {"thoughtSignature": content.signature}


def _calls(content: Content) -> list[dict[str, Any]]:
    """The first of several calls carries the signature of them all."""
    parts: list[dict[str, Any]] = []
    for index, call in enumerate(content.calls):
        part: dict[str, Any] = {"functionCall": {"name": call.name, "args": _json.loads(call.arguments)}}
        if content.signature and index == 0:
            part["thoughtSignature"] = content.signature
        parts.append(part)
    return parts
