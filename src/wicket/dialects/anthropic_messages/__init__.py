"""Anthropic's Messages API, as a provider and as a caller speaks it; and everything that speaks like it.

Sources: Claude API documentation (Messages, count_tokens, streaming, errors) and the types of Anthropic's SDK
2.14 (2026-11). What is translated, left out and refused: docs/dialects.md.
"""

from __future__ import annotations

from functools import lru_cache

from wicket.dialects.anthropic_messages.answers import read_completion, whole, write_completion
from wicket.dialects.anthropic_messages.block_reading import NAME
from wicket.dialects.anthropic_messages.faults import fault_body, fault_frame, judge
from wicket.dialects.anthropic_messages.passing import without_carried
from wicket.dialects.anthropic_messages.request_reading import read_request
from wicket.dialects.anthropic_messages.request_writing import write_request
from wicket.dialects.anthropic_messages.signs import SIGNS
from wicket.dialects.anthropic_messages.stream_reading import frame, splitter, stream_reader
from wicket.dialects.anthropic_messages.stream_writing import KEEP_ALIVE, stream_writer
from wicket.dialects.anthropic_messages.vertex import VERSION, is_vertex, vertex_target
from wicket.dialects.contract import Api, Body
from wicket.routing.deployment import OURS, Deployment
from wicket.wire import json
from wicket.wire.fields import Edits, Fields, splice

__all__ = [
    "APIS",
    "CONVERSATION",
    "FORWARDED_HEADERS",
    "HEADERS",
    "KEEP_ALIVE",
    "STREAM_TYPE",
    "body",
    "fault_body",
    "fault_frame",
    "frame",
    "judge",
    "read_completion",
    "read_request",
    "splitter",
    "stream_reader",
    "stream_writer",
    "target",
    "whole",
    "write_completion",
    "write_request",
]

MESSAGES = Api(
    "messages",
    "/messages",
    can_stream=True,
    dialect=NAME,
    needs=("messages", "max_tokens"),
    arrays=("messages",),
    signs=SIGNS,
)
COUNT_TOKENS = Api(
    "messages.count_tokens",
    "/messages/count_tokens",
    can_stream=False,
    dialect=NAME,
    needs=("messages",),
    arrays=("messages",),
)
APIS = (MESSAGES, COUNT_TOKENS)
CONVERSATION = MESSAGES
STREAM_TYPE = b"text/event-stream"

HEADERS = {"anthropic-version": "2023-06-01"}
"""What every request needs; an operator may write another version."""
FORWARDED_HEADERS = (b"anthropic-version", b"anthropic-beta")
"""The only headers of a caller that go on to a provider of this dialect."""


def target(deployment: Deployment, api: Api, *, streamed: bool = False) -> str:
    """`base_path` + template + the API's path + query; on Vertex AI the model is in the path."""
    if is_vertex(deployment):
        return vertex_target(deployment, streamed=streamed, counts=api is COUNT_TOKENS)
    middle = deployment.path_template.replace("{model}", deployment.model)
    query = f"?{deployment.query}" if deployment.query else ""
    return f"{deployment.base_path}{middle}{api.path}{query}"


def body(fields: Fields, deployment: Deployment, api: Api, *, streamed: bool) -> Body:
    """The caller's bytes with the model renamed and our fields removed; nothing else is touched.

    One exception: thoughts of other families that this caller got from us (`carrier`) would be refused there.
    On Vertex AI the model is in the path, but for counting.
    """
    put = {"model": _model_name(deployment.model)}
    ours: tuple[str, ...] = OURS
    if is_vertex(deployment):
        put["anthropic_version"] = json.encode(VERSION)
        if api is not COUNT_TOKENS:
            del put["model"]
            ours = (*OURS, "model")
    dropped = tuple([name for name in deployment.remove if name in fields])
    messages, carried = without_carried(fields)
    if messages is not None:
        put["messages"] = messages
    taken = tuple([name for name in ours if name in fields])
    edits = Edits(put=put, rename=deployment.rename, remove=taken + dropped)
    return Body(splice(fields, edits), dropped + carried)


@lru_cache(maxsize=4096)
def _model_name(model: str) -> bytes:
    return json.encode(model)
