"""A conversation as a Responses provider gets it. Source: OpenAI's OpenAPI description, `CreateResponse`.

Responses keeps answers and makes functions strict unless told otherwise: both are told. What a reasoning
model thought comes back sealed, since nothing is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from wicket.dialects.contract import Body
from wicket.dialects.hub import (
    Conversation,
    Format,
    Reasoning,
    Setting,
    Text,
    Tool,
    ToolChoice,
    Turn,
    leave_out,
    unsayable,
)
from wicket.dialects.openai_chat.quirks import check_names, takeable
from wicket.dialects.openai_responses.apis import NAME
from wicket.dialects.openai_responses.items_write import ItemWriter
from wicket.dialects.openai_responses.request_read import ENCRYPTED, LOGPROBS
from wicket.dialects.openai_responses.tools_read import function_of
from wicket.routing.deployment import Deployment
from wicket.wire import json
from wicket.wire.fields import Edits, splice

MIN_OUTPUT_TOKENS = 16
_REASONS = re.compile(r"(^|/|\.)(o[1-9]|gpt-([5-9]|oss)|codex|computer-use)", re.IGNORECASE)
_SAME = {
    Setting.MAX_OUTPUT_TOKENS: "max_output_tokens",
    Setting.TEMPERATURE: "temperature",
    Setting.TOP_P: "top_p",
    Setting.USER: "user",
    Setting.METADATA: "metadata",
    Setting.SERVICE_TIER: "service_tier",
    Setting.CACHE_KEY: "prompt_cache_key",
    Setting.CACHE_RETENTION: "prompt_cache_retention",
    Setting.TRUNCATION: "truncation",
    Setting.MAX_TOOL_CALLS: "max_tool_calls",
    Setting.PARALLEL_TOOLS: "parallel_tool_calls",
    Setting.STORE: "store",
}
_OWN = {Setting.PREVIOUS_ID: "previous_response_id", Setting.BACKGROUND: "background"}
_EFFORTS = ((2_048, "low"), (12_288, "medium"))  # a budget of so many tokens is at most this effort

Object = dict[str, Any]


def write_request(conversation: Conversation, deployment: Deployment, *, streamed: bool) -> Body:
    """The body and what was left out. Raises `CallerFault` for what can't be said."""
    is_own = conversation.origin == NAME
    check_names(conversation, deployment.quirks)
    writer = ItemWriter(is_own=is_own)
    body: Object = {"model": deployment.model, "store": False}
    turns = conversation.turns
    instructions = _instructions(turns)
    if instructions is not None:
        body["instructions"] = instructions
        turns = turns[1:]
    for turn in turns:
        writer.write(turn)
    body["input"] = writer.items
    _write_tools(body, conversation, writer.dropped)
    said = _write_settings(body, conversation, deployment)
    dropped = leave_out(conversation, said) + writer.dropped
    if streamed:
        body["stream"] = True
    fields = {name: msgspec.Raw(json.encode(value)) for name, value in body.items()}
    fields |= {name: raw for name, raw in conversation.extras.items() if name not in fields}
    removed = tuple([name for name in deployment.remove if name in fields])
    edits = Edits(rename=deployment.rename, remove=removed)
    return Body(splice(fields, edits), tuple(dict.fromkeys([*dropped, *removed])))


def _instructions(turns: list[Turn]) -> str | None:
    """The first turn's text, if it is the system's and plain."""
    if not turns or turns[0].role != "system" or turns[0].name:
        return None
    match turns[0].parts:
        case [Text(text=text, cache=None)] if len(turns) > 1:
            return text
    return None


def _write_tools(body: Object, conversation: Conversation, dropped: list[str]) -> None:
    tools: list[Object] = []
    for tool in conversation.tools:
        if tool.cache is not None:
            dropped.append(f"{tool.path}.cache_control")
        if tool.kind == "function":
            tools.append(_function(tool, is_own=conversation.origin == NAME))
        elif conversation.origin != NAME or tool.raw is None:
            raise unsayable(tool.path)
        else:
            tools.append(function_of(tool.raw))
    if tools:
        body["tools"] = tools


def _function(tool: Tool, *, is_own: bool) -> Object:
    function: Object = function_of(tool.raw) if is_own and tool.raw is not None else {"type": "function"}
    function["name"] = tool.name
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.schema if tool.schema is not None else _nothing(tool.is_strict)
    if tool.is_strict is not None or not is_own:  # unsaid, it would be strict where it can be
        function["strict"] = tool.is_strict is True
    return function


def _nothing(is_strict: bool | None) -> Object:
    """What a function without parameters takes."""
    schema: Object = {"type": "object", "properties": {}}
    return {**schema, "required": [], "additionalProperties": False} if is_strict else schema


def _write_settings(body: Object, conversation: Conversation, deployment: Deployment) -> set[Setting]:
    """Fill in the settings; which of them could be said."""
    settings, names = takeable(conversation, deployment), conversation.names
    said = {setting for setting in conversation.settings if setting not in settings}
    include = list(settings.get(Setting.INCLUDE, ())) if conversation.origin == NAME else []
    same = _SAME | _OWN if conversation.origin == NAME else _SAME
    for setting, value in settings.items():
        name = same.get(setting)
        if name is not None:
            body[name] = value
        elif setting in _WRITERS:
            _merge(body, _WRITERS[setting](value))
        elif setting is not Setting.INCLUDE or not include:
            continue
        said.add(setting)
    limit = settings.get(Setting.MAX_OUTPUT_TOKENS)
    if limit is not None and limit < MIN_OUTPUT_TOKENS:
        least = f"the least there is {MIN_OUTPUT_TOKENS} tokens"
        raise unsayable(names.get(Setting.MAX_OUTPUT_TOKENS, "max_output_tokens"), least)
    if names.get(Setting.USER) == "safety_identifier":
        body["safety_identifier"] = body.pop("user")
    if Setting.LOGPROBS in settings:
        include.append(LOGPROBS)
    if _REASONS.search(deployment.model):
        include.append(ENCRYPTED)
    if include:
        body["include"] = include
    return said


def _merge(body: Object, more: Object) -> None:
    """`text` is said by two settings."""
    for name, value in more.items():
        body[name] = {**body[name], **value} if isinstance(body.get(name), dict) else value


def _logprobs(value: int) -> Object:
    return {"top_logprobs": value} if value else {}


def _choice(value: ToolChoice) -> Object:
    named = [{"type": "function", "name": name} for name in value.names]
    if value.mode == "named" and len(named) == 1:
        return {"tool_choice": named[0]}
    if named:
        mode = "required" if value.mode == "named" else value.mode
        return {"tool_choice": {"type": "allowed_tools", "mode": mode, "tools": named}}
    return {"tool_choice": value.mode}


def _format(value: Format) -> Object:
    if value.kind == "json_object" or value.schema is None:
        return {"text": {"format": {"type": "json_object"}}}
    made: Object = {"type": "json_schema", "name": value.name or "answer", "schema": value.schema}
    if value.description:
        made["description"] = value.description
    if value.is_strict is not None:
        made["strict"] = value.is_strict
    return {"text": {"format": made}}


def _verbosity(value: str) -> Object:
    return {"text": {"verbosity": value}}


def _reasoning(value: Reasoning) -> Object:
    asked: Object = {}
    effort = _effort_of(value)
    if effort is not None:
        asked["effort"] = effort
    if value.summary or value.is_shown:
        asked["summary"] = value.summary or "auto"
    return {"reasoning": asked} if asked else {}


def _effort_of(value: Reasoning) -> str | None:
    if value.effort is not None:
        return value.effort
    if value.is_on is False or value.budget_tokens == 0:
        return "none"
    if value.budget_tokens is None or value.budget_tokens < 0:
        return None
    return next((effort for most, effort in _EFFORTS if value.budget_tokens <= most), "high")


_WRITERS: dict[Setting, Callable[[Any], Object]] = {
    Setting.LOGPROBS: _logprobs,
    Setting.TOOL_CHOICE: _choice,
    Setting.FORMAT: _format,
    Setting.VERBOSITY: _verbosity,
    Setting.REASONING: _reasoning,
}
