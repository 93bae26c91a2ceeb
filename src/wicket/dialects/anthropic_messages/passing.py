"""The one thing that must not pass untouched between two ends of this dialect: thoughts of another family.

A conversation that began at another provider holds them in blocks of our own making (`carrier`). Anthropic
would refuse their signatures, and its guide says to leave out blocks of other models.
"""

from __future__ import annotations

import msgspec

from wicket.dialects.anthropic_messages.carrier import MARK
from wicket.wire import json
from wicket.wire.fields import Fields

_MARK = MARK.encode()


class _Thought(msgspec.Struct):
    type: str = ""
    signature: str | None = None
    data: str | None = None


def without_carried(fields: Fields) -> tuple[bytes | None, tuple[str, ...]]:
    """`messages` without such blocks and the paths of those; None where there is none to leave out."""
    raw = fields.get("messages")
    if raw is None or _MARK not in bytes(raw):
        return None, ()
    try:
        messages = json.decode(raw, type=list[dict[str, msgspec.Raw]])
    except json.DecodeError:
        return None, ()
    dropped: list[str] = []
    kept = []
    for number, message in enumerate(messages):
        blocks = _blocks(message.get("content"))
        left = []
        for place, block in enumerate(blocks or ()):
            if _is_carried(block):
                dropped.append(f"messages[{number}].content[{place}]")
            else:
                left.append(block)
        if blocks is None or len(left) == len(blocks):
            kept.append(message)
        elif left:
            kept.append({**message, "content": msgspec.Raw(json.encode(left))})
    return (json.encode(kept), tuple(dropped)) if dropped else (None, ())


def _blocks(content: msgspec.Raw | None) -> list[msgspec.Raw] | None:
    if content is None:
        return None
    try:
        return json.decode(content, type=list[msgspec.Raw])
    except json.DecodeError:
        return None  # a string


def _is_carried(block: msgspec.Raw) -> bool:
    if _MARK not in bytes(block):
        return False
    try:
        thought = json.decode(block, type=_Thought)
    except json.DecodeError:
        return False
    return (thought.type == "thinking" and (thought.signature or "").startswith(MARK)) or (
        thought.type == "redacted_thinking" and (thought.data or "").startswith(MARK)
    )
