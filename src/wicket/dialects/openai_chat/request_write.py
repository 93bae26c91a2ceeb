"""A conversation as a provider of OpenAI's family gets it. Source: OpenAI API reference, and `quirks`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wicket.dialects.contract import Body
from wicket.dialects.hub import (
    Conversation,
    Format,
    Reasoning,
    Setting,
    Tool,
    ToolChoice,
    leave_out,
    unsayable,
)
from wicket.dialects.openai_chat.content import ORIGIN
from wicket.dialects.openai_chat.quirks import Quirks, quirks_of
from wicket.dialects.openai_chat.turns_write import write_turns
from wicket.routing.deployment import Deployment
from wicket.wire import json
from wicket.wire.fields import Edits, splice

_SAME = (
    Setting.TEMPERATURE, Setting.TOP_P, Setting.MIN_P, Setting.SEED, Setting.FREQUENCY_PENALTY,
    Setting.PRESENCE_PENALTY, Setting.LOGIT_BIAS, Setting.VERBOSITY, Setting.PREDICTION, Setting.USER,
    Setting.STORE, Setting.SERVICE_TIER,
)  # fmt: skip
_NAMES = {
    **{setting: setting.value for setting in _SAME},
    Setting.TOP_K: "top_k",
    Setting.CACHE_KEY: "prompt_cache_key",
    Setting.CACHE_RETENTION: "prompt_cache_retention",
}
_NOTHING = {"type": "object", "properties": {}}  # what a function without parameters takes
_EFFORTS = ((2_048, "low"), (12_288, "medium"))  # a budget of so many tokens is at most this effort

Message = dict[str, Any]


def write_request(conversation: Conversation, deployment: Deployment, *, streamed: bool) -> Body:
    """The body and what was left out. Raises `CallerFault` for what can't be said."""
    quirks, dropped = quirks_of(deployment), []  # type: tuple[Quirks, list[str]]
    body: Message = {"model": deployment.model}
    body["messages"] = write_turns(conversation.turns, quirks, dropped)
    _write_tools(body, conversation, dropped)
    said = _write_settings(body, conversation, quirks)
    dropped[:0] = leave_out(conversation, said)
    if streamed:
        body["stream"] = True
        if deployment.usage_in_stream == "ask":
            body["stream_options"] = {"include_usage": True}
    fields = {name: msgspec.Raw(json.encode(value)) for name, value in body.items()}
    fields |= {name: raw for name, raw in conversation.extras.items() if name not in fields}
    removed = tuple([name for name in deployment.remove if name in fields])
    dropped += [name for name in removed if name != "stream_options"]
    edits = Edits(rename=deployment.rename, remove=removed)
    return Body(splice(fields, edits), tuple(dict.fromkeys(dropped)))


def _write_tools(body: Message, conversation: Conversation, dropped: list[str]) -> None:
    tools = []
    for tool in conversation.tools:
        if tool.cache is not None:
            dropped.append(f"{tool.path}.cache_control")
        if tool.kind == "function":
            tools.append(_write_tool(tool))
        elif conversation.origin != ORIGIN or tool.raw is None:
            raise unsayable(tool.path)
        elif tool.kind == "web_search_options":
            body["web_search_options"] = tool.raw
        else:
            tools.append({"type": tool.kind, **json.decode(tool.raw, type=dict[str, msgspec.Raw])})
    if tools:
        body["tools"] = tools


def _write_tool(tool: Tool) -> Message:
    function: Message = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.schema if tool.schema is not None else _NOTHING
    if tool.is_strict is not None:
        function["strict"] = tool.is_strict
    return {"type": "function", "function": function}


def _write_settings(body: Message, conversation: Conversation, quirks: Quirks) -> set[Setting]:
    """Fill in the settings; which of them could be said."""
    settings = conversation.settings
    said = set()
    for setting, value in settings.items():
        name = _NAMES.get(setting)
        if name is not None and not (setting is Setting.TOP_K and not quirks.has_top_k):
            body[name] = value
            said.add(setting)
        elif setting in _WRITERS:
            body.update(_WRITERS[setting](value, quirks))
            said.add(setting)
    if Setting.METADATA in settings and settings.get(Setting.STORE):  # only kept answers have metadata
        body["metadata"] = settings[Setting.METADATA]
        said.add(Setting.METADATA)
    return said


def _limit(value: int, quirks: Quirks) -> Message:
    return {quirks.limit: value}


def _stop(value: tuple[str, ...], quirks: Quirks) -> Message:
    return {"stop": list(value)}


def _logprobs(value: int, quirks: Quirks) -> Message:
    return {"logprobs": True, "top_logprobs": value} if value else {"logprobs": True}


def _parallel(value: bool, quirks: Quirks) -> Message:
    return {"parallel_tool_calls": value}


def _choice(value: ToolChoice, quirks: Quirks) -> Message:
    names = [{"type": "function", "function": {"name": name}} for name in value.names]
    if value.mode == "named" and len(names) == 1:
        return {"tool_choice": names[0]}
    if names:
        mode = "required" if value.mode == "named" else value.mode
        return {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": names}}}
    return {"tool_choice": value.mode}


def _format(value: Format, quirks: Quirks) -> Message:
    if value.kind == "json_object" or value.schema is None:
        return {"response_format": {"type": "json_object"}}
    schema: Message = {"name": value.name or "answer"}
    if value.description:
        schema["description"] = value.description
    schema["schema"] = value.schema
    if value.is_strict is not None:
        schema["strict"] = value.is_strict
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _reasoning(value: Reasoning, quirks: Quirks) -> Message:
    return _SWITCHES[quirks.switch](value)


def _effort_of(value: Reasoning) -> str | None:
    if value.effort is not None:
        return value.effort
    if value.is_on is False or value.budget_tokens == 0:
        return "none"
    if value.budget_tokens is None or value.budget_tokens < 0:
        return None
    return next((effort for most, effort in _EFFORTS if value.budget_tokens <= most), "high")


def _by_effort(value: Reasoning) -> Message:
    effort = _effort_of(value)
    return {"reasoning_effort": effort} if effort is not None else {}


def _by_openrouter(value: Reasoning) -> Message:
    asked: Message = {}
    if value.effort is not None:
        asked["effort"] = value.effort
    elif value.budget_tokens is not None:
        asked["max_tokens"] = value.budget_tokens
    elif value.is_on is not None:
        asked["enabled"] = value.is_on
    if value.is_shown is not None:
        asked["exclude"] = not value.is_shown
    return {"reasoning": asked}


def _is_on(value: Reasoning) -> bool:
    return _effort_of(value) != "none"


def _by_type(value: Reasoning) -> Message:
    return {"thinking": {"type": "enabled" if _is_on(value) else "disabled"}}


def _by_flag(value: Reasoning) -> Message:
    asked: Message = {"enable_thinking": _is_on(value)}
    if value.budget_tokens:
        asked["thinking_budget"] = value.budget_tokens
    return asked


_SWITCHES: dict[str, Callable[[Reasoning], Message]] = {
    "effort": _by_effort,
    "openrouter": _by_openrouter,
    "type": _by_type,
    "enable": _by_flag,
}
_WRITERS: dict[Setting, Callable[[Any, Quirks], Message]] = {
    Setting.MAX_OUTPUT_TOKENS: _limit,
    Setting.STOP: _stop,
    Setting.LOGPROBS: _logprobs,
    Setting.PARALLEL_TOOLS: _parallel,
    Setting.TOOL_CHOICE: _choice,
    Setting.FORMAT: _format,
    Setting.REASONING: _reasoning,
}
