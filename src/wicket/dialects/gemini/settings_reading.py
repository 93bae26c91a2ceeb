"""`generationConfig` and `toolConfig` as the hub's settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wicket.dialects.gemini import objects
from wicket.dialects.gemini.objects import Members
from wicket.dialects.gemini.schemas import to_json_schema
from wicket.dialects.hub import Conversation, Format, Reasoning, Setting, ToolChoice
from wicket.errors import CallerFault

CONFIG = "generationConfig"
TOOL_CONFIG = "toolConfig"

_Reader = Callable[[msgspec.Raw, str], Any]
_PLAIN: dict[str, tuple[Setting, _Reader]] = {
    "maxOutputTokens": (Setting.MAX_OUTPUT_TOKENS, objects.whole),
    "temperature": (Setting.TEMPERATURE, objects.number),
    "topP": (Setting.TOP_P, objects.number),
    "topK": (Setting.TOP_K, objects.whole),
    "seed": (Setting.SEED, objects.whole),
    "frequencyPenalty": (Setting.FREQUENCY_PENALTY, objects.number),
    "presencePenalty": (Setting.PRESENCE_PENALTY, objects.number),
    "stopSequences": (Setting.STOP, objects.texts),
}
_OWN = frozenset(
    {"imageConfig", "responseFormat", "translationConfig", "audioTranscriptionConfig"}
    | {"routingConfig", "modelSelectionConfig"}
)
EFFORTS = ("minimal", "low", "medium", "high", "xhigh")


def read_generation_config(raw: msgspec.Raw, conversation: Conversation) -> None:
    """Every member is a setting, one of Gemini's own, or an unknown hint. Raises `CallerFault`."""
    found = objects.members(raw, CONFIG)
    for name, (setting, read) in _PLAIN.items():
        if name in found:
            value = read(found.pop(name), f"{CONFIG}.{name}")
            if value != ():
                _set(conversation, setting, name, value)
    _read_count(found, conversation)
    _read_logprobs(found, conversation)
    _read_format(found, conversation)
    _read_thinking(found, conversation)
    _read_modalities(found, conversation)
    for name, value in found.items():
        path = f"{CONFIG}.{name}"
        if name == "speechConfig":
            _set(conversation, Setting.AUDIO, name, msgspec.Raw(bytes(value)))
            continue
        kept = Setting.OWN if name in _OWN else Setting.OWN_HINTS
        conversation.settings.setdefault(kept, {})[path] = msgspec.Raw(bytes(value))
        conversation.names.setdefault(kept, path)


def _set(conversation: Conversation, setting: Setting, name: str, value: Any) -> None:
    conversation.settings[setting] = value
    conversation.names[setting] = f"{CONFIG}.{name}"


def _read_count(found: Members, conversation: Conversation) -> None:
    if "candidateCount" in found:
        count = objects.whole(found.pop("candidateCount"), f"{CONFIG}.candidateCount")
        if count != 1:
            _set(conversation, Setting.NUM_CHOICES, "candidateCount", count)


def _read_logprobs(found: Members, conversation: Conversation) -> None:
    wanted = objects.flag(found.pop("responseLogprobs", None), f"{CONFIG}.responseLogprobs")
    raw = found.pop("logprobs", None)
    if not wanted:
        if raw is not None:
            message = f"'{CONFIG}.logprobs' needs 'responseLogprobs': true."
            raise CallerFault("invalid_value", message, param=f"{CONFIG}.logprobs")
        return
    number = objects.whole(raw, f"{CONFIG}.logprobs") if raw is not None else 0
    _set(conversation, Setting.LOGPROBS, "responseLogprobs", number)


def _read_format(found: Members, conversation: Conversation) -> None:
    kind = objects.text(found.get("responseMimeType"), f"{CONFIG}.responseMimeType")
    if kind in ("", "text/plain"):
        if "responseSchema" in found or "responseJsonSchema" in found:
            message = f"A schema needs '{CONFIG}.responseMimeType': \"application/json\"."
            raise CallerFault("invalid_value", message, param=f"{CONFIG}.responseMimeType")
        found.pop("responseMimeType", None)
        return
    if kind != "application/json":  # e.g. text/x.enum: kept whole, and refused by other families
        own = conversation.settings.setdefault(Setting.OWN, {})
        for name in ("responseMimeType", "responseSchema", "responseJsonSchema"):
            if name in found:
                own[f"{CONFIG}.{name}"] = msgspec.Raw(bytes(found.pop(name)))
        conversation.names.setdefault(Setting.OWN, f"{CONFIG}.responseMimeType")
        return
    found.pop("responseMimeType")
    openapi, schema = found.pop("responseSchema", None), found.pop("responseJsonSchema", None)
    if schema is None and openapi is not None:
        schema = to_json_schema(openapi, f"{CONFIG}.responseSchema")
        name = "responseSchema"
    else:
        name = "responseJsonSchema" if schema is not None else "responseMimeType"
    asked = Format(kind="json_object" if schema is None else "json_schema", schema=schema)
    _set(conversation, Setting.FORMAT, name, asked)


def _read_thinking(found: Members, conversation: Conversation) -> None:
    if "thinkingConfig" not in found:
        return
    path = f"{CONFIG}.thinkingConfig"
    inner = objects.members(found.pop("thinkingConfig"), path)
    level = objects.text(inner.pop("thinkingLevel", None), f"{path}.thinkingLevel").lower()
    level = "" if level == "thinking_level_unspecified" else level
    if level and level not in EFFORTS:
        message = f"'{path}.thinkingLevel' must be one of {', '.join(EFFORTS)}."
        raise CallerFault("invalid_value", message, param=f"{path}.thinkingLevel")
    raw = inner.pop("thinkingBudget", None)
    budget = objects.whole(raw, f"{path}.thinkingBudget") if raw is not None else None
    is_on = None if budget is None else budget != 0
    asked = Reasoning(
        effort=level or None,
        budget_tokens=budget if budget is not None and budget > 0 else None,
        is_on=is_on,
        is_shown=objects.flag(inner.pop("includeThoughts", None), f"{path}.includeThoughts"),
    )
    conversation.unread += [f"{path}.{name}" for name in inner]
    if asked != Reasoning():
        _set(conversation, Setting.REASONING, "thinkingConfig", asked)


def _read_modalities(found: Members, conversation: Conversation) -> None:
    path = f"{CONFIG}.responseModalities"
    wanted = tuple(word.lower() for word in objects.texts(found.pop("responseModalities", None), path))
    if wanted not in ((), ("text",)):
        _set(conversation, Setting.MODALITIES, "responseModalities", wanted)


def read_tool_config(raw: msgspec.Raw, conversation: Conversation) -> None:
    """The mode and the names it is narrowed to; the rest is Gemini's own and a hint."""
    found = objects.members(raw, TOOL_CONFIG)
    calling = found.pop("functionCallingConfig", None)
    hints = {f"{TOOL_CONFIG}.{name}": value for name, value in found.items()}
    if calling is not None:
        hints |= _read_calling(calling, f"{TOOL_CONFIG}.functionCallingConfig", conversation)
    if hints:
        kept = conversation.settings.setdefault(Setting.OWN_HINTS, {})
        kept.update({name: msgspec.Raw(bytes(value)) for name, value in hints.items()})
        conversation.names.setdefault(Setting.OWN_HINTS, next(iter(hints)))


_MODES = {"": "auto", "MODE_UNSPECIFIED": "auto", "AUTO": "auto", "VALIDATED": "auto", "NONE": "none"}


def _read_calling(raw: msgspec.Raw, path: str, conversation: Conversation) -> dict[str, msgspec.Raw]:
    found = objects.members(raw, path)
    word = found.pop("mode", None)
    mode = objects.text(word, f"{path}.mode").upper()
    names = objects.texts(found.pop("allowedFunctionNames", None), f"{path}.allowedFunctionNames")
    if mode == "ANY":
        choice = ToolChoice("named" if len(names) == 1 else "required", names)
    elif mode in _MODES:
        choice = ToolChoice(_MODES[mode], names)
    else:
        message = f"'{path}.mode' must be AUTO, ANY, NONE or VALIDATED."
        raise CallerFault("invalid_value", message, param=f"{path}.mode")
    if choice != ToolChoice("auto"):
        conversation.settings[Setting.TOOL_CHOICE] = choice
        conversation.names[Setting.TOOL_CHOICE] = path
    hints = {f"{path}.{name}": value for name, value in found.items()}
    if mode == "VALIDATED" and word is not None:  # stricter than "auto": only Gemini knows it
        hints[f"{path}.mode"] = word
    return hints
