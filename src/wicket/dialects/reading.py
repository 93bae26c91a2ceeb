"""A caller's request while a dialect reads it, for those that take it apart as a `Node`."""

from __future__ import annotations

import msgspec

from wicket.dialects.hub import Conversation, Setting
from wicket.wire.node import Node


class Reading(msgspec.Struct, frozen=True):
    """The request's fields, and the conversation that they become."""

    root: Node
    conversation: Conversation

    def set(self, setting: Setting, value: object, name: str) -> None:
        """What the caller asked for by `name`, its own path of it."""
        self.conversation.settings[setting] = value
        self.conversation.names[setting] = name

    def keep(self, setting: Setting, name: str) -> None:
        """A field that the family alone understands: `Setting.OWN` or `OWN_HINTS`. Absent says nothing."""
        raw = self.root.raw(name)
        if raw is not None:
            self.conversation.settings.setdefault(setting, {})[name] = raw
            self.conversation.names.setdefault(setting, name)
