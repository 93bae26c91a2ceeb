"""A caller's `generateContent` body as a conversation.

Source: ai.google.dev/api/generate-content and the recorded requests; both spellings of every name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wicket.dialects.gemini import objects
from wicket.dialects.gemini.objects import Members
from wicket.dialects.gemini.part_reading import ORIGIN, Pairing, read_part
from wicket.dialects.gemini.schemas import to_json_schema
from wicket.dialects.gemini.settings_reading import read_generation_config, read_tool_config
from wicket.dialects.hub import Conversation, Part, Setting, Text, Thinking, Tool, ToolResult, Turn
from wicket.errors import CallerFault
from wicket.routing.deployment import OURS
from wicket.wire.fields import Fields

ROLES = {"": "user", "user": "user", "model": "assistant", "function": "user", "tool": "user"}
NOT_THEIRS = (*OURS, "model", "stream")
"""Ours, or put there from the path: none of them is Gemini's."""

_HARMLESS = frozenset({"BLOCK_NONE", "OFF", "HARM_BLOCK_THRESHOLD_UNSPECIFIED"})


def read_request(fields: Fields) -> Conversation:
    """The request's meaning. Raises `CallerFault` naming the field."""
    conversation = Conversation(origin=ORIGIN, turns=[])
    found: Members = {}
    spelled: dict[str, str] = {}
    for name, raw in fields.items():
        if name not in NOT_THEIRS and bytes(raw) != b"null":
            found[objects.camel(name)] = raw
            spelled[objects.camel(name)] = name
    _read_system(found.pop("systemInstruction", None), conversation)
    _read_contents(found.pop("contents", None), conversation)
    _read_tools(found.pop("tools", None), conversation)
    for name, read in _SETTINGS.items():
        if name in found:
            read(found.pop(name), conversation)
    conversation.extras = {spelled[name]: raw for name, raw in found.items()}
    return conversation


def _read_system(raw: msgspec.Raw | None, conversation: Conversation) -> None:
    if raw is None:
        return
    path = "systemInstruction"
    parts = _parts(objects.members(raw, path), path, conversation, Pairing())
    if parts:
        conversation.turns.append(Turn(role="system", parts=parts, path=path))


def _read_contents(raw: msgspec.Raw | None, conversation: Conversation) -> None:
    if raw is None:
        raise CallerFault("missing_field", "'contents' is missing.", param="contents")
    if bytes(raw)[:1] == b'"':  # as the SDKs allow it
        conversation.turns.append(_said(objects.text(raw, "contents")))
        return
    pairing = Pairing()
    for path, item in objects.items(raw, "contents"):
        content = objects.members(item, path)
        role = ROLES.get(objects.text(content.get("role"), f"{path}.role"))
        if role is None:
            message = f'\'{path}.role\' must be "user" or "model".'
            raise CallerFault("invalid_value", message, param=f"{path}.role")
        _add_turns(_parts(content, path, conversation, pairing), role, path, conversation)
        conversation.unread += [f"{path}.{name}" for name in content if name not in ("role", "parts")]
    if not conversation.turns:
        raise CallerFault("invalid_value", "'contents' has nothing in it.", param="contents")


def _said(text: str) -> Turn:
    return Turn(role="user", path="contents", parts=[Text(origin=ORIGIN, path="contents", text=text)])


def _parts(content: Members, path: str, conversation: Conversation, pairing: Pairing) -> list[Part]:
    parts = []
    for where, item in objects.items(content.get("parts"), f"{path}.parts"):
        read = read_part(item, where, pairing)
        parts.append(read.part)
        conversation.unread += read.unread
    return parts


def _add_turns(parts: list[Part], role: str, path: str, conversation: Conversation) -> None:
    """One turn per run of results and of everything else.

    A stream comes back from Google's SDKs as it was sent: a content of its own for each chunk. So contents of
    the model in a row are one turn, as are results, and a text that was cut between chunks is whole again.
    """
    for part in parts:
        its_role = "tool" if isinstance(part, ToolResult) else role
        last = conversation.turns[-1] if conversation.turns else None
        goes_on = last is not None and last.role == its_role and (last.path == path or its_role != "user")
        if last is None or not goes_on:
            conversation.turns.append(Turn(role=its_role, parts=[part], path=path))
        elif not (its_role == "assistant" and last.parts and _continues(last.parts[-1], part, path)):
            last.parts.append(part)


def _continues(before: Part, part: Part, path: str) -> bool:
    """Whether `part` is the rest of the one before it, which then takes it in: a next chunk, or its seal."""
    if not isinstance(part, Text | Thinking) or type(before) is not type(part):
        return False
    if before.signature or before.raw is not None or part.raw is not None:
        return False
    is_other_chunk = not before.path.startswith(f"{path}.")
    if not is_other_chunk and not (part.signature and not part.text):
        return False
    before.text += part.text
    before.signature = part.signature
    if isinstance(before, Thinking) and isinstance(part, Thinking):
        before.origin, before.is_redacted = part.origin, part.is_redacted
    return True


def _read_tools(raw: msgspec.Raw | None, conversation: Conversation) -> None:
    for path, item in objects.items(raw, "tools"):
        for name, value in objects.members(item, path).items():
            where = f"{path}.{name}"
            if name == "functionDeclarations":
                for place, declaration in objects.items(value, where):
                    conversation.tools.append(_function(declaration, place, conversation))
            else:
                kind = objects.packed({name: value})
                conversation.tools.append(Tool(kind=name, raw=kind, path=where))


def _function(raw: msgspec.Raw, path: str, conversation: Conversation) -> Tool:
    found = objects.members(raw, path)
    name = objects.text(found.pop("name", None), f"{path}.name")
    if not name:
        raise CallerFault("missing_field", f"'{path}.name' is missing.", param=f"{path}.name")
    schema = found.pop("parametersJsonSchema", None)
    openapi = found.pop("parameters", None)
    if schema is None and openapi is not None:
        schema = to_json_schema(openapi, f"{path}.parameters")
    description = objects.text(found.pop("description", None), f"{path}.description")
    conversation.unread += [f"{path}.{name}" for name in found]
    return Tool(
        name=name,
        description=description,
        schema=schema,
        raw=msgspec.Raw(bytes(raw)) if found else None,
        path=path,
    )


def _read_safety(raw: msgspec.Raw, conversation: Conversation) -> None:
    """Filters that are switched off ask nothing of a provider that has none."""
    thresholds = {
        objects.text(objects.members(item, path).get("threshold"), f"{path}.threshold")
        for path, item in objects.items(raw, "safetySettings")
    }
    if not thresholds:
        return
    if thresholds <= _HARMLESS:
        _keep_hint(conversation, "safetySettings", raw)
        return
    _set(conversation, Setting.SAFETY, "safetySettings", msgspec.Raw(bytes(raw)))


def _read_labels(raw: msgspec.Raw, conversation: Conversation) -> None:
    try:
        labels = msgspec.json.decode(raw, type=dict[str, str])
    except msgspec.DecodeError:
        message = "'labels' must be an object of strings."
        raise CallerFault("invalid_type", message, param="labels") from None
    if labels:
        _set(conversation, Setting.METADATA, "labels", labels)


def _read_tier(raw: msgspec.Raw, conversation: Conversation) -> None:
    tier = objects.text(raw, "serviceTier").lower().removeprefix("service_tier_")
    if tier not in ("", "unspecified"):
        _set(conversation, Setting.SERVICE_TIER, "serviceTier", "default" if tier == "standard" else tier)


def _read_store(raw: msgspec.Raw, conversation: Conversation) -> None:
    _set(conversation, Setting.STORE, "store", objects.flag(raw, "store") is True)


def _own(name: str) -> Callable[[msgspec.Raw, Conversation], None]:
    def read(raw: msgspec.Raw, conversation: Conversation) -> None:
        own = conversation.settings.setdefault(Setting.OWN, {})
        own[name] = msgspec.Raw(bytes(raw))
        conversation.names.setdefault(Setting.OWN, name)

    return read


def _keep_hint(conversation: Conversation, name: str, raw: msgspec.Raw) -> None:
    conversation.settings.setdefault(Setting.OWN_HINTS, {})[name] = msgspec.Raw(bytes(raw))
    conversation.names.setdefault(Setting.OWN_HINTS, name)


def _set(conversation: Conversation, setting: Setting, name: str, value: Any) -> None:
    conversation.settings[setting] = value
    conversation.names[setting] = name


_SETTINGS: dict[str, Callable[[msgspec.Raw, Conversation], None]] = {
    "generationConfig": read_generation_config,
    "toolConfig": read_tool_config,
    "safetySettings": _read_safety,
    "labels": _read_labels,
    "serviceTier": _read_tier,
    "store": _read_store,
    "cachedContent": _own("cachedContent"),
    "modelArmorConfig": _own("modelArmorConfig"),
}
