"""Bodies and answers of the routes for pictures, sound and moderations, as OpenAI's reference has them.

Only what the gate relies on is described: other fields pass, because a provider may know them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Api
from wicket.server.openapi_routing import routing_fields
from wicket.server.openapi_schemas import EVENTS, MODEL, TEXT, Schema, array, one_of, record

_FILE = one_of("string", format="binary")
_STREAM = one_of("boolean null")
_COUNT = one_of("integer null", minimum=1, maximum=(1 << 31) - 1)
_FIELDS: dict[str, dict[str, Schema]] = {
    "images.generations": {"prompt": TEXT, "n": _COUNT, "size": TEXT, "stream": _STREAM},
    "images.edits": {"prompt": TEXT, "image": _FILE, "mask": _FILE, "n": one_of("string", pattern="^[1-9]$")},
    "images.variations": {"image": _FILE, "n": one_of("string", pattern="^[1-9]$"), "size": TEXT},
    "audio.speech": {
        "input": TEXT,
        "voice": TEXT,
        "response_format": TEXT,
        "stream_format": one_of("string", enum=["sse", "audio"]),
    },
    "audio.transcriptions": {"file": _FILE, "language": TEXT, "response_format": TEXT},
    "audio.translations": {"file": _FILE, "response_format": TEXT},
    "moderations": {"input": {"anyOf": [TEXT, array(one_of("string object"))]}},
}
_SUMMARIES = {
    "images.generations": "Make pictures of a text",
    "images.edits": "Change pictures",
    "images.variations": "Make a picture's likenesses",
    "audio.speech": "Speak a text",
    "audio.transcriptions": "Write down what is said",
    "audio.translations": "Write down in English what is said",
    "moderations": "Judge whether content may do harm",
}
_DATA = {"images": "data", "audio": "text", "moderations": "results"}


class Described(msgspec.Struct, frozen=True):
    """One operation: its name, its summary, its request's content and its answer's."""

    name: str
    summary: str
    body: dict[str, Any]
    answer: dict[str, Any]


def described(api: Api) -> Described | None:
    """How a route of OpenAI's is described that is no text; None for every other."""
    if api.name not in _FIELDS:
        return None
    known = _FIELDS[api.name]
    required = " ".join(["model", *[name for name in api.needs if "|" not in name]])
    plain = {"model": MODEL, **known}
    content: dict[str, Any] = {}
    if api.form:
        schema = record(plain, required, additionalProperties=TEXT)
        content["multipart/form-data"] = {"schema": schema}
    else:
        schema = record({**plain, **routing_fields(MODEL)}, required, additionalProperties=True)
        content["application/json"] = {"schema": schema}
    if api.form == "may":
        json = {name: part for name, part in known.items() if part is not _FILE and name != "n"}
        schema = record({"model": MODEL, **json, "images": array(one_of("object"))}, "model prompt")
        content["application/json"] = {"schema": {**schema, "additionalProperties": True}}
    name = "".join(word.capitalize() for word in api.name.split("."))
    return Described(
        name[0].lower() + name[1:],
        _SUMMARIES[api.name],
        {"required": True, "content": content},
        _answer(api),
    )


def _answer(api: Api) -> dict[str, Any]:
    part = _DATA[api.name.split(".")[0]]
    kind = TEXT if part == "text" else array(one_of("object"))
    plan = {"$ref": "#/components/schemas/Plan"}
    content: dict[str, Any] = {}
    if api.answers != "flow":
        content["application/json"] = {"schema": {"anyOf": [record({part: kind}, part), plan]}}
    else:
        content["application/json"] = {"schema": plan}
        content["audio/*"] = {"schema": _FILE}
    if api.answers == "any":
        content |= {kind: {"schema": TEXT} for kind in ("text/plain", "text/vtt", "application/x-subrip")}
    if api.can_stream:
        content["text/event-stream"] = {"schema": EVENTS}
    return content
