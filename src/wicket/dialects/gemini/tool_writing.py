"""The tools on offer as Gemini's `tools`."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.gemini.families import Family
from wicket.dialects.gemini.openapi_schemas import fit_openapi
from wicket.dialects.gemini.part_writing import ORIGIN
from wicket.dialects.gemini.schemas import Fitted, fit_json_schema
from wicket.dialects.hub import Conversation, Tool, unsayable
from wicket.wire import json


def write_tools(conversation: Conversation, family: Family) -> tuple[list[Any], list[str]]:
    """`tools` in the caller's order, functions in one list, and what their schemas lose.

    Raises `CallerFault` for another family's built-in tool.
    """
    functions: list[Any] = []
    others: list[Any] = []
    losses: list[str] = []
    for tool in conversation.tools:
        if tool.cache is not None:
            losses.append(f"{tool.path}.cache_control")
        if tool.kind != "function":
            if conversation.origin != ORIGIN or tool.raw is None:
                raise unsayable(tool.path, f"the tool '{tool.kind}' belongs to another provider")
            others.append(tool.raw)
        elif conversation.origin == ORIGIN and tool.raw is not None:
            functions.append(tool.raw)
        else:
            functions.append(_declaration(tool, family, losses))
    declared = [{"functionDeclarations": functions}] if functions else []
    return declared + others, losses


def _declaration(tool: Tool, family: Family, losses: list[str]) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": tool.name}
    if tool.description:
        declared["description"] = tool.description
    if tool.schema is None or (not family.reads_json_schema and _takes_nothing(tool.schema)):
        return declared
    path = f"{tool.path}.parameters"
    fitted = fit(tool.schema, path, family)
    losses += fitted.losses
    declared["parametersJsonSchema" if family.reads_json_schema else "parameters"] = fitted.schema
    return declared


def fit(schema: msgspec.Raw, path: str, family: Family) -> Fitted:
    """A JSON schema in the form that the family reads."""
    return fit_json_schema(schema, path) if family.reads_json_schema else fit_openapi(schema, path)


def _takes_nothing(schema: msgspec.Raw) -> bool:
    """An object without properties, which the older models refuse."""
    value = json.decode(schema) if len(bytes(schema)) < 200 else None
    if not isinstance(value, dict) or value.get("properties") or value.get("type", "object") != "object":
        return False
    rest = set(value) - {"type", "properties", "required", "additionalProperties", "$schema", "title"}
    return not rest and value.get("additionalProperties") in (None, False)
