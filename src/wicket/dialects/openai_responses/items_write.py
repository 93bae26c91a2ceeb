"""Turns as the items of a request's input."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.hub import (
    Foreign,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    unsayable,
)
from wicket.dialects.openai_responses.apis import NAME
from wicket.dialects.openai_responses.carrier import split_own
from wicket.dialects.openai_responses.content import flat, write_content
from wicket.wire import json

Object = dict[str, Any]


class ItemWriter:
    """Writes one request's items. `dropped` gets the paths of what is left out.

    `is_own`: the request was Responses' own, and so is the raw JSON of its parts.
    """

    def __init__(self, *, is_own: bool) -> None:
        self.items: list[Any] = []
        self.dropped: list[str] = []
        self._is_own = is_own

    def write(self, turn: Turn) -> None:
        """One more turn. Raises `CallerFault` for what has no word here."""
        if turn.name:
            self.dropped.append(f"{turn.path}.name")
        if turn.role in ("assistant", "tool"):
            self._parts(turn.parts)
        elif turn.parts and all(_is_item(part) for part in turn.parts):
            self.items += [part.raw for part in turn.parts]
        else:
            content = write_content(turn.parts, self.dropped, has_breakpoints=self._is_own)
            self.items.append({"role": turn.role, "content": content})

    def _parts(self, parts: list[Part]) -> None:
        said: list[Part] = []  # texts of one message
        for part in parts:
            if isinstance(part, Text | Refusal):
                if said and _message_of(said[-1]) != _message_of(part):
                    self._message(said)
                    said = []
                said.append(part)
                continue
            self._message(said)
            said = []
            self._other(part)
        self._message(said)

    def _message(self, said: list[Part]) -> None:
        if not said:
            return
        content: list[Object] = []
        for part in said:
            if isinstance(part, Text):
                notes = flat(part.annotations) if part.annotations is not None else []
                if notes and part.origin != NAME:
                    self.dropped.append(f"{part.path}.annotations")
                    notes = []
                content.append({"type": "output_text", "text": part.text, "annotations": notes})
            elif isinstance(part, Refusal):
                content.append({"type": "refusal", "refusal": part.text})
            self._uncached(part)
        message: Object = {"role": "assistant", "content": content}
        if self._is_own and said[0].raw is not None:
            message |= json.decode(said[0].raw, type=dict[str, Any])
        if len(content) == 1 and not content[0].get("annotations", True):
            message["content"] = content[0]["text"]
        else:
            message["type"] = "message"
        self.items.append(message)

    def _other(self, part: Part) -> None:
        match part:
            case Thinking():
                self._thought(part)
            case ToolCall():
                self._call(part)
            case ToolResult():
                self._result(part)
            case Foreign() if _is_item(part):
                self.items.append(part.raw)
            case _:
                raise unsayable(part.path)
        self._uncached(part)

    def _thought(self, part: Thinking) -> None:
        """Only its own provider can open a seal; without one, it does not take thoughts back."""
        if self._is_own and part.origin == NAME and part.raw is not None:
            self.items.append(part.raw)
        elif part.origin == NAME and part.signature:
            item_id, encrypted = split_own(part.signature)
            item: Object = {"type": "reasoning", **({"id": item_id} if item_id else {})}
            item["summary"] = [{"type": "summary_text", "text": part.text}] if part.text else []
            item["encrypted_content"] = encrypted
            self.items.append(item)
        else:
            self.dropped.append(part.path)

    def _call(self, part: ToolCall) -> None:
        item: Object = {"type": "function_call"}
        if self._is_own and part.raw is not None:
            item |= json.decode(part.raw, type=dict[str, msgspec.Raw])
        elif part.signature:
            self.dropped.append(f"{part.path}.signature")
        self.items.append(item | {"call_id": part.id, "name": part.name, "arguments": part.arguments})

    def _result(self, part: ToolResult) -> None:
        output = write_content(part.parts, self.dropped, has_breakpoints=self._is_own)
        self.items.append({"type": "function_call_output", "call_id": part.id, "output": output})
        if part.is_error:
            self.dropped.append(f"{part.path}.is_error")

    def _uncached(self, part: Part) -> None:
        if part.cache is not None:
            self.dropped.append(f"{part.path}.cache_control")


def _message_of(part: Part) -> str:
    """The message that a part of Responses' own stood in; messages in a row stay apart."""
    return part.path.partition(".")[0] if part.origin == NAME else ""


def _is_item(part: Part) -> bool:
    """Whether it is an item of Responses' own, with its JSON."""
    return (
        isinstance(part, Foreign)
        and part.origin == NAME
        and part.raw is not None
        and part.path.count("[") == 1
    )
