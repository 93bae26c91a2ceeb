"""What the tests of this folder share: a deployment, requests read and written, answers gathered."""

import json
from collections.abc import Iterable
from typing import Any

from wicket.dialects import gemini
from wicket.dialects.contract import Body
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import Completion, Conversation, Delta
from wicket.dialects.translation import Asked
from wicket.routing.deployment import Deployment
from wicket.wire.fields import peek
from wicket.wire.origin import Origin
from wicket.wire.sse import FrameSplitter, payload

VERTEX = "/v1/projects/p/locations/global/publishers/google"
ASKED = Asked(id="req_1", created_s=1, model="asked", fields={})


def deployment(model: str = "gemini-3-flash-preview", base_path: str = "/v1beta", **more: Any) -> Deployment:
    return Deployment(
        id=f"g/{model}",
        provider="g",
        model=model,
        dialect="gemini",
        origin=Origin("https", "up.example", 443),
        base_path=base_path,
        **more,
    )


def read(request: dict[str, Any]) -> Conversation:
    return gemini.read_request(peek(json.dumps(request).encode()))


def write(conversation: Conversation, model: str = "gemini-3-flash-preview", **more: Any) -> Body:
    return gemini.write_request(conversation, deployment(model, **more), streamed=False)


def written(conversation: Conversation, model: str = "gemini-3-flash-preview", **more: Any) -> dict[str, Any]:
    return dict(json.loads(write(conversation, model, **more).data))


def answer(*parts: dict[str, Any], finish: str = "STOP", **more: Any) -> bytes:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish, "index": 0}
    return json.dumps({"candidates": [candidate], "responseId": "r1", "modelVersion": "g-1", **more}).encode()


def deltas_of(payloads: Iterable[bytes]) -> list[Delta]:
    reader = gemini.stream_reader()
    return [delta for data in payloads for delta in reader.feed(data)] + list(reader.finish())


def gathered(deltas: Iterable[Delta]) -> Completion:
    whole = Gathered()
    for delta in deltas:
        whole.add(delta)
    return whole.completion("gemini")


def payloads_of(stream: bytes) -> list[bytes]:
    splitter = FrameSplitter()
    return [data for frame in [*splitter.feed(stream), splitter.finish()] if (data := payload(frame))]


def streamed(deltas: Iterable[Delta]) -> bytes:
    writer = gemini.stream_writer(ASKED)
    return b"".join([writer.write(delta) for delta in deltas]) + writer.finish(None)
