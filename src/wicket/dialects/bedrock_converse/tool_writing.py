"""Tools, and the choice among them, as `toolConfig`.

Converse has no way to forbid calls, and wants `toolConfig` as long as the history holds any. So "none" leaves
the tools away where the history has no calls, and is refused where it has; a history with calls but without
tools on offer gets their names back, without which the request would be refused. Source: `ToolConfiguration`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.bedrock_converse.block_writing import BlockWriter
from wicket.dialects.bedrock_converse.families import Family
from wicket.dialects.bedrock_converse.names import tool_name
from wicket.dialects.hub import Conversation, Setting, Tool, ToolCall, ToolChoice, ToolResult, unsayable
from wicket.dialects.saying import NO_PARAMETERS
from wicket.errors import CallerFault
from wicket.wire import json

_MODES = {"required": "any", "named": "any", "auto": "auto"}


def write_tools(
    body: dict[str, Any], conversation: Conversation, family: Family, writer: BlockWriter
) -> None:
    """Add `toolConfig` if the request needs one. Raises `CallerFault` for a choice that is not there."""
    choice: ToolChoice | None = conversation.settings.get(Setting.TOOL_CHOICE)
    name = conversation.names.get(Setting.TOOL_CHOICE, Setting.TOOL_CHOICE.value)
    called = _called(conversation)
    mode = choice.mode if choice is not None else "auto"
    if mode == "none":
        if called and conversation.tools:
            raise unsayable(name, "it can't be told to call nothing once calls were made")
        if not called:
            return
    tools = [one for tool in _offered(conversation, choice, name) for one in _tool(tool, family, writer)]
    if not tools:
        if mode in ("required", "named"):
            raise unsayable(name, "there are no tools to choose from")
        tools = [_spec(one, NO_PARAMETERS) for one in called]
        if tools:
            body["toolConfig"] = {"tools": tools}
        return
    body["toolConfig"] = {"tools": tools}
    if choice is not None:
        written = _choice(choice)
        if written and next(iter(written)) not in family.choices:
            raise unsayable(name, "this model has no such choice")
        if written:
            body["toolConfig"]["toolChoice"] = written


def _called(conversation: Conversation) -> list[str]:
    """The names that the history calls, each once, in Converse's alphabet."""
    names: dict[str, None] = {}
    for turn in conversation.turns:
        for part in turn.parts:
            if isinstance(part, ToolCall):
                names[tool_name(part.name, part.path)] = None
            elif isinstance(part, ToolResult) and not names:
                names[tool_name(part.name or "unknown", part.path)] = None
    return list(names)


def _offered(conversation: Conversation, choice: ToolChoice | None, name: str) -> list[Tool]:
    """All tools, or those that the choice leaves."""
    if choice is None or not choice.names:
        return conversation.tools
    if not {tool.name for tool in conversation.tools}.issuperset(choice.names):
        raise CallerFault("invalid_value", f"'{name}' names a tool that is not offered.", param=name)
    if choice.mode == "named" and len(choice.names) == 1:
        return conversation.tools
    return [tool for tool in conversation.tools if tool.name in choice.names]


def _choice(choice: ToolChoice) -> dict[str, Any]:
    if choice.mode == "named" and len(choice.names) == 1:
        return {"tool": {"name": tool_name(choice.names[0], "tool_choice")}}
    return {_MODES[choice.mode]: {}} if choice.mode in _MODES else {}


def _tool(tool: Tool, family: Family, writer: BlockWriter) -> list[dict[str, Any]]:
    if tool.kind != "function":
        raise unsayable(tool.path, f"a tool of type '{tool.kind}' belongs to another provider")
    spec = _spec(tool_name(tool.name, f"{tool.path}.name"), _schema(tool))
    if tool.description.strip():
        spec["toolSpec"]["description"] = tool.description
    if tool.is_strict:
        if family.is_strict:
            spec["toolSpec"]["strict"] = True
        else:
            writer.dropped.append(f"{tool.path}.strict")
    return [spec, *writer.mark(tool.cache, tool.path, is_taken=family.caches_tools)]


def _spec(name: str, schema: msgspec.Raw) -> dict[str, Any]:
    return {"toolSpec": {"name": name, "inputSchema": {"json": schema}}}


def _schema(tool: Tool) -> msgspec.Raw:
    """The tool's schema, of type object at its top as every model behind Converse wants it."""
    if tool.schema is None:
        return NO_PARAMETERS
    schema = json.decode(tool.schema)
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise unsayable(f"{tool.path}.parameters", "the type of a tool's schema is 'object'")
    if "type" in schema:
        return tool.schema
    return msgspec.Raw(
        json.encode({"type": "object", **json.decode(tool.schema, type=dict[str, msgspec.Raw])})
    )
