"""The scripted upstream's answers as Amazon Bedrock's Converse gives them, streams as binary messages.

Written from the API reference, apart from our own dialect, so that each can be held against the other.
Source: API reference of Amazon Bedrock Runtime (Converse, ConverseStream), "Event stream encoding", 2026-11.
"""

from __future__ import annotations

import json as _json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from wicket.upstream.scripted_content import Content, Frame, Refused
from wicket.upstream.scripted_script import pieces
from wicket.wire.json import encode

STREAM_TYPE = "application/vnd.amazon.eventstream"
END = b""  # the metadata are the last event
_FINISHES = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
}
_EXCEPTIONS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}
_STRING = 7  # the type of a header whose value is text


def answer(content: Content) -> dict[str, Any]:
    """A whole answer."""
    message = {"role": "assistant", "content": [block for block, _ in _blocks(content)]}
    return {
        "metrics": {"latencyMs": 42},
        "output": {"message": message},
        "stopReason": _finish(content),
        "usage": _usage(content),
    }


def frames(content: Content) -> list[Frame]:
    """A stream's events. A text's block has no start."""
    found: list[Frame] = [(_event("messageStart", {"role": "assistant"}), False)]
    for index, (block, deltas) in enumerate(_blocks(content)):
        place = {"contentBlockIndex": index}
        if "toolUse" in block:
            start = {name: block["toolUse"][name] for name in ("name", "toolUseId")}
            found.append((_event("contentBlockStart", {**place, "start": {"toolUse": start}}), False))
        for delta, is_token in deltas:
            found.append((_event("contentBlockDelta", {**place, "delta": delta}), is_token))
        found.append((_event("contentBlockStop", place), False))
    found.append((_event("messageStop", {"stopReason": _finish(content)}), False))
    told = {"usage": _usage(content)} if content.is_counted else {}
    return [*found, (_event("metadata", {"metrics": {"latencyMs": 42}, **told}), False)]


def fault(status: int, message: str) -> Refused:
    """An error: its name stands in a header. A bad key is a 403 here."""
    if status == 401:
        message = "The security token included in the request is invalid."
    headers = {"x-amzn-errortype": _EXCEPTIONS.get(status, "InternalServerException")}
    return Refused(403 if status == 401 else status, {"message": message}, headers)


def fault_frame(message: str) -> bytes:
    """An error inside a stream."""
    return _message({"exception-type": "serviceUnavailableException"}, {"message": message}, "exception")


def broken_frame() -> bytes:
    """A message whose checksum is wrong."""
    whole = _event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "x"}})
    return whole[:-1] + bytes([whole[-1] ^ 1])


def models(names: tuple[str, ...]) -> dict[str, Any]:
    """The list of models, as `ListFoundationModels` gives it at Bedrock's other address."""
    return {"modelSummaries": [{"modelId": name, "modelName": name} for name in names]}


def _finish(content: Content) -> str:
    return _FINISHES.get(content.finish_reason, content.finish_reason)


def _usage(content: Content) -> dict[str, int]:
    total = content.input_tokens + content.output_tokens
    return {
        "inputTokens": content.input_tokens,
        "outputTokens": content.output_tokens,
        "totalTokens": total,
    }


def _blocks(content: Content) -> Iterator[tuple[dict[str, Any], list[tuple[dict[str, Any], bool]]]]:
    """Each block whole, and the deltas that it streams as, with what counts as a token."""
    if content.reasoning:
        said = {"text": content.reasoning}
        told = {**said, "signature": content.signature} if content.signature else said
        deltas = [({"reasoningContent": {"text": one}}, True) for one in pieces(content.reasoning)]
        sealed = ({"reasoningContent": {"signature": content.signature}}, False)
        yield (
            {"reasoningContent": {"reasoningText": told}},
            [*deltas, sealed] if content.signature else deltas,
        )
    words = content.text or content.refusal
    if words:
        yield {"text": words}, [({"text": one}, True) for one in pieces(words)]
    for call in content.calls:
        use = {"toolUseId": f"tooluse_{call.id}", "name": call.name, "input": _json.loads(call.arguments)}
        parts = ["", *pieces(call.arguments)]
        yield {"toolUse": use}, [({"toolUse": {"input": one}}, True) for one in parts]


def _event(kind: str, payload: dict[str, Any]) -> bytes:
    """An event; `p` is padding, so that sizes tell nothing."""
    return _message({"event-type": kind}, {**payload, "p": "abcdefghijklm"[: 1 + len(payload)]}, "event")


def _message(kind: dict[str, str], payload: dict[str, Any], message_type: str) -> bytes:
    """Lengths and their checksum, headers, payload, the checksum of all that."""
    fields = {**kind, "content-type": "application/json", "message-type": message_type}
    headers = b"".join([_header(f":{name}", value) for name, value in fields.items()])
    body = encode(payload)
    lengths = struct.pack(">II", 12 + len(headers) + len(body) + 4, len(headers))
    data = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + body
    return data + struct.pack(">I", zlib.crc32(data))


def _header(name: str, value: str) -> bytes:
    written = value.encode()
    return bytes([len(name)]) + name.encode() + struct.pack(">BH", _STRING, len(written)) + written
