"""What crosses between dialects besides conversations: texts and their vectors, documents and their ranking.

As in the hub, a reader names what it does not know, a writer what it can't say: that is left out and
reported, or refused where the answer would be another (`left_out`). Numbers stay the JSON that they came as.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from wicket.dialects.contract import Counts
from wicket.dialects.hub import unsayable
from wicket.errors import CallerFault, UpstreamBroken
from wicket.routing.deployment import OURS
from wicket.wire import fields as top
from wicket.wire import json
from wicket.wire.fields import Fields

EMBEDDINGS, RERANK = "embeddings", "rerank"
MAX_VECTORS = 100_000
HINTS = frozenset({"user", "task", "truncate", "priority"})
"""Settings without which the answer is still what was asked for. A text that is too long is an error where
it is not cut, so a wish to cut loses nothing silently; a model that knows no tasks has one kind of vector."""

_NUMBER = re.compile(rb"-?[0-9][0-9.eE+-]*")
_decode_numbers = msgspec.json.Decoder(list[float]).decode


class Ask(msgspec.Struct, kw_only=True):
    """What both requests have. `settings` are what the caller set, `names` the caller's own path of each.

    `unread` can't cross and is reported; `extras` are unknown fields, which go to whoever is asked.
    """

    settings: dict[str, Any] = {}
    names: dict[str, str] = {}
    unread: list[str] = []
    extras: dict[str, msgspec.Raw] = {}

    def note(self, setting: str, name: str, value: Any) -> None:
        """Take a setting over, unless it is None."""
        if value is not None:
            self.settings[setting] = value
            self.names[setting] = name


class Texts(Ask, kw_only=True):
    """A request for embeddings.

    Settings: `dimensions` [int], `task` [str: "query", "document", "classification", "clustering",
    "similarity", or another family's own word], `truncate` [str: "none", "start", "end"], `title` [str],
    `user` [str]. `is_base64`: the caller wants vectors as base64 of little-endian float32 (OpenAI).
    `is_single`: one text that is answered by one vector (Gemini).
    """

    texts: list[str]
    is_base64: bool = False
    is_single: bool = False


class Vectors(msgspec.Struct, kw_only=True):
    """The answer: for each text, in order, a JSON array of numbers. `counts` is None if not reported."""

    vectors: list[msgspec.Raw]
    id: str = ""
    model: str = ""
    counts: Counts | None = None


class Documents(Ask, kw_only=True):
    """A request to rank documents, each a JSON string or object.

    Settings: `top_n` [int], `max_tokens_per_doc` [int], `return_documents` [bool], `priority` [int].
    """

    query: str
    documents: list[msgspec.Raw]


class Ranked(msgspec.Struct, frozen=True):
    """A document by its place in the request; `document` is empty where the provider did not give it back."""

    index: int
    score: msgspec.Raw
    document: msgspec.Raw = msgspec.Raw()


class Ranking(msgspec.Struct, kw_only=True):
    """The answer, best first. `counts` is None if not reported."""

    results: list[Ranked]
    id: str = ""
    model: str = ""
    counts: Counts | None = None


def left_out(ask: Ask, said: Collection[str]) -> tuple[str, ...]:
    """The caller's names of what a writer that says `said` leaves out. Raises `CallerFault` for what it may
    not."""
    dropped = list(ask.unread)
    for setting in ask.settings:
        if setting in said:
            continue
        name = ask.names.get(setting, setting)
        if setting not in HINTS:
            raise unsayable(name)
        dropped.append(name)
    return tuple(dropped)


def extras_of(fields: Fields, known: Collection[str]) -> dict[str, msgspec.Raw]:
    """The fields that a reader does not know."""
    return {name: raw for name, raw in fields.items() if name not in known and name not in OURS}


def texts_in(fields: Fields, name: str) -> list[str]:
    """A text or a list of texts. Raises `CallerFault` naming the field; token ids are no texts."""
    raw = fields.get(name)
    value = json.decode(raw) if raw is not None else None
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        if isinstance(found, list) and any(isinstance(one, int | list) for one in found):
            raise unsayable(name, "token ids mean something else to another model: send texts")
        raise CallerFault("invalid_type", f"'{name}' must be a text or a list of texts.", param=name)
    if not found:
        raise CallerFault("invalid_value", f"'{name}' must not be empty.", param=name)
    return found


def whole_number(fields: Fields, name: str) -> int | None:
    """A count from 1, None if it is not there. Raises `CallerFault`."""
    return top.at_least_one(fields, name)


def word(fields: Fields, name: str, words: Mapping[str, str]) -> str | None:
    """What a word means, None if it is not there. Raises `CallerFault` for an unknown one."""
    said = top.text(fields, name)
    if said is None:
        return None
    if said not in words:
        raise CallerFault("invalid_value", f"'{name}' must be one of {', '.join(words)}.", param=name)
    return words[said]


def checked(vectors: list[msgspec.Raw], texts: Texts) -> list[msgspec.Raw]:
    """The vectors, if each text has one that is numbers. Raises `UpstreamBroken`."""
    if len(vectors) != len(texts.texts):
        what = f"The provider gave {len(vectors)} embeddings for {len(texts.texts)} texts."
        raise UpstreamBroken("malformed", what)
    for vector in vectors:
        if not numbers(vector):
            raise UpstreamBroken("malformed", "The provider gave an empty embedding.")
    return vectors


def numbers(vector: msgspec.Raw) -> list[float]:
    """A vector's numbers. Raises `UpstreamBroken` if it is anything else."""
    try:
        return _decode_numbers(vector)
    except msgspec.DecodeError:
        raise UpstreamBroken("malformed", "The provider gave an embedding that is no vector.") from None


def packed(vector: msgspec.Raw) -> str:
    """A vector as base64 of little-endian float32."""
    found = numbers(vector)
    try:
        return base64.b64encode(struct.pack(f"<{len(found)}f", *found)).decode()
    except (struct.error, OverflowError):
        raise UpstreamBroken("malformed", "The provider gave an embedding beyond what floats hold.") from None


def unpacked(text: str) -> msgspec.Raw:
    """The reverse. Raises `UpstreamBroken`."""
    try:
        raw = base64.b64decode(text, validate=True)
        return msgspec.Raw(json.encode(struct.unpack(f"<{len(raw) // 4}f", raw)))
    except (binascii.Error, ValueError, struct.error):
        raise UpstreamBroken("malformed", "The provider gave an embedding that is no vector.") from None


def ranked(results: list[Ranked], ask: Documents) -> list[Ranked]:
    """The results, if each names another document of the request and how well it fits.

    Raises `UpstreamBroken`.
    """
    if not all(_NUMBER.fullmatch(bytes(one.score)) for one in results):
        raise UpstreamBroken("malformed", "The provider ranked a document without a number.")
    seen = {one.index for one in results}
    if len(seen) != len(results) or not all(0 <= index < len(ask.documents) for index in seen):
        raise UpstreamBroken("malformed", "The provider ranked a document that is not in the request.")
    top_n = ask.settings.get("top_n")
    return results if top_n is None else results[:top_n]
