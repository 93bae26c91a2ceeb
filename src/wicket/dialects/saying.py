"""What the writers of requests share: a call's arguments, an empty schema, a request while it grows."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.hub import Conversation, Setting, Tool, ToolCall, unsayable
from wicket.errors import CallerFault
from wicket.routing.deployment import Deployment
from wicket.wire import json

NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')
"""The schema of a function that takes nothing."""


def arguments_of(call: ToolCall) -> str:
    """A call's arguments, the JSON text of an object. Raises `CallerFault` naming the call for any other."""
    text = call.arguments.strip() or "{}"
    try:
        json.decode(text, type=dict[str, msgspec.Raw])
    except (json.DecodeError, RecursionError):
        message = f"The arguments of '{call.path}' must be the JSON text of an object."
        raise CallerFault("invalid_value", message, param=call.path) from None
    return text


class Saying:
    """One request while it is written.

    `said` are the settings that the dialect had a word for, `dropped` the caller's names of what was left
    out, `fields` the body.
    """

    def __init__(self, conversation: Conversation, deployment: Deployment) -> None:
        self.conversation = conversation
        self.deployment = deployment
        self.said: set[Setting] = set()
        self.dropped: list[str] = []
        self.fields: dict[str, Any] = {"model": deployment.model}

    def get(self, setting: Setting) -> Any:
        """A setting's value, which from now on is said; None if the caller did not ask for it."""
        value = self.conversation.settings.get(setting)
        if value is not None:
            self.said.add(setting)
        return value

    def name(self, setting: Setting) -> str:
        """The caller's own path of it."""
        return self.conversation.names.get(setting, setting.value)

    def is_one_answer(self) -> None:
        """A single choice is what a dialect without the word gives."""
        if self.conversation.settings.get(Setting.NUM_CHOICES) == 1:
            self.said.add(Setting.NUM_CHOICES)

    def needs_no_order(self, tools: list[Any]) -> None:
        """Calls one at a time can't be asked for; without tools there is none to be ordered."""
        if self.conversation.settings.get(Setting.PARALLEL_TOOLS) is not False or not tools:
            self.said.add(Setting.PARALLEL_TOOLS)

    def function(self, tool: Tool) -> Tool:
        """A tool that is a function, its mark told to be left out. Raises `CallerFault` for any other."""
        if tool.kind != "function":
            raise unsayable(tool.path, f"a tool of type '{tool.kind}' belongs to another provider")
        if tool.cache is not None:
            self.dropped.append(f"{tool.path}.cache_control")
        return tool
