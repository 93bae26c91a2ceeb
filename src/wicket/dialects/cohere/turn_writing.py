"""Turns as Cohere's messages.

A tool's message holds texts and documents; its user's messages hold texts and pictures. Source: Cohere API
reference, `ChatMessageV2`; "Tool use", "Image inputs", "Reasoning".
"""

from __future__ import annotations

from typing import Any

from wicket.dialects.cohere.answers import ORIGIN
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
from wicket.dialects.saying import arguments_of
from wicket.errors import CallerFault

Message = dict[str, Any]


def write_turns(turns: list[Turn], dropped: list[str]) -> list[Message]:
    """All messages, in order. Raises `CallerFault` for what has no word here."""
    messages: list[Message] = []
    for turn in turns:
        if turn.name:
            dropped.append(f"{turn.path}.name")
        match turn.role:
            case "tool":
                messages += _results(turn, dropped)
            case "assistant":
                message = _answer(turn, dropped)
                if len(message) > 1:
                    messages.append(message)
            case role:
                content = _content(turn.parts, dropped, may_show=role == "user")
                messages.append({"role": role, "content": content})
    if not messages:
        raise CallerFault("invalid_value", "There is no message to answer.", param=None)
    return messages


def _note_mark(part: Part, dropped: list[str]) -> None:
    if part.cache is not None:
        dropped.append(f"{part.path}.cache_control")


def _content(parts: list[Part], dropped: list[str], *, may_show: bool) -> Any:
    """A string where it is nothing but one text."""
    items: list[Message] = []
    for part in parts:
        _note_mark(part, dropped)
        if isinstance(part, Text):
            items.append({"type": "text", "text": part.text})
        elif isinstance(part, Media) and may_show:
            items.append(_media(part))
        else:
            raise unsayable(part.path)
    if len(items) == 1 and items[0]["type"] == "text":
        return items[0]["text"]
    return items or ""


def _media(part: Media) -> Message:
    if part.text:
        return {"type": "text", "text": part.text}
    if part.kind != "image" or part.file_id:
        raise unsayable(part.path, "it reads texts and pictures; send a document's text")
    url = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"
    detail = {"detail": part.detail} if part.detail in ("low", "high", "auto") else {}
    return {"type": "image_url", "image_url": {"url": url, **detail}}


def _answer(turn: Turn, dropped: list[str]) -> Message:
    """The model's own turn. What it thought before its calls is its plan; else it is thinking."""
    message: Message = {"role": "assistant"}
    content: list[Message] = []
    calls: list[Message] = []
    plans: list[str] = []
    has_calls = any(isinstance(part, ToolCall) for part in turn.parts)
    for part in turn.parts:
        _note_mark(part, dropped)
        match part:
            case Text() | Refusal():
                if isinstance(part, Text) and part.annotations is not None:
                    dropped.append(f"{part.path}.annotations")
                if part.text:
                    content.append({"type": "text", "text": part.text})
            case Thinking():
                if part.origin not in (ORIGIN, "openai_chat") or part.is_redacted or not part.text:
                    dropped.append(part.path)
                elif has_calls:
                    plans.append(part.text)
                else:
                    content.append({"type": "thinking", "thinking": part.text})
            case ToolCall():
                calls.append(_call(part, dropped))
            case _:
                raise unsayable(part.path)
    if plans:
        message["tool_plan"] = "".join(plans)
    if calls:
        message["tool_calls"] = calls
    if content:
        is_plain = len(content) == 1 and content[0]["type"] == "text"
        message["content"] = content[0]["text"] if is_plain else content
    return message


def _call(part: ToolCall, dropped: list[str]) -> Message:
    if part.signature:
        dropped.append(f"{part.path}.signature")
    text = arguments_of(part)
    return {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": text}}


def _results(turn: Turn, dropped: list[str]) -> list[Message]:
    """A message each; pictures follow in the user's next words, since a tool's message has none."""
    messages: list[Message] = []
    shown: list[Message] = []
    for result in turn.parts:
        if not isinstance(result, ToolResult):
            raise unsayable(result.path)
        texts: list[str] = []
        media: list[Message] = []
        for part in result.parts:
            _note_mark(part, dropped)
            if isinstance(part, Text | Refusal):
                texts.append(part.text)
            elif isinstance(part, Media):
                media.append(_media(part))
            else:
                raise unsayable(part.path)
        _note_mark(result, dropped)
        if result.is_error:
            dropped.append(f"{result.path}.is_error")
        messages.append({"role": "tool", "tool_call_id": result.id, "content": "".join(texts)})
        if media:
            shown += [{"type": "text", "text": f"Beside its text, the result of {result.id} is:"}, *media]
    if shown:
        messages.append({"role": "user", "content": shown})
    return messages
