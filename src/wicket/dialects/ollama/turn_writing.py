"""Turns as Ollama's messages: content is one string, pictures are bare base64 beside it.

Source: `Message`, `ToolCall` in Ollama's `api/types.go`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from wicket.dialects.hub import (
    Media,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    unsayable,
)
from wicket.dialects.ollama.answers import ORIGIN
from wicket.dialects.saying import arguments_of
from wicket.errors import CallerFault

Message = dict[str, Any]
_THOUGHT_HERE = frozenset({ORIGIN, "openai_chat"})  # unsealed: what the same model told through our callers


def write_turns(turns: list[Turn], dropped: list[str]) -> list[Message]:
    """All messages, in order. Raises `CallerFault` for what has no word here."""
    messages: list[Message] = []
    names: dict[str, str] = {}  # call id → function, as the history tells it
    for turn in turns:
        if turn.name:
            dropped.append(f"{turn.path}.name")
        if turn.role == "tool":
            messages += [_result(part, names, dropped) for part in turn.parts]
        elif turn.role == "assistant":
            messages.append(_answer(turn, names, dropped))
        else:
            messages.append({"role": turn.role, **_content(turn.parts, dropped)})
    if not messages:
        raise CallerFault("invalid_value", "There is no message to answer.", param=None)
    return messages


def _content(parts: Iterable[Part], dropped: list[str]) -> Message:
    texts: list[str] = []
    images: list[str] = []
    for part in parts:
        if part.cache is not None:
            dropped.append(f"{part.path}.cache_control")
        if isinstance(part, Text | Refusal) or (isinstance(part, Media) and part.text):
            texts.append(part.text)
        elif isinstance(part, Media):
            images.append(_image(part, dropped))
        else:
            raise unsayable(part.path)
    return {"content": "\n".join(texts), **({"images": images} if images else {})}


def _image(part: Media, dropped: list[str]) -> str:
    if part.kind != "image":
        raise unsayable(part.path, f"it reads texts and pictures, no {part.kind}")
    if not part.data:
        raise unsayable(part.path, "it reads no addresses; send the data itself, in base64")
    if part.detail not in ("", "auto"):
        dropped.append(f"{part.path}.detail")
    return part.data


def _answer(turn: Turn, names: dict[str, str], dropped: list[str]) -> Message:
    said: list[Part] = []
    calls: list[Message] = []
    thoughts: list[str] = []
    for part in turn.parts:
        match part:
            case ToolCall():
                names[part.id] = part.name
                calls.append(_call(part, len(calls), dropped))
            case Thinking() if part.origin in _THOUGHT_HERE and part.text and not part.is_redacted:
                thoughts.append(part.text)
            case Thinking():
                dropped.append(part.path)
            case _:
                if isinstance(part, Text) and part.annotations is not None:
                    dropped.append(f"{part.path}.annotations")
                said.append(part)
    message: Message = {"role": "assistant", **_content(said, dropped)}
    if thoughts:
        message["thinking"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    return message


def _call(part: ToolCall, number: int, dropped: list[str]) -> Message:
    if part.signature:
        dropped.append(f"{part.path}.signature")
    if part.cache is not None:
        dropped.append(f"{part.path}.cache_control")
    text = arguments_of(part)
    function = {"index": number, "name": part.name, "arguments": msgspec.Raw(text.encode())}
    return {"id": part.id, "function": function}


def _result(part: Part, names: dict[str, str], dropped: list[str]) -> Message:
    if not isinstance(part, ToolResult):
        raise unsayable(part.path)
    if part.is_error:
        dropped.append(f"{part.path}.is_error")
    if part.cache is not None:
        dropped.append(f"{part.path}.cache_control")
    message: Message = {"role": "tool", **_content(part.parts, dropped), "tool_call_id": part.id}
    name = part.name or names.get(part.id, "")
    return {**message, "tool_name": name} if name else message
