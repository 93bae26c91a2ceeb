"""What these tests share: a deployment, streams put together, the recordings of Anthropic's API."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import yaml

from wicket.dialects import anthropic_messages as dialect
from wicket.dialects.anthropic_messages.block_reading import NAME
from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Broken,
    Completion,
    Conversation,
    Delta,
    Finish,
    Foreign,
    Over,
    Part,
    PartBegan,
    PartEnded,
    SignatureDelta,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from wicket.dialects.translation import Asked
from wicket.routing.deployment import Deployment
from wicket.wire.fields import peek
from wicket.wire.origin import Origin
from wicket.wire.sse import payload

FOLDER = Path(__file__).parents[3] / "data" / "cassettes" / "anthropic"
ASKED = Asked(id="req_1", created_s=1, model="claude-x", fields={})


def deployment(model: str = "claude-sonnet-4-5", **fields: Any) -> Deployment:
    return Deployment(
        id=f"anthropic/{model}",
        provider="anthropic",
        model=model,
        dialect=NAME,
        origin=Origin("https", "api.anthropic.com", 443),
        **fields,
    )


def read(request: dict[str, Any]) -> Conversation:
    body = {"model": "m", "max_tokens": 100, **request}
    return dialect.read_request(peek(msgspec.json.encode(body)))


def write(conversation: Conversation, model: str = "claude-sonnet-4-5", **fields: Any) -> dict[str, Any]:
    """The written request, decoded."""
    return json.loads(dialect.write_request(conversation, deployment(model, **fields), streamed=False).data)  # type: ignore[no-any-return]


def payloads(stream: bytes, cuts: Iterable[int] = ()) -> list[bytes]:
    """The payloads of a stream whose bytes come in pieces."""
    splitter = dialect.splitter()
    edges = [0, *sorted(cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    frames = [frame for piece in pieces for frame in splitter.feed(piece)]
    rest = splitter.finish()
    return [data for frame in [*frames, rest] if frame and (data := payload(frame))]


def deltas(stream: bytes, cuts: Iterable[int] = ()) -> list[Delta]:
    reader = dialect.stream_reader()
    found = [delta for data in payloads(stream, cuts) for delta in reader.feed(data)]
    return [*found, *reader.finish()]


def gathered(found: Iterable[Delta]) -> Completion:
    """The answer that a stream's deltas are, raw bytes left out. Raises the fault of a `Broken`."""
    done = Completion(origin=NAME, parts=[], finish=Finish.STOP)
    parts: dict[int, Part] = {}
    citations: dict[int, list[Any]] = {}
    for delta in found:
        match delta:
            case Began():
                done.id, done.model = delta.id, delta.model
            case PartBegan():
                assert delta.index == len(parts)
                parts[delta.index] = msgspec.structs.replace(delta.part)
            case TextDelta() | ArgumentsDelta() | SignatureDelta() | AnnotationDelta():
                _grow(parts[delta.index], delta, citations.setdefault(delta.index, []))
            case Stopped():
                done.finish, done.raw_finish, done.stop = delta.finish, delta.raw_finish, delta.stop
            case Used():
                done.counts = delta.counts
            case Broken():
                raise delta.fault
            case PartEnded() | Over():
                pass
    done.parts = list(parts.values())
    return done


def _grow(part: Part, delta: Delta, citations: list[Any]) -> None:
    if isinstance(delta, SignatureDelta):
        part.signature = delta.signature
    elif isinstance(delta, AnnotationDelta) and isinstance(part, Text):
        citations.append(json.loads(bytes(delta.raw)))
        part.annotations = msgspec.Raw(msgspec.json.encode(citations))
    elif isinstance(delta, ArgumentsDelta) and isinstance(part, ToolCall):
        part.arguments += delta.json
    elif isinstance(delta, TextDelta) and isinstance(part, Text | Thinking):
        part.text += delta.text


def meaning(completion: Completion) -> Any:
    """An answer as plain values that compare by what they mean."""
    parts = []
    for part in completion.parts:
        if isinstance(part, Text) and not part.text:
            continue
        value = {"kind": type(part).__name__, **msgspec.structs.asdict(part), "raw": None, "path": ""}
        if isinstance(part, Foreign) and part.raw is not None:
            value["raw"] = json.loads(bytes(part.raw))
        if isinstance(part, ToolCall):
            value["arguments"] = json.loads(part.arguments)
        if isinstance(part, Text) and part.annotations is not None:
            value["annotations"] = json.loads(bytes(part.annotations))
        parts.append(value)
    return parts, completion.finish, completion.stop, completion.counts


class Recording(msgspec.Struct):
    """One exchange: where from, the API's path, the request, status and answer (bytes as stored)."""

    name: str
    path: str
    request: dict[str, Any]
    status: int
    answer: bytes
    is_stream: bool


@cache
def recordings(folder: Path = FOLDER) -> list[Recording]:
    found = []
    for file in sorted(folder.rglob("*.yaml")):
        for number, exchange in enumerate(yaml.load(file.read_bytes(), yaml.CSafeLoader)["interactions"]):
            request, response = exchange["request"], exchange["response"]
            path = request["uri"].partition("/v1")[2].partition("?")[0]
            if not path.startswith("/messages"):
                continue
            parsed = response.get("parsed_body")
            answer = response["body"]["string"].encode() if parsed is None else msgspec.json.encode(parsed)
            name = f"{file.stem}-{number}"
            status = response["status"]["code"]
            found.append(Recording(name, path, request["parsed_body"], status, answer, parsed is None))
    return found
