"""What a deployment's quirks (`wire.quirks`) make of a request that is written anew.

Sources: the providers' API references (DeepSeek "thinking mode", Moonshot "thinking", Z.ai "thinking.type",
Alibaba Model Studio `enable_thinking`, Groq "reasoning", OpenRouter "reasoning tokens").
"""

from __future__ import annotations

import re
from typing import Any

from wicket.dialects.hub import Conversation, Reasoning, Setting, unsayable
from wicket.routing.deployment import Deployment
from wicket.wire.quirks import Quirks

NEW_LIMIT = "max_completion_tokens"
_NEW_LIMIT = re.compile(r"(^|/)(o[1-9]|gpt-[5-9]|codex)", re.IGNORECASE)
_EFFORTS = ((2_048, "low"), (12_288, "medium"))  # a budget of so many tokens is at most this effort
_BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192}  # beyond that a model's own limit holds
_NEUTRAL = {Setting.TEMPERATURE: 1.0, Setting.TOP_P: 1.0}
_NAME = re.compile(r"[a-zA-Z0-9_-]+")

Message = dict[str, Any]


def limit_name(deployment: Deployment) -> str:
    """The output limit's name at this deployment: OpenAI's newer models have theirs wherever they run."""
    is_new = deployment.quirks.has_new_limit(deployment.model) or _NEW_LIMIT.search(deployment.model)
    return NEW_LIMIT if is_new and NEW_LIMIT not in deployment.rename else "max_tokens"


def takeable(conversation: Conversation, deployment: Deployment) -> dict[Setting, Any]:
    """The settings without those that the model answers with an error. Raises `CallerFault` naming one."""
    refused = deployment.quirks.refused(deployment.model)
    found = dict(conversation.settings)
    for setting in conversation.settings:
        if setting.value not in refused:
            continue
        if found.pop(setting) != _NEUTRAL.get(setting):
            raise unsayable(conversation.names.get(setting, setting.value), "this model takes none")
    return found


def check_names(conversation: Conversation, quirks: Quirks) -> None:
    """Raise `CallerFault` for a function whose name the provider does not take."""
    for tool in conversation.tools if quirks.name_chars else ():
        if tool.kind != "function":
            continue
        if len(tool.name) > quirks.name_chars or _NAME.fullmatch(tool.name) is None:
            what = f"a name there has up to {quirks.name_chars} letters, digits, _ and -"
            raise unsayable(f"{tool.path}.name", what)


def ask_for_thinking(value: Reasoning, deployment: Deployment) -> Message:
    """The fields that ask for so much thinking, in the provider's words; never two ways of saying it."""
    match deployment.quirks.thinking:
        case "openrouter":
            return _by_openrouter(value)
        case "type":
            return {"thinking": {"type": "enabled" if _is_on(value) else "disabled"}}
        case "enable":
            return _by_flag(value)
        case "groq":
            return _by_groq(value, deployment.model)
    effort = _effort_of(value)
    return {"reasoning_effort": effort} if effort is not None else {}


def _effort_of(value: Reasoning) -> str | None:
    if value.effort is not None:
        return value.effort
    if value.is_on is False or value.budget_tokens == 0:
        return "none"
    if value.budget_tokens is None or value.budget_tokens < 0:
        return None
    return next((effort for most, effort in _EFFORTS if value.budget_tokens <= most), "high")


def _is_on(value: Reasoning) -> bool:
    return _effort_of(value) != "none"


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


def _by_flag(value: Reasoning) -> Message:
    asked: Message = {"enable_thinking": _is_on(value)}
    budget = value.budget_tokens or _BUDGETS.get(value.effort or "", 0)
    if budget > 0 and asked["enable_thinking"]:
        asked["thinking_budget"] = budget
    return asked


def _by_groq(value: Reasoning, model: str) -> Message:
    """Qwen's models know "none" and "default" and mix thoughts into the text unless they are "parsed"."""
    effort = _effort_of(value)
    if "gpt-oss" in model:
        asked: Message = {"include_reasoning": value.is_shown} if value.is_shown is not None else {}
        word = {"none": "low", "minimal": "low", "xhigh": "high", "max": "high"}.get(effort or "", effort)
        return asked | ({"reasoning_effort": word} if word is not None else {})
    asked = {"reasoning_format": "hidden" if value.is_shown is False else "parsed"}
    if effort is not None:
        asked["reasoning_effort"] = "none" if effort == "none" else "default"
    return asked
