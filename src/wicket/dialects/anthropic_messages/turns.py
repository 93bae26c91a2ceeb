"""A conversation's turns in the order that the Messages API wants them.

Its rules (Messages API reference; "tool use", "handling tool results"): instructions stand in `system`; roles
alternate and a user begins; no block is empty; every call is answered at the start of the very next user turn
and nothing else is; an answer that is to be continued ends in a visible character.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.anthropic_messages.block_writing import Block, Writer, tool_id
from wicket.dialects.hub import Part, Text, Thinking, ToolCall, ToolResult, Turn, unsayable
from wicket.errors import CallerFault

PLACEHOLDER = "…"
"""Stands where the API needs a user's words and the conversation has none."""


class _Message(msgspec.Struct):
    role: str
    blocks: list[Block]
    results: list[Block]
    calls: dict[str, str]  # the id of each call → its path
    path: str
    has_thought: bool = False


def write_turns(turns: list[Turn], writer: Writer) -> tuple[Any, list[dict[str, Any]]]:
    """`system` (None: there is none) and `messages`. Raises `CallerFault` for calls without their results."""
    system: list[Block] = []
    messages: list[_Message] = []
    for turn in _with_ids(turns):
        if turn.role == "system":
            system += _instructions(turn, writer)
            continue
        _add(turn, messages, writer)
    if not messages or messages[0].role != "user":
        messages.insert(0, _Message("user", [_text(PLACEHOLDER)], [], {}, ""))
    _check_calls(messages)
    _trim_end(messages[-1])
    written = [{"role": each.role, "content": _content(each)} for each in messages]
    return _system(system), written


def lacks_thought(turns: list[Turn]) -> bool:
    """Whether the open tool loop's last calls have no thought of Anthropic's before them.

    With a thinking budget the API refuses such a turn ("extended thinking": preserve thinking blocks).
    """
    for turn in reversed(turns):
        if turn.role == "user":
            return False
        if turn.role == "assistant" and any(isinstance(part, ToolCall) for part in turn.parts):
            first = turn.parts[0]
            return not (
                isinstance(first, Thinking) and first.origin == "anthropic_messages" and first.signature
            )
    return False


def _instructions(turn: Turn, writer: Writer) -> list[Block]:
    blocks = []
    for part in turn.parts:
        if not isinstance(part, Text):
            raise unsayable(part.path or turn.path, "its instructions are text alone")
        block = writer.block(part, "system")
        if block is not None:
            blocks.append(block)
    return blocks


def _system(blocks: list[Block]) -> Any:
    if not blocks:
        return None
    only = blocks[0]
    if len(blocks) == 1 and isinstance(only, dict) and set(only) == {"type", "text"}:
        return only["text"]
    return blocks


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _add(turn: Turn, messages: list[_Message], writer: Writer) -> None:
    """A turn's blocks, joined to the message before it if that has the same role."""
    role = "assistant" if turn.role == "assistant" else "user"
    blocks: list[Block] = []
    results: list[Block] = []
    calls: dict[str, str] = {}
    for part in turn.parts:
        block = writer.block(part, role)
        if block is None:
            continue
        if isinstance(part, ToolResult):
            results.append(block)
        else:
            blocks.append(block)
        if isinstance(part, ToolCall):
            calls[part.id] = part.path or turn.path
    if turn.name:
        writer.dropped.append(f"{turn.path}.name")
    if not blocks and not results:
        if role == "assistant":
            return
        blocks = [_text(PLACEHOLDER)]
    if messages and messages[-1].role == role:
        last = messages[-1]
        last.blocks += blocks
        last.results += results
        last.calls |= calls
    else:
        messages.append(_Message(role, blocks, results, calls, turn.path))


def _content(message: _Message) -> Any:
    blocks = message.results + message.blocks
    only = blocks[0]
    if len(blocks) == 1 and isinstance(only, dict) and set(only) == {"type", "text"}:
        return only["text"]
    return blocks


def _check_calls(messages: list[_Message]) -> None:
    """Every call has one result in the next message, every result its call."""
    calls: dict[str, str] = {}
    for message in messages:
        answered: set[str] = set()
        for block in message.results:
            found = block["tool_use_id"] if isinstance(block, dict) else ""
            if found not in calls or found in answered:
                why = (
                    "answers no call of the turn before it" if found not in calls else "answers a call twice"
                )
                text = f"A tool result in '{message.path}' {why}."
                raise CallerFault("invalid_value", text, param=message.path)
            answered.add(found)
        missing = [path for found, path in calls.items() if found not in answered]
        if missing:
            text = f"The tool call '{missing[0]}' has no result in the next turn."
            raise CallerFault("invalid_value", text, param=missing[0])
        calls = {tool_id(found): path for found, path in message.calls.items()}
    if calls:
        path = next(iter(calls.values()))
        raise CallerFault("invalid_value", f"The tool call '{path}' has no result.", param=path)


def _trim_end(message: _Message) -> None:
    """An answer to be continued must not end in white space."""
    if message.role != "assistant":
        return
    last = message.blocks[-1]
    if isinstance(last, dict) and last.get("type") == "text":
        message.blocks[-1] = {**last, "text": last["text"].rstrip()}


def _with_ids(turns: list[Turn]) -> list[Turn]:
    """The turns with an id on every call and result: results without one belong to the calls in order."""
    if all(part.id for turn in turns for part in turn.parts if isinstance(part, ToolCall | ToolResult)):
        return turns
    given: list[ToolCall] = []
    found = []
    for number, turn in enumerate(turns):
        parts: list[Part] = []
        for part in turn.parts:
            if isinstance(part, ToolCall) and not part.id:
                part = msgspec.structs.replace(part, id=f"call_{number}_{len(given)}", raw=None)
                given.append(part)
            elif isinstance(part, ToolResult) and not part.id and given:
                place = next((at for at, call in enumerate(given) if call.name == part.name), 0)
                part = msgspec.structs.replace(part, id=given.pop(place).id)
            parts.append(part)
        found.append(msgspec.structs.replace(turn, parts=parts))
    return found
