"""The scripted upstream's answers as Cohere's chat gives them, version 2.

Written from the API reference, apart from our own dialect, so that each can be held against the other.
Source: Cohere API reference (POST /v2/chat, its stream events, errors) and the types of its SDK, 2026-11.
"""

from __future__ import annotations

from typing import Any

from wicket.upstream.scripted_content import Call, Content, Frame, Refused
from wicket.upstream.scripted_script import pieces
from wicket.wire.json import encode

STREAM_TYPE = "text/event-stream"
END = b"data: [DONE]\n\n"
_FINISHES = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}
_FRAME = 5.0  # tokens of the prompt's own frame, which are not billed


def answer(content: Content) -> dict[str, Any]:
    """A whole answer. What it thought is its plan where it calls tools."""
    message: dict[str, Any] = {"role": "assistant"}
    items: list[dict[str, str]] = []
    if content.reasoning and content.calls:
        message["tool_plan"] = content.reasoning
    elif content.reasoning:
        items.append({"type": "thinking", "thinking": content.reasoning})
    if content.calls:
        message["tool_calls"] = [_call(call) for call in content.calls]
    if content.text or content.refusal:
        items.append({"type": "text", "text": content.text or content.refusal})
    if items:
        message["content"] = items
    return {"id": f"chat-{content.id}", "message": message, **_end(content)}


def frames(content: Content) -> list[Frame]:
    """A stream's events. Contents and calls are counted apart."""
    found: list[Frame] = []

    def add(kind: str, message: dict[str, Any] | None, index: int | None = None, *, is_token: bool) -> None:
        place = {} if index is None else {"index": index}
        told = {} if message is None else {"delta": {"message": message}}
        found.append((_event({"type": kind, **place, **told}), is_token))

    def add_content(kind: str, said: str, index: int) -> None:
        add("content-start", {"content": {"type": kind, kind: ""}}, index, is_token=False)
        for piece in pieces(said):
            add("content-delta", {"content": {kind: piece}}, index, is_token=True)
        add("content-end", None, index, is_token=False)

    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    begun = {"id": f"chat-{content.id}", "type": "message-start", "delta": {"message": start}}
    found.append((_event(begun), False))
    for piece in pieces(content.reasoning) if content.calls else ():
        add("tool-plan-delta", {"tool_plan": piece}, is_token=True)
    index = 0
    if content.reasoning and not content.calls:
        add_content("thinking", content.reasoning, index)
        index += 1
    if content.text or content.refusal:
        add_content("text", content.text or content.refusal, index)
    for number, call in enumerate(content.calls):
        add("tool-call-start", {"tool_calls": _call(call, arguments="")}, number, is_token=True)
        for piece in pieces(call.arguments):
            told = {"tool_calls": {"function": {"arguments": piece}}}
            add("tool-call-delta", told, number, is_token=True)
        add("tool-call-end", None, number, is_token=False)
    ended = {"type": "message-end", "delta": _end(content)}
    return [*found, (_event(ended), False)]


def fault(status: int, message: str) -> Refused:
    """An error's status and body."""
    message = "invalid api token" if status == 401 else message
    return Refused(status, {"id": "7d0e0e0a-5c41-4d0b-9c3e-000000000000", "message": message})


def fault_frame(message: str) -> bytes:
    """An error inside a stream: it ends there, for a reason that is none."""
    return _event({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": message}})


def broken_frame() -> bytes:
    """A frame that is no JSON."""
    return b'event: content-delta\ndata: {"type": "content-del\n\n'


def models(names: tuple[str, ...]) -> dict[str, Any]:
    """The list of models."""
    return {"models": [{"name": name, "endpoints": ["chat"], "features": ["tools"]} for name in names]}


def _call(call: Call, arguments: str | None = None) -> dict[str, Any]:
    said = call.arguments if arguments is None else arguments
    return {
        "id": f"{call.name}_{call.id}",
        "type": "function",
        "function": {"name": call.name, "arguments": said},
    }


def _end(content: Content) -> dict[str, Any]:
    ended: dict[str, Any] = {
        "finish_reason": _FINISHES.get(content.finish_reason, content.finish_reason),
    }
    if content.is_counted:
        billed = {"input_tokens": content.input_tokens, "output_tokens": content.output_tokens}
        tokens = {"input_tokens": content.input_tokens + _FRAME, "output_tokens": content.output_tokens}
        ended["usage"] = {"billed_units": billed, "tokens": tokens, "cached_tokens": 0}
    return ended


def _event(event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encode(event))
