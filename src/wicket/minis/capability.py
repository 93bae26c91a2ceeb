"""What a local model was seen to be able to do: its capability card, made by a suite of cases. Pure.

`capabilities/MODEL.json` in the data folder, one file per model, whole each time it is measured anew.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from wicket.errors import OperatorFault

FOLDER = "capabilities"
VERSION = 1
_MAX_NAME = 160
_UNSAFE = re.compile(rb"[^A-Za-z0-9._-]|^\.|\.(?=\.)")


class KindScore(msgspec.Struct, frozen=True):
    """So many cases of a kind, and how many of them the model got right."""

    right: int
    num: int


class CapabilityCard(msgspec.Struct, frozen=True, kw_only=True):
    """One model's scores by kind of task. `suite` is the hash of the cases, `created_ms` Unix time."""

    version: int = VERSION
    model: str
    created_ms: int
    suite: str
    kinds: dict[str, KindScore]


_decode = msgspec.json.Decoder(CapabilityCard).decode


def file_name(model: str) -> str:
    """The name of a model's card; whatever the model is called, it stays inside the folder."""
    name = _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], model.encode("utf-8", "replace")).decode()
    if len(name) > _MAX_NAME:
        name = f"{name[:_MAX_NAME]}-{hashlib.sha256(model.encode('utf-8', 'replace')).hexdigest()[:16]}"
    return f"{name}.json"


def read_capability(data: bytes) -> CapabilityCard:
    """The card in a file's bytes. Raises `OperatorFault` for one that is damaged or of a newer version."""
    try:
        card = _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"A capability card can't be read ({error}): measure the model again."
        raise OperatorFault("bad_capability", message) from None
    if card.version != VERSION:
        message = f"A capability card has version {card.version}, this Wicket reads {VERSION}: update Wicket."
        raise OperatorFault("bad_capability", message)
    return card
