"""Tools on offer and which may be called. Source: OpenAI's OpenAPI description, `Tool`, `ToolChoiceParam`.

Functions stand flat here. One that does not say whether it is strict is made strict if its schema can be: so
where the schema already has the strict form, that is what it means.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.hub import Tool, ToolChoice, unsayable
from wicket.wire import json
from wicket.wire.node import Node, kind, wrong_type, wrong_value

_MAX_DEPTH = 32


def read_tools(root: Node, unread: list[str]) -> list[Tool]:
    """All tools, in order. Raises `CallerFault`."""
    tools = []
    for node, raw in zip(root.nodes("tools") or (), root.items("tools") or (), strict=True):
        name = node.needed_text("type")
        if name != "function":
            tools.append(Tool(kind=name, raw=raw, path=node.path))
            continue
        schema = node.raw("parameters")
        if schema is not None and kind(schema) != "object":
            raise wrong_type(node.at("parameters"), "an object")
        is_strict = node.flag("strict")
        if is_strict is None and schema is not None and _is_strict(schema, node.at("parameters")):
            is_strict = True
        tool = Tool(
            name=node.needed_text("name"),
            description=node.text("description") or "",
            schema=schema,
            is_strict=is_strict,
            raw=raw,
            path=node.path,
        )
        if node.flag("defer_loading") is False:
            node.take("defer_loading")
        tools.append(tool)
        left = node.left()
        unread += [node.at(name) for name in left]
        if node.flag("defer_loading"):
            unread.append(node.at("defer_loading"))
    return tools


def _is_strict(raw: msgspec.Raw, path: str) -> bool:
    try:
        return has_strict_form(json.decode(raw))
    except (msgspec.DecodeError, RecursionError):
        raise wrong_type(path, "a JSON schema") from None


def has_strict_form(schema: Any, depth: int = 0) -> bool:
    """Whether every object in it needs all of its properties and takes no others."""
    if isinstance(schema, list):
        return all(has_strict_form(one, depth + 1) for one in schema)
    if not isinstance(schema, dict):
        return True
    if depth > _MAX_DEPTH:
        return False
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        named = properties if isinstance(properties, dict) else {}
        needed = schema.get("required")
        has_all = set(named) <= {one for one in needed or () if isinstance(one, str)} if named else True
        if schema.get("additionalProperties") is not False or not has_all:
            return False
    return all(has_strict_form(one, depth + 1) for one in schema.values())


def read_choice(root: Node) -> ToolChoice | None:
    """None for auto. Raises `CallerFault`, also for the choice of a tool that only Responses has."""
    raw = root.raw("tool_choice")
    if raw is None:
        return None
    if kind(raw) == "string":
        mode = root.needed_text("tool_choice")
        if mode not in ("auto", "none", "required"):
            raise wrong_value("tool_choice", "must be auto, none, required or an object")
        return None if mode == "auto" else ToolChoice(mode)
    node = root.node("tool_choice")
    assert node is not None
    what = node.needed_text("type")
    if what == "function":
        return ToolChoice("named", (node.needed_text("name"),))
    if what == "allowed_tools":
        mode = node.text("mode") or "auto"
        if mode not in ("auto", "required"):
            raise wrong_value(node.at("mode"), "must be auto or required")
        return ToolChoice(mode, tuple([_named(tool) for tool in node.nodes("tools") or ()]))
    raise unsayable("tool_choice", f"'{what[:40]}' is no function")


def _named(node: Node) -> str:
    if node.needed_text("type") != "function":
        raise unsayable(node.path, "it is no function")
    return node.needed_text("name")


def function_of(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """A tool as it came."""
    return json.decode(raw, type=dict[str, msgspec.Raw])
