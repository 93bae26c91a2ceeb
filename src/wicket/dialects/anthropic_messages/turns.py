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
    """A message while it grows. Results and calls come with their paths, calls by their ids."""

    role: str
    blocks: list[Block] = []
    results: list[tuple[Block, str]] = []
    calls: dict[str, str] = {}


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
        messages.insert(0, _Message("user", [_text(PLACEHOLDER)]))
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
    more = _Message("assistant" if turn.role == "assistant" else "user")
    for part in turn.parts:
        block = writer.block(part, more.role)
        if block is None:
            continue
        path = part.path or turn.path
        if isinstance(part, ToolResult):
            more.results.append((block, path))
        else:
            more.blocks.append(block)
        if isinstance(part, ToolCall):
            _add_call(tool_id(part.id), path, more.calls)
    if turn.name:
        writer.dropped.append(f"{turn.path}.name")
    if not more.blocks and not more.results:
        if more.role == "assistant":
            return
        more.blocks.append(_text(PLACEHOLDER))
    if messages and messages[-1].role == more.role:
        last = messages[-1]
        last.blocks += more.blocks
        last.results += more.results
        for found, path in more.calls.items():
            _add_call(found, path, last.calls)
    else:
        messages.append(more)


def _add_call(found: str, path: str, calls: dict[str, str]) -> None:
    if found in calls:
        raise CallerFault("invalid_value", f"The tool call '{path}' has the id of another one.", param=path)
    calls[found] = path


def _content(message: _Message) -> Any:
    blocks = [block for block, _ in message.results] + message.blocks
    only = blocks[0]
    if len(blocks) == 1 and isinstance(only, dict) and set(only) == {"type", "text"}:
        return only["text"]
    return blocks


def _check_calls(messages: list[_Message]) -> None:
    """Every call has one result in the next message, every result its call."""
    calls: dict[str, str] = {}
    for message in messages:
        answered: set[str] = set()
        for block, path in message.results:
            found = block["tool_use_id"] if isinstance(block, dict) else ""
            if found not in calls or found in answered:
                why = "twice" if found in answered else "that is not in the turn before it"
                text = f"The tool result '{path}' answers a call {why}."
                raise CallerFault("invalid_value", text, param=path)
            answered.add(found)
        _check_answered({found: path for found, path in calls.items() if found not in answered})
        calls = message.calls
    _check_answered(calls)


def _check_answered(open_calls: dict[str, str]) -> None:
    if open_calls:
        path = next(iter(open_calls.values()))
        raise CallerFault(
            "invalid_value", f"The tool call '{path}' has no result in the next turn.", param=path
        )


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
