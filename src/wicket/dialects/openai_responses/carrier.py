"""Seals of thoughts on their way through a Responses caller, who sends reasoning items back as they came.

`encrypted_content` is the seal. OpenAI's own belongs to an item's id, so that the hub's signature holds both:
`rs_1.gAAA…`. A thought of another family carries its origin there, and a tool call's seal (Gemini's) travels
in a reasoning item of its own behind the call. Reading the request takes all of it apart again; what reaches
a Responses provider never has it.
"""

from __future__ import annotations

import re

from wicket.dialects.hub import Thinking, ToolCall

MARK = "wicket."
_CALL = "call."
_OWN = re.compile(r"(rs_[A-Za-z0-9_-]{1,128})\.(.*)", re.DOTALL)


def own_seal(item_id: str, encrypted: str) -> str:
    """OpenAI's seal with its item's id; "" for no seal."""
    return f"{item_id}.{encrypted}" if encrypted and item_id.startswith("rs_") else encrypted


def split_own(signature: str) -> tuple[str, str]:
    """The item's id ("" if unknown) and its encrypted content."""
    found = _OWN.fullmatch(signature)
    return (found[1], found[2]) if found is not None else ("", signature)


def pack(part: Thinking) -> str:
    """The encrypted content that carries a thought of another family, sealed or not."""
    kind = "r" if part.is_redacted else "t"
    return f"{MARK}{part.origin or 'unknown'}.{kind}.{part.signature}"


def unpack(encrypted: str) -> Thinking | None:
    """The thought (without its text) behind what `pack` made; None for anything else."""
    if not is_carried(encrypted):
        return None
    origin, _, rest = encrypted.removeprefix(MARK).partition(".")
    kind, _, signature = rest.partition(".")
    return Thinking(origin=origin, signature=signature, is_redacted=kind == "r")


def pack_call(part: ToolCall) -> str:
    """The encrypted content that carries a tool call's seal."""
    return f"{MARK}{_CALL}{part.origin or 'unknown'}.{len(part.id)}.{part.id}{part.signature}"


def unpack_call(encrypted: str) -> tuple[str, str, str] | None:
    """Origin, the call's id and its seal; None for anything else."""
    start = MARK + _CALL
    if not encrypted.startswith(start):
        return None
    origin, _, rest = encrypted.removeprefix(start).partition(".")
    length, _, rest = rest.partition(".")
    if not (length.isascii() and length.isdecimal() and len(length) < 6) or int(length) > len(rest):
        return None
    return origin, rest[: int(length)], rest[int(length) :]


def is_carried(encrypted: object) -> bool:
    """Whether it is one of ours."""
    return isinstance(encrypted, str) and encrypted.startswith(MARK)
