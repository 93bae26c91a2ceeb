"""Files named in a request, put into it as data: the way in which every provider takes them.

Where a file may stand: OpenAI's chat (`file.file_id`), Responses (`input_file`, `input_image`), Anthropic's
messages (a `source` of type `file`). Ids that are not ours pass: they may be the provider's own.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from wicket.errors import CallerFault
from wicket.state.files import PREFIX, media_type_of
from wicket.state.tenant import is_ours
from wicket.wire import json
from wicket.wire.fields import Fields

PLACES = ("messages", "input")  # the fields of a request in which files are named
MAX_BYTES = 20 * 1024 * 1024  # of all files of one request together
_MARK = b'"file_id"'
Json = dict[str, Any]


class Inline(msgspec.Struct, frozen=True):
    """A file's name and what it holds."""

    name: str
    data: bytes

    @property
    def media_type(self) -> str:
        """By its name; "" if that does not tell."""
        return media_type_of(self.name)

    @property
    def url(self) -> str:
        """As a data URL (RFC 2397)."""
        return f"data:{self.media_type};base64,{b64encode(self.data).decode()}"


def may_name_files(fields: Fields) -> bool:
    """Whether a closer look is worth it."""
    return any(_MARK in bytes(fields[place]) for place in PLACES if place in fields)


def files_named(fields: Fields) -> dict[str, str]:
    """The files of ours that a request names, each with the path of its first place. Raises `CallerFault`."""
    found: dict[str, str] = {}

    def note(part: Json, path: str) -> None:
        found.setdefault(part["file_id"], path)

    for place in PLACES:
        if place in fields:
            _walk(
                json.decode(fields[place]), place, lambda part, path: found.setdefault(part["file_id"], path)
            )
    return found


def with_files(fields: Fields, files: Mapping[str, Inline]) -> Fields:
    """The request with the files in it. Raises `CallerFault` naming the place of one that does not fit."""
    done = dict(fields)
    for place in PLACES:
        if place in fields and _MARK in bytes(fields[place]):
            value = json.decode(fields[place])
            _walk(value, place, lambda part, path: _put(part, files[part["file_id"]], path))
            done[place] = msgspec.Raw(json.encode(value))
    return done


def _walk(value: Any, path: str, take: Callable[[Json, str], object]) -> None:
    """Every object that names a file of ours."""
    if isinstance(value, list):
        for number, inner in enumerate(value):
            _walk(inner, f"{path}[{number}]", take)
    elif isinstance(value, dict):
        id = value.get("file_id")
        if isinstance(id, str) and is_ours(PREFIX, id):
            take(value, f"{path}.file_id")
            return
        for name, inner in value.items():
            if isinstance(inner, dict | list):
                _walk(inner, f"{path}.{name}", take)


def _put(part: Json, file: Inline, path: str) -> None:
    """`file_id` gives way to the data, in the form that its place has for data."""
    kind = file.media_type
    if not kind:
        message = (
            f"'{path}': what '{file.name}' holds can't be told by its name: name it .pdf, .png or the like."
        )
        raise CallerFault("unknown_file_type", message, param=path)
    del part["file_id"]
    if part.get("type") == "input_image":
        if not kind.startswith("image/"):
            raise CallerFault("not_an_image", f"'{path}' is no image: use input_file.", param=path)
        part["image_url"] = file.url
    elif part.get("type") == "file":  # Anthropic's source
        is_text = kind.startswith("text/")
        data = file.data.decode("utf-8", "replace") if is_text else b64encode(file.data).decode()
        part |= {"type": "text" if is_text else "base64", "media_type": "text/plain" if is_text else kind}
        part["data"] = data
    else:
        part.setdefault("filename", file.name)
        part["file_data"] = file.url
