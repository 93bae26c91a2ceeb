"""A conversation as the body of Converse.

Rules kept here (API reference, "Message" and "ContentBlock"): turns of one role in a row are one; the first
is the user's; the results of calls stand first in the turn behind them; a document has a text beside it; no
text is blank.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wicket.dialects.bedrock_converse.block_writing import Block, BlockWriter
from wicket.dialects.bedrock_converse.families import Family, family_of
from wicket.dialects.bedrock_converse.settings_writing import SettingsWriter
from wicket.dialects.bedrock_converse.tool_writing import write_tools
from wicket.dialects.contract import Body
from wicket.dialects.hub import Conversation, Part, Text, Turn, leave_out, unsayable
from wicket.errors import CallerFault
from wicket.routing.deployment import Deployment
from wicket.wire import json

_NOTHING_SAID = {"text": "."}
"""A user's turn without words, where Converse wants one: a blank text would be refused."""
_BESIDE_DOCUMENTS = {"text": "The document is attached."}


def write_request(conversation: Conversation, deployment: Deployment, *, streamed: bool) -> Body:
    """The body and what was left out, in the caller's names. Raises `CallerFault` likewise.

    Whether it streams is said by the target alone.
    """
    family = family_of(deployment.model)
    writer = BlockWriter(family)
    turns = _Turns(family, writer)
    turns.write(conversation.turns)
    body: dict[str, Any] = {"messages": turns.messages}
    if turns.system:
        body["system"] = turns.system
    write_tools(body, conversation, family, writer)
    settings = SettingsWriter(conversation, deployment, family)
    settings.write(body)
    dropped = [*leave_out(conversation, settings.said), *writer.dropped, *settings.losses]
    for name, raw in conversation.extras.items():
        body.setdefault(name, raw)
    return Body(json.encode(body), tuple(dict.fromkeys(dropped)))


class _Turns:
    """`messages` and `system` as they grow."""

    def __init__(self, family: Family, writer: BlockWriter) -> None:
        self.messages: list[dict[str, Any]] = []
        self.system: list[Block] = []
        self._family = family
        self._writer = writer

    def write(self, turns: Iterable[Turn]) -> None:
        for turn in turns:
            if turn.name:
                self._writer.dropped.append(f"{turn.path}.name")
            if turn.role == "system":
                self._add_system(turn.parts, turn.path)
            else:
                role = "assistant" if turn.role == "assistant" else "user"
                self._add(role, [block for part in turn.parts for block in self._writer.blocks(part)])
        if not self.messages and not self.system:
            raise CallerFault("invalid_value", "There is no message to answer.", param=None)
        if not self.messages or self.messages[0]["role"] == "assistant":
            self.messages.insert(0, {"role": "user", "content": [_NOTHING_SAID]})
        for message in self.messages:
            message["content"] = _in_order(message["content"])

    def _add_system(self, parts: Iterable[Part], path: str) -> None:
        for part in parts:
            if not isinstance(part, Text):
                raise unsayable(part.path or path, "a system message is text there")
            self.system += self._writer.blocks(part)

    def _add(self, role: str, blocks: list[Block]) -> None:
        last = self.messages[-1] if self.messages else None
        if last is not None and last["role"] == role:
            last["content"] += blocks
        elif blocks:
            self.messages.append({"role": role, "content": blocks})


def _in_order(blocks: list[Block]) -> list[Block]:
    """Results first, each with the caching mark behind it; a text where there are documents without one."""
    results: list[Block] = []
    others: list[Block] = []
    into = others
    for block in blocks:
        if "cachePoint" not in block:
            into = results if "toolResult" in block else others
        into.append(block)
    has_document = any("document" in block for block in others)
    if has_document and not any("text" in block for block in others):
        others.append(_BESIDE_DOCUMENTS)
    return results + others
