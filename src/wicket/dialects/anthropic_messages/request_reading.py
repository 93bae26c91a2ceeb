"""A caller's Messages request as a conversation.

Source: Messages API reference and the request types of Anthropic's SDK 2.14 (2026-11), beta fields included.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.anthropic_messages.block_reading import NAME, Reader, type_fault
from wicket.dialects.hub import (
    Conversation,
    Format,
    Reasoning,
    Setting,
    Thinking,
    Tool,
    ToolChoice,
    Turn,
)
from wicket.errors import CallerFault
from wicket.wire import json
from wicket.wire.fields import Fields

_HINTS = frozenset(
    {"diagnostics", "speed", "context_management", "betas", "billing_policy", "user_profile_id"}
)
"""Fields of this family alone without which the answer is still what was asked for."""
_FAMILY = frozenset(
    {
        "container",
        "mcp_servers",
        "inference_geo",
        "thread",
        "compaction",
        "fallbacks",
        "fallback_credit_token",
    }
)
"""Fields of this family alone that change what is answered, or where."""
_READ = frozenset(
    {
        "model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "top_k",
        "stop_sequences", "metadata", "service_tier", "thinking", "output_config", "output_format", "tools",
        "tool_choice", "cache_control", "models", "provider", "route", "wicket",
    }
)  # fmt: skip
_TOOL_FIELDS = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})
_TOOL_DEFAULTS: dict[str, Any] = {"defer_loading": False, "allowed_callers": ["direct"], "input_examples": []}


def read_request(fields: Fields) -> Conversation:
    """The request's meaning. Raises `CallerFault` naming the field."""
    reader = Reader()
    conversation = Conversation(origin=NAME, turns=[], unread=reader.unread)
    _read_turns(fields, reader, conversation)
    _read_tools(fields, reader, conversation)
    _read_settings(fields, reader, conversation)
    for name, raw in fields.items():
        if name in _READ or bytes(raw) == b"null":
            continue
        if name in _HINTS:
            _keep(conversation, Setting.OWN_HINTS, name, raw)
        elif name in _FAMILY:
            _keep(conversation, Setting.OWN, name, raw)
        else:
            conversation.extras[name] = raw
    conversation.is_streamed = _value(fields, "stream", bool) is True
    return conversation


def _read_turns(fields: Fields, reader: Reader, conversation: Conversation) -> None:
    system = fields.get("system")
    if system is not None and bytes(system) != b"null":
        parts = reader.parts(system, "system")
        if parts:
            conversation.turns.append(Turn(role="system", parts=parts, path="system"))
    raw = fields.get("messages")
    if raw is None:
        raise CallerFault("missing_field", "'messages' is required.", param="messages")
    try:
        messages = json.decode(raw, type=list[dict[str, msgspec.Raw]])
    except json.DecodeError:
        raise type_fault("messages", "a list of messages") from None
    if not messages:
        raise CallerFault("invalid_value", "'messages' must not be empty.", param="messages")
    for number, message in enumerate(messages):
        conversation.turns += reader.message(message, f"messages[{number}]")
    _mark_last(fields.get("cache_control"), conversation)


def _mark_last(raw: msgspec.Raw | None, conversation: Conversation) -> None:
    """A top-level `cache_control` stands for a mark on the request's last block (its documentation)."""
    if raw is None or bytes(raw) == b"null" or not conversation.turns:
        return
    parts = conversation.turns[-1].parts
    if not parts or parts[-1].cache is not None or isinstance(parts[-1], Thinking):
        return
    last = parts[-1]
    marked = None
    if last.raw is not None:
        block = json.decode(last.raw, type=dict[str, msgspec.Raw])
        marked = msgspec.Raw(json.encode({**block, "cache_control": raw}))
    parts[-1] = msgspec.structs.replace(last, cache=raw, raw=marked)


def _read_tools(fields: Fields, reader: Reader, conversation: Conversation) -> None:
    for number, raw in enumerate(_list(fields, "tools")):
        path = f"tools[{number}]"
        try:
            tool = json.decode(raw, type=dict[str, msgspec.Raw])
        except json.DecodeError:
            raise type_fault(path, "an object") from None
        kind = reader.text(tool, "type", path) or "custom"
        name = reader.text(tool, "name", path)
        if kind != "custom":
            conversation.tools.append(Tool(kind=kind, name=name, raw=raw, path=path))
            continue
        if not name:
            raise CallerFault("missing_field", f"'{path}.name' is required.", param=f"{path}.name")
        for field, value in tool.items():
            if field not in _TOOL_FIELDS and json.decode(value) not in (None, _TOOL_DEFAULTS.get(field)):
                reader.unread.append(f"{path}.{field}")
        schema = tool.get("input_schema")
        conversation.tools.append(
            Tool(
                name=name,
                description=reader.text(tool, "description", path),
                schema=None if schema is None or _takes_nothing(schema, path) else schema,
                is_strict=reader.flag(tool, "strict", path),
                raw=raw,
                cache=reader.mark(tool),
                path=path,
            )
        )


def _takes_nothing(raw: msgspec.Raw, path: str) -> bool:
    schema = json.decode(raw)
    if not isinstance(schema, dict):
        raise type_fault(f"{path}.input_schema", "an object")
    return schema in ({"type": "object", "properties": {}}, {"type": "object"})


def _read_settings(fields: Fields, reader: Reader, conversation: Conversation) -> None:
    limit = _value(fields, "max_tokens", int)
    if limit is None:
        raise CallerFault("missing_field", "'max_tokens' is required.", param="max_tokens")
    if limit < 1:  # 0 fills the prompt cache and answers nothing: only the family itself can
        raise CallerFault(
            "invalid_value", "'max_tokens' must be at least 1 for this model.", param="max_tokens"
        )
    _set(conversation, Setting.MAX_OUTPUT_TOKENS, limit, "max_tokens")
    temperature = _value(fields, "temperature", float)
    if temperature is not None and temperature != 1:
        _check_range("temperature", temperature)
        _set(conversation, Setting.TEMPERATURE, temperature, "temperature")
    top_p = _value(fields, "top_p", float)
    if top_p is not None and top_p != 1:
        _check_range("top_p", top_p)
        _set(conversation, Setting.TOP_P, top_p, "top_p")
    top_k = _value(fields, "top_k", int)
    if top_k is not None:
        _set(conversation, Setting.TOP_K, top_k, "top_k")
    stop = _value(fields, "stop_sequences", list[str])
    if stop:
        _set(conversation, Setting.STOP, tuple(stop), "stop_sequences")
    tier = _value(fields, "service_tier", str)
    if tier == "standard_only":
        _set(conversation, Setting.SERVICE_TIER, "default", "service_tier")  # OpenAI's word for the same
    for name, value in (_value(fields, "metadata", dict[str, Any]) or {}).items():
        if name == "user_id" and isinstance(value, str):
            _set(conversation, Setting.USER, value, "metadata.user_id")
        elif value is not None:
            reader.unread.append(f"metadata.{name}")
    _read_choice(fields, conversation)
    _read_output(fields, conversation)


def _read_choice(fields: Fields, conversation: Conversation) -> None:
    choice = _value(fields, "tool_choice", dict[str, Any])
    if choice is None:
        return
    kind, name = choice.get("type"), choice.get("name")
    if kind == "tool":
        if not isinstance(name, str):
            raise type_fault("tool_choice.name", "a string")
        _set(conversation, Setting.TOOL_CHOICE, ToolChoice("named", (name,)), "tool_choice")
    elif kind in ("any", "none"):
        mode = "required" if kind == "any" else "none"
        _set(conversation, Setting.TOOL_CHOICE, ToolChoice(mode), "tool_choice")
    elif kind != "auto":
        message = "'tool_choice.type' must be auto, any, tool or none."
        raise CallerFault("invalid_value", message, param="tool_choice.type")
    if choice.get("disable_parallel_tool_use") is True:
        name = "tool_choice.disable_parallel_tool_use"
        _set(conversation, Setting.PARALLEL_TOOLS, False, name)


def _read_output(fields: Fields, conversation: Conversation) -> None:
    config = _value(fields, "output_config", dict[str, Any]) or {}
    for name, value in config.items():
        if name not in ("effort", "format") and value is not None:
            raw_value = msgspec.Raw(json.encode(value))
            _keep(conversation, Setting.OWN_HINTS, f"output_config.{name}", raw_value)
    raw, path = config.get("format"), "output_config.format"
    if raw is None:
        raw, path = _value(fields, "output_format", dict[str, Any]), "output_format"
    if raw is not None:
        if (
            not isinstance(raw, dict)
            or raw.get("type") != "json_schema"
            or not isinstance(raw.get("schema"), dict)
        ):
            raise CallerFault(
                "invalid_value", f"'{path}' must have the type json_schema and a schema.", param=path
            )
        schema = msgspec.Raw(json.encode(raw["schema"]))
        _set(conversation, Setting.FORMAT, Format(kind="json_schema", schema=schema, is_strict=True), path)
    reasoning, name = _reasoning(fields, config.get("effort"))
    if reasoning != Reasoning():
        _set(conversation, Setting.REASONING, reasoning, name)


def _reasoning(fields: Fields, effort: object) -> tuple[Reasoning, str]:
    if effort is not None and not isinstance(effort, str):
        raise type_fault("output_config.effort", "a string")
    thinking = _value(fields, "thinking", dict[str, Any])
    if thinking is None:
        return Reasoning(effort=effort), "output_config.effort"
    kind, budget, display = thinking.get("type"), thinking.get("budget_tokens"), thinking.get("display")
    is_shown = {"summarized": True, "omitted": False}.get(display) if isinstance(display, str) else None
    if kind in ("disabled", "between_tools"):
        return Reasoning(effort=effort, is_on=False), "thinking"
    if kind == "adaptive":
        return Reasoning(effort=effort, is_on=True, is_shown=is_shown), "thinking"
    if kind != "enabled":
        raise CallerFault(
            "invalid_value", "'thinking.type' must be enabled, adaptive or disabled.", param="thinking.type"
        )
    if not isinstance(budget, int) or isinstance(budget, bool):
        raise type_fault("thinking.budget_tokens", "a whole number")
    return Reasoning(effort=effort, is_on=True, budget_tokens=budget, is_shown=is_shown), "thinking"


def _set(conversation: Conversation, setting: Setting, value: object, name: str) -> None:
    conversation.settings[setting] = value
    conversation.names[setting] = name


def _keep(conversation: Conversation, setting: Setting, name: str, raw: msgspec.Raw) -> None:
    """A field of this family alone: `OWN`, or `OWN_HINTS`."""
    conversation.settings.setdefault(setting, {})[name] = raw
    conversation.names.setdefault(setting, name)


def _check_range(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise CallerFault("invalid_value", f"'{name}' must be between 0 and 1.", param=name)


_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    list[str]: "a list of strings",
    dict[str, Any]: "an object",
}


def _value(fields: Fields, name: str, kind: Any) -> Any:
    """A top-level field's value as `kind`; None if absent or null."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return json.decode(raw, type=kind | None)
    except json.DecodeError:
        raise type_fault(name, _WORDS[kind]) from None


def _list(fields: Fields, name: str) -> list[msgspec.Raw]:
    raw = fields.get(name)
    if raw is None or bytes(raw) == b"null":
        return []
    try:
        return json.decode(raw, type=list[msgspec.Raw])
    except json.DecodeError:
        raise type_fault(name, "a list") from None
