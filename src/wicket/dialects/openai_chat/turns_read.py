"""The turns of a request.

Source: OpenAI API reference, "messages"; the additions of DeepSeek, OpenRouter and Gemini's compatible path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wicket.dialects.hub import Foreign, Part, Refusal, Text, Thinking, ToolCall, ToolResult, Turn
from wicket.dialects.openai_chat.content import ORIGIN, read_content
from wicket.dialects.openai_chat.thoughts import thinking_of
from wicket.wire import json
from wicket.wire.node import Node, wrong_value

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def read_turns(messages: Sequence[Node], unread: list[str]) -> list[Turn]:
    """All turns; results of tools that follow one another stand in one. Raises `CallerFault`."""
    turns: list[Turn] = []
    legacy: dict[str, str] = {}  # a function's name → the id made up for its last call
    for index, message in enumerate(messages):
        role = message.needed_text("role")
        if role in ("tool", "function"):
            result = _result(message, role, legacy, unread)
            if turns and turns[-1].role == "tool":
                turns[-1].parts.append(result)
            else:
                turns.append(Turn(role="tool", parts=[result], path=message.path))
        elif role in _ROLES:
            turns.append(_turn(message, _ROLES[role], unread, legacy, index))
        else:
            raise wrong_value(message.at("role"), "must be system, developer, user, assistant or tool")
        unread += message.left_paths()
    return turns


def _turn(message: Node, role: str, unread: list[str], legacy: dict[str, str], index: int) -> Turn:
    parts = read_content(message, unread)
    if role == "assistant":
        parts = [*_thoughts(message), *parts, *_said_otherwise(message, unread)]
        calls = _calls(message, unread)
        function = message.node("function_call")
        if function is not None:
            call = ToolCall(
                origin=ORIGIN, path=function.path, id=f"call_{index}", name=function.needed_text("name")
            )
            call.arguments = function.text("arguments") or "{}"
            legacy[call.name] = call.id
            calls.append(call)
        parts += calls
        _seal(parts)
        _disown(parts)
        _cite(message, parts)
    elif message.raw("content") is None:
        message.needed_text("content")
    cache = message.raw("cache_control")
    if cache is not None and parts:
        parts[-1].cache = cache
    return Turn(role=role, parts=parts, name=message.text("name") or "", path=message.path)


def _thoughts(message: Node) -> list[Part]:
    text = message.text("reasoning_content") or message.text("reasoning") or ""
    message.take("reasoning")
    message.take("prefix")  # Mistral's: the last message is gone on with, as it is everywhere
    details = message.nodes("reasoning_details")
    found: list[Part] = []
    for number, node in enumerate(details or ()):
        value: dict[str, Any] = message.any("reasoning_details")[number]
        part = thinking_of(value, node.path)
        found.append(part or Foreign(origin=ORIGIN, path=node.path, kind="reasoning"))
        found[-1].raw = message.items("reasoning_details")[number]  # type: ignore[index]
    if not found and text:
        return [Thinking(origin=ORIGIN, path=message.at("reasoning_content"), text=text)]
    texts = [part for part in found if isinstance(part, Thinking) and not part.is_redacted]
    if len(texts) == 1 and not texts[0].text:
        texts[0].text = text
    return found


def _said_otherwise(message: Node, unread: list[str]) -> list[Part]:
    """A refusal beside the content, and an earlier spoken answer, which its own provider only can find."""
    refusal = message.text("refusal")
    audio = message.node("audio")
    if audio is not None:
        unread.append(audio.path)
    return [Refusal(origin=ORIGIN, path=message.at("refusal"), text=refusal)] if refusal else []


def _calls(message: Node, unread: list[str]) -> list[Part]:
    found: list[Part] = []
    items = message.items("tool_calls") or []
    for raw, node in zip(items, message.nodes("tool_calls") or (), strict=True):
        name = node.text("type") or "function"
        if name != "function":
            found.append(Foreign(origin=ORIGIN, path=node.path, raw=raw, kind=name))
            continue
        function = node.node("function")
        if function is None:
            raise wrong_value(node.at("function"), "is required")
        node.take("index")
        found.append(
            ToolCall(
                origin=ORIGIN,
                path=node.path,
                id=node.needed_text("id"),
                name=function.needed_text("name"),
                arguments=function.text("arguments") or "{}",
                raw=raw,
            )
        )
        signature = google_seal(node.any("extra_content"))
        if signature:
            found[-1].origin, found[-1].signature = "gemini", signature
        unread += node.left_paths() + function.left_paths()
    return found


def google_seal(extra: Any) -> str:
    """`extra_content.google.thought_signature` of a tool call, as Gemini's compatible path has it; or ""."""
    google = extra.get("google") if isinstance(extra, dict) else None
    seal = google.get("thought_signature") if isinstance(google, dict) else None
    return seal if isinstance(seal, str) else ""


def _seal(parts: list[Part]) -> None:
    """OpenRouter keeps the seal of a call in a detail that has the call's id."""
    calls = {part.id: part for part in parts if isinstance(part, ToolCall) and part.id}
    for part in list(parts):
        if (
            isinstance(part, Thinking)
            and part.is_redacted
            and part.origin == "gemini"
            and part.raw is not None
        ):
            call = calls.get(str(json.decode(part.raw).get("id", "")))
            if call is not None:
                call.origin, call.signature = "gemini", part.signature
                parts.remove(part)


def _disown(parts: list[Part]) -> None:
    """What another family sealed is written in our words here: that family must not take them for its own."""
    for part in parts:
        if part.origin != ORIGIN:
            part.raw = None


def _cite(message: Node, parts: list[Part]) -> None:
    annotations = message.raw("annotations")
    texts = [part for part in parts if isinstance(part, Text)]
    if annotations is not None and bytes(annotations) != b"[]" and texts:
        texts[-1].annotations = annotations


def _result(message: Node, role: str, legacy: dict[str, str], unread: list[str]) -> Part:
    name = message.text("name") or ""
    if role == "function":
        found = legacy.get(message.needed_text("name"))
        if found is None:
            raise wrong_value(message.at("name"), "names a function that no earlier message calls")
    else:
        found = message.needed_text("tool_call_id")
    parts = tuple(read_content(message, unread))
    return ToolResult(
        origin=ORIGIN,
        path=message.path,
        id=found,
        name=name,
        parts=parts,
        cache=message.raw("cache_control"),
    )
