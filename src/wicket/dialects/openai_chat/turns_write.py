"""Turns written for a provider of OpenAI's family."""

from __future__ import annotations

from typing import Any

from wicket.dialects.hub import (
    Foreign,
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
from wicket.dialects.openai_chat.content import ORIGIN, write_content, write_part
from wicket.dialects.openai_chat.thoughts import detail_of
from wicket.wire import json
from wicket.wire.quirks import Quirks

Message = dict[str, Any]


def write_turns(turns: list[Turn], quirks: Quirks, dropped: list[str]) -> list[Message]:
    """All messages, in order. Raises `CallerFault` for what has no word here."""
    messages: list[Message] = []
    for turn in turns:
        if turn.role == "tool":
            messages += _results(turn, dropped)
        elif turn.role == "assistant":
            messages.append(_answer(turn, quirks, dropped))
        else:
            content = write_content(turn.parts, dropped, has_cache_marks=quirks.has_cache_marks)
            messages.append({"role": turn.role, "content": content, **_name(turn)})
    return messages


def _name(turn: Turn) -> Message:
    return {"name": turn.name} if turn.name else {}


def _answer(turn: Turn, quirks: Quirks, dropped: list[str]) -> Message:
    texts: list[str] = []
    calls: list[Message] = []
    thoughts: list[Thinking] = []
    message: Message = {"role": "assistant", "content": None, **_name(turn)}
    for part in turn.parts:
        match part:
            case Text(text=text):
                texts.append(text)
                if part.annotations is not None:
                    dropped.append(f"{part.path}.annotations")
            case Refusal(text=text):
                message["refusal"] = text
            case Thinking():
                thoughts.append(part)
            case ToolCall():
                calls.append(write_call(part))
            case Foreign(kind="custom") if part.origin == ORIGIN and part.raw is not None:
                calls.append(json.decode(part.raw))
            case _:
                raise unsayable(part.path)
        if part.cache is not None:
            dropped.append(f"{part.path}.cache_control")
    message |= _thoughts(thoughts, quirks, dropped)
    if texts:
        message["content"] = "".join(texts)
    elif not calls:
        message["content"] = ""
    if calls:
        message["tool_calls"] = calls
    return message


def write_call(part: ToolCall) -> Message:
    """One tool call, with the seal that Gemini wants to see again."""
    call: Message = {
        "id": part.id,
        "type": "function",
        "function": {"name": part.name, "arguments": part.arguments},
    }
    if part.signature and part.origin == "gemini":
        call["extra_content"] = {"google": {"thought_signature": part.signature}}
    return call


def _thoughts(thoughts: list[Thinking], quirks: Quirks, dropped: list[str]) -> Message:
    """Earlier thoughts, for those who take them back; nobody else misses them."""
    if not thoughts:
        return {}
    if quirks.thoughts == "details":
        details = [detail_of(part, index) for index, part in enumerate(thoughts)]
        return {"reasoning_details": details}
    if quirks.thoughts == "content":
        own = [part for part in thoughts if part.text and not part.is_redacted]
        dropped += [part.path for part in thoughts if part not in own]
        dropped += [f"{part.path}.signature" for part in own if part.signature]
        return {"reasoning_content": "".join([part.text for part in own])}
    dropped += [part.path for part in thoughts]
    return {}


def _results(turn: Turn, dropped: list[str]) -> list[Message]:
    """A message each; what is no text follows in a user's message, since a tool's has texts only."""
    messages: list[Message] = []
    shown: list[Message] = []
    for result in turn.parts:
        if not isinstance(result, ToolResult):
            raise unsayable(result.path)
        texts, media = _sorted(result)
        messages.append({"role": "tool", "tool_call_id": result.id, "content": "".join(texts)})
        if media:
            shown.append({"type": "text", "text": f"Beside its text, the result of {result.id} is:"})
            shown += [write_part(part) for part in media]
        if result.is_error:
            dropped.append(f"{result.path}.is_error")
        if any(part.cache is not None for part in (result, *result.parts)):
            dropped.append(f"{result.path}.cache_control")
    if shown:
        messages.append({"role": "user", "content": shown})
    return messages


def _sorted(result: ToolResult) -> tuple[list[str], list[Part]]:
    texts: list[str] = []
    media: list[Part] = []
    for part in result.parts:
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, Media):
            media.append(part)
        else:
            raise unsayable(part.path)
    return texts, media
