"""The items of a request's input as turns. Source: OpenAI's OpenAPI description, `InputItem`.

What the model made (messages, thoughts, calls) stands in assistant's turns, in its order; items that only
Responses knows are `Foreign`, and so refused by their path wherever they can't be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from wicket.dialects.hub import Foreign, Json, Part, Text, Thinking, ToolCall, ToolResult, Turn
from wicket.dialects.openai_responses.apis import NAME
from wicket.dialects.openai_responses.carrier import own_seal, unpack, unpack_call
from wicket.dialects.openai_responses.content import read_content
from wicket.wire import json
from wicket.wire.node import Node, kind, wrong_type, wrong_value

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_CALLERS = ("_output", "_response", "additional_tools", "compaction_trigger", "item_reference")


def read_input(root: Node, unread: list[str]) -> list[Turn]:
    """All turns, the instructions first. Raises `CallerFault`."""
    turns = _Turns(unread)
    instructions = root.text("instructions")
    if instructions:
        text = Text(origin=NAME, path="instructions", text=instructions)
        turns.own(Turn(role="system", parts=[text], path="instructions"))
    raw = root.raw("input")
    if raw is not None and kind(raw) == "string":
        text = Text(origin=NAME, path="input", text=root.needed_text("input"))
        turns.own(Turn(role="user", parts=[text], path="input"))
    elif raw is not None and kind(raw) != "array":
        raise wrong_type("input", "a string or an array of items")
    else:
        for node, item in zip(root.nodes("input") or (), root.items("input") or (), strict=True):
            turns.read(node, item)
    return turns.turns


class _Turns:
    """Turns so far."""

    def __init__(self, unread: list[str]) -> None:
        self.turns: list[Turn] = []
        self._unread = unread

    def read(self, node: Node, raw: Json) -> None:
        """One more item."""
        name = node.text("type")
        if name is None:
            name = "message" if node.raw("role") is not None else "item_reference"
        reader = _READERS.get(name)
        if reader is not None:
            reader(self, node, raw)
            self._unread += node.left_paths()
            return
        part = Foreign(origin=NAME, path=node.path, raw=raw, kind=name)
        if name.endswith(_CALLERS):
            self.own(Turn(role="user", parts=[part], path=node.path))
        else:
            self._joined("assistant", [part], node.path)

    def own(self, turn: Turn) -> None:
        """A turn by itself."""
        self.turns.append(turn)

    def _joined(self, role: str, parts: Sequence[Part], path: str) -> None:
        if self.turns and self.turns[-1].role == role:
            self.turns[-1].parts.extend(parts)
        else:
            self.turns.append(Turn(role=role, parts=list(parts), path=path))

    def _message(self, node: Node, _: Json) -> None:
        role = _ROLES.get(node.needed_text("role"))
        if role is None:
            raise wrong_value(node.at("role"), "must be user, assistant, system or developer")
        if node.raw("content") is None:
            node.needed_text("content")
        parts = read_content(node, "content", self._unread)
        node.take("id", "status")
        if role != "assistant":
            self.own(Turn(role=role, parts=parts, path=node.path))
            return
        phase = node.text("phase")
        for part in parts:
            if not isinstance(part, Foreign):
                part.raw = _envelope(phase)
        if phase:
            self._unread.append(node.at("phase"))
        self._joined(role, parts, node.path)

    def _reasoning(self, node: Node, raw: Json) -> None:
        encrypted = node.text("encrypted_content") or ""
        item_id = node.text("id") or ""
        node.take("status")
        text = "\n\n".join(_texts(node, "summary") + _texts(node, "content"))
        call = unpack_call(encrypted)
        if call is not None:
            self._seal(*call)
            return
        part = unpack(encrypted)
        if part is None:
            seal = own_seal(item_id, encrypted)
            part = Thinking(origin=NAME, signature=seal, is_redacted=bool(seal) and not text, raw=raw)
        part.text, part.path = text, node.path
        self._joined("assistant", [part], node.path)

    def _seal(self, origin: str, call_id: str, signature: str) -> None:
        for turn in reversed(self.turns):
            for part in turn.parts:
                if isinstance(part, ToolCall) and part.id == call_id:
                    part.origin, part.signature = origin, signature
                    return

    def _call(self, node: Node, raw: Json) -> None:
        node.take("id", "status")
        call = ToolCall(
            origin=NAME,
            path=node.path,
            id=node.needed_text("call_id"),
            name=node.needed_text("name"),
            arguments=node.text("arguments") or "{}",
            raw=raw,
        )
        self._joined("assistant", [call], node.path)

    def _result(self, node: Node, raw: Json) -> None:
        node.take("id", "status")
        if node.raw("output") is None:
            node.needed_text("output")
        parts = tuple(read_content(node, "output", self._unread))
        result = ToolResult(
            origin=NAME, path=node.path, id=node.needed_text("call_id"), name=node.text("name") or "",
            parts=parts, raw=raw,
        )  # fmt: skip
        self._joined("tool", [result], node.path)


_READERS: dict[str, Callable[[_Turns, Node, Json], None]] = {
    "message": _Turns._message,
    "reasoning": _Turns._reasoning,
    "function_call": _Turns._call,
    "function_call_output": _Turns._result,
}


def _texts(node: Node, name: str) -> list[str]:
    """The texts of a reasoning item's summary or content."""
    found = []
    for inner in node.nodes(name) or ():
        inner.take("type")
        found.append(inner.text("text") or "")
    return [text for text in found if text]


def _envelope(phase: str | None) -> Json | None:
    """What a message of the assistant has beside its content and its id."""
    return msgspec.Raw(json.encode({"phase": phase})) if phase else None
