"""What the tests of this folder share: a deployment, requests read and written, streams cut and gathered."""

import json
from collections.abc import Iterable
from typing import Any

from wicket.dialects import openai_responses
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import Completion, Conversation, Delta
from wicket.dialects.translation import Asked
from wicket.routing.deployment import Deployment
from wicket.wire.fields import peek
from wicket.wire.origin import Origin
from wicket.wire.sse import payload

ASKED = Asked(id="req_00ab", created_s=1, model="asked", fields={})


def deployment(model: str = "gpt-4.1", **more: Any) -> Deployment:
    origin = Origin("https", "up.example", 443)
    return Deployment(id=f"o/{model}", provider="o", model=model, origin=origin, base_path="/v1", **more)


def conversation(**fields: Any) -> Conversation:
    fields = {"model": "m", "input": "hello", **fields}
    return openai_responses.read_request(peek(json.dumps(fields).encode()))


def written(asked: Conversation, model: str = "gpt-4.1", **more: Any) -> tuple[dict[str, Any], list[str]]:
    body = openai_responses.write_request(asked, deployment(model, **more), streamed=False)
    return json.loads(body.data), list(body.dropped)


def payloads_of(data: bytes, sizes: Iterable[int] = ()) -> list[bytes]:
    """A stream's payloads, fed in pieces of these sizes."""
    splitter, frames, at = openai_responses.splitter(), [], 0
    for size in sizes:
        frames += splitter.feed(data[at : at + size])
        at += size
    frames += splitter.feed(data[at:])
    rest = splitter.finish()
    return [found for frame in [*frames, rest] if (found := payload(frame))]


def deltas_of(payloads: Iterable[bytes]) -> list[Delta]:
    reader = openai_responses.stream_reader()
    found = [delta for data in payloads for delta in reader.feed(data)]
    return [*found, *reader.finish()]


def gathered(deltas: Iterable[Delta]) -> Completion:
    whole = Gathered()
    for delta in deltas:
        whole.add(delta)
    return whole.completion()


def streamed(deltas: Iterable[Delta], asked: Asked = ASKED, cost_usd: float | None = None) -> bytes:
    writer = openai_responses.stream_writer(asked)
    return b"".join([writer.write(delta) for delta in deltas]) + writer.finish(cost_usd)


def events_of(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(one) for one in payloads_of(data)]
