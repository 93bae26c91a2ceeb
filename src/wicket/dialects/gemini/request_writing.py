"""A conversation as the body of `generateContent`, for one family of models.

Rules kept here (ai.google.dev, function calling and thought signatures): the first turn is the user's; turns
of one role in a row are one; the results of a model's calls stand in the turn right behind it, in the order
of the calls; the first call of each of a model's turns carries a signature where the family demands one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from wicket.dialects.contract import Body
from wicket.dialects.gemini import seals
from wicket.dialects.gemini.families import Family, family_of
from wicket.dialects.gemini.part_writing import ORIGIN, PartWriter
from wicket.dialects.gemini.settings_writing import SettingsWriter
from wicket.dialects.gemini.tool_writing import write_tools
from wicket.dialects.hub import Conversation, Part, Text, Turn, leave_out, unsayable
from wicket.errors import CallerFault
from wicket.routing.deployment import Deployment
from wicket.wire import json


def write_request(conversation: Conversation, deployment: Deployment, *, streamed: bool) -> Body:
    """The body and what was left out, in the caller's names. Raises `CallerFault` likewise."""
    family = family_of(deployment.model)
    is_vertex = "/publishers/" in deployment.base_path
    body: dict[str, Any] = {}
    parts = PartWriter(family, is_vertex=is_vertex, is_own=conversation.origin == ORIGIN)
    writer = _Contents(family, parts)
    writer.write(conversation.turns)
    body["contents"] = writer.contents
    if writer.system:
        body["systemInstruction"] = {"parts": writer.system}
    tools, tool_losses = write_tools(conversation, family)
    if tools:
        body["tools"] = tools
    settings = SettingsWriter(conversation, family, is_vertex=is_vertex)
    settings.write(body)
    dropped = [*leave_out(conversation, settings.said), *writer.losses, *tool_losses, *settings.losses]
    if conversation.origin == ORIGIN:  # Gemini's own parts go back as they came
        dropped = [name for name in dropped if name not in set(conversation.unread)]
    for name, raw in conversation.extras.items():
        body.setdefault(name, raw)
    return Body(json.encode(body), tuple(dict.fromkeys(dropped)))


_NOTHING_SAID: list[dict[str, Any]] = [{"text": ""}]
"""A user's turn without words: recorded to be accepted beside a system instruction, and as a first turn."""


class _Contents:
    """`contents` and `systemInstruction` as they grow."""

    def __init__(self, family: Family, parts: PartWriter) -> None:
        self.contents: list[dict[str, Any]] = []
        self.system: list[dict[str, Any]] = []
        self.losses: list[str] = []
        self._family = family
        self._parts = parts

    def write(self, turns: Iterable[Turn]) -> None:
        for turn in turns:
            if turn.role == "system":
                self._add_system(turn)
            else:
                role = "model" if turn.role == "assistant" else "user"
                parts = [one for part in turn.parts for one in self._part(part)]
                self._add(role, parts or (_NOTHING_SAID if turn.role == "user" else []))
            if turn.name:
                self.losses.append(f"{turn.path}.name")
        if not self.contents and not self.system:
            raise CallerFault("invalid_value", "There is no message to answer.", param=None)
        if not self.contents or self.contents[0]["role"] == "model":
            self.contents.insert(0, {"role": "user", "parts": [*_NOTHING_SAID]})
        _put_results_behind_their_calls(self.contents)
        if self._family.signs:
            _sign_calls(self.contents)

    def _part(self, part: Part) -> list[dict[str, Any]]:
        written = self._parts.write(part)
        self.losses += written.losses
        return written.parts

    def _add_system(self, turn: Turn) -> None:
        for part in turn.parts:
            if not isinstance(part, Text):
                raise unsayable(part.path or turn.path, "a system instruction is text")
            self.system += self._part(part)

    def _add(self, role: str, parts: list[dict[str, Any]]) -> None:
        if not parts:
            return
        last = self.contents[-1] if self.contents else None
        if last is not None and last["role"] == role:
            if parts != _NOTHING_SAID:
                last["parts"] = parts if last["parts"] == _NOTHING_SAID else last["parts"] + parts
        else:
            self.contents.append({"role": role, "parts": [*parts]})


def _put_results_behind_their_calls(contents: list[dict[str, Any]]) -> None:
    """Results first in their turn, in the order of the calls; what stood between them comes after."""
    for i, content in enumerate(contents[1:], 1):
        parts = content["parts"]
        if content["role"] != "user" or not any("functionResponse" in part for part in parts):
            continue
        calls = [_id_of(part, "functionCall") for part in contents[i - 1]["parts"] if "functionCall" in part]
        places = {id: place for place, id in enumerate(calls)}
        results = [part for part in parts if "functionResponse" in part]
        results.sort(key=lambda part: places.get(_id_of(part, "functionResponse"), len(places)))
        content["parts"] = results + [part for part in parts if "functionResponse" not in part]


def _id_of(part: dict[str, Any], name: str) -> str:
    inner = part[name]
    if isinstance(inner, msgspec.Raw):
        inner = json.decode(inner)
    return str(inner.get("id", ""))


def _sign_calls(contents: list[dict[str, Any]]) -> None:
    """A call that no Gemini model signed gets the documented stand-in: without it the request is a 400."""
    for content in contents:
        calls = [part for part in content["parts"] if "functionCall" in part]
        is_signed = any(key in part for part in calls for key in ("thoughtSignature", "thought_signature"))
        if calls and not is_signed:
            calls[0]["thoughtSignature"] = seals.UNSIGNED
