"""A conversation as a provider of OpenAI's family gets it. Source: OpenAI API reference, and `quirks`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wicket.dialects.contract import Body
from wicket.dialects.hub import (
    Conversation,
    Format,
    Setting,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    leave_out,
    unsayable,
)
from wicket.dialects.openai_chat.content import ORIGIN
from wicket.dialects.openai_chat.messages_edit import merged, nine_characters
from wicket.dialects.openai_chat.quirks import ask_for_thinking, check_names, limit_name, takeable
from wicket.dialects.openai_chat.turns_write import write_turns
from wicket.routing.deployment import Deployment
from wicket.wire import json
from wicket.wire.fields import Edits, splice
from wicket.wire.quirks import Quirks

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

Message = dict[str, Any]


def write_request(conversation: Conversation, deployment: Deployment, *, streamed: bool) -> Body:
    """The body and what was left out. Raises `CallerFault` for what can't be said."""
    quirks = deployment.quirks
    dropped: list[str] = []
    check_names(conversation, quirks)
    body: Message = {"model": deployment.model}
    body["messages"] = _messages(conversation, quirks, dropped)
    _write_tools(body, conversation, dropped)
    said = _write_settings(body, conversation, deployment)
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


def _messages(conversation: Conversation, quirks: Quirks, dropped: list[str]) -> list[Message]:
    messages = write_turns(conversation.turns, quirks, dropped)
    if quirks.tool_ids == "nine":
        parts = [part for turn in conversation.turns for part in turn.parts]
        ids = nine_characters([part.id for part in parts if isinstance(part, ToolCall | ToolResult)])
        for message in messages:
            for call in message.get("tool_calls", ()):
                call["id"] = ids.get(call["id"], call["id"])
            if "tool_call_id" in message:
                message["tool_call_id"] = ids[message["tool_call_id"]]
    if quirks.prefill == "prefix" and messages and messages[-1]["role"] == "assistant":
        messages[-1]["prefix"] = True
    return merged(messages) if quirks.alternates else messages


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


def _write_settings(body: Message, conversation: Conversation, deployment: Deployment) -> set[Setting]:
    """Fill in the settings; which of them could be said, or need no saying."""
    settings = takeable(conversation, deployment)
    said = {setting for setting in conversation.settings if setting not in settings}
    for setting, value in settings.items():
        name = _NAMES.get(setting)
        if name is not None and not (setting is Setting.TOP_K and not deployment.quirks.has_top_k):
            body[name] = value
            said.add(setting)
        elif setting in _WRITERS:
            body.update(_WRITERS[setting](value))
            said.add(setting)
    if Setting.MAX_OUTPUT_TOKENS in settings:
        body[limit_name(deployment)] = settings[Setting.MAX_OUTPUT_TOKENS]
    if Setting.REASONING in settings:
        body.update(ask_for_thinking(settings[Setting.REASONING], deployment))
    said |= settings.keys() & {Setting.MAX_OUTPUT_TOKENS, Setting.REASONING}
    if Setting.METADATA in settings and settings.get(Setting.STORE):  # only kept answers have metadata
        body["metadata"] = settings[Setting.METADATA]
        said.add(Setting.METADATA)
    return said


def _stop(value: tuple[str, ...]) -> Message:
    return {"stop": list(value)}


def _logprobs(value: int) -> Message:
    return {"logprobs": True, "top_logprobs": value} if value else {"logprobs": True}


def _parallel(value: bool) -> Message:
    return {"parallel_tool_calls": value}


def _choice(value: ToolChoice) -> Message:
    names = [{"type": "function", "function": {"name": name}} for name in value.names]
    if value.mode == "named" and len(names) == 1:
        return {"tool_choice": names[0]}
    if names:
        mode = "required" if value.mode == "named" else value.mode
        return {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": names}}}
    return {"tool_choice": value.mode}


def _format(value: Format) -> Message:
    if value.kind == "json_object" or value.schema is None:
        return {"response_format": {"type": "json_object"}}
    schema: Message = {"name": value.name or "answer"}
    if value.description:
        schema["description"] = value.description
    schema["schema"] = value.schema
    if value.is_strict is not None:
        schema["strict"] = value.is_strict
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


_WRITERS: dict[Setting, Callable[[Any], Message]] = {
    Setting.STOP: _stop,
    Setting.LOGPROBS: _logprobs,
    Setting.PARALLEL_TOOLS: _parallel,
    Setting.TOOL_CHOICE: _choice,
    Setting.FORMAT: _format,
}
