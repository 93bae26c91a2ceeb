"""Converse's API and its target; and what the walk reads of answers that pass as they came.

No caller of ours speaks Converse, so nothing passes today: these are for whoever checks recordings.
"""

from __future__ import annotations

import re

import msgspec

from wicket.dialects.bedrock_converse.answers import decode_answer, malformed
from wicket.dialects.bedrock_converse.endings import usage_counts
from wicket.dialects.bedrock_converse.errors import in_stream
from wicket.dialects.bedrock_converse.eventstream import read_message
from wicket.dialects.bedrock_converse.stream_reading import decode_event
from wicket.dialects.contract import Api, Body, Frame, Whole
from wicket.routing.deployment import OURS, Deployment
from wicket.wire.fields import Edits, Fields, splice

CONVERSE = Api(
    "converse",
    "/model/{model}/converse",
    can_stream=True,
    dialect="bedrock_converse",
    needs=("messages",),
    arrays=("messages",),
)
APIS = (CONVERSE,)
NOT_THEIRS = (*OURS, "model", "stream")
_UNSAFE = re.compile(r"[^A-Za-z0-9._~-]")


def target(deployment: Deployment, api: Api, *, streamed: bool = False) -> str:
    """`base_path`, the model's id escaped as one step of a path (`:` and an ARN's `/` too), and the verb."""
    model = _UNSAFE.sub(
        lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode("utf-8", "surrogatepass")),
        deployment.model,
    )
    if model in (".", ".."):
        model = model.replace(".", "%2E")
    path = api.path.replace("{model}", model) + ("-stream" if streamed else "")
    query = f"?{deployment.query}" if deployment.query else ""
    return f"{deployment.base_path}{deployment.path_template}{path}{query}"


def body(fields: Fields, deployment: Deployment, api: Api, *, streamed: bool) -> Body:
    """The caller's bytes without our fields."""
    dropped = tuple([name for name in deployment.remove if name in fields])
    ours = tuple([name for name in NOT_THEIRS if name in fields])
    return Body(splice(fields, Edits(rename=deployment.rename, remove=ours + dropped)), dropped)


def whole(data: bytes, api: Api) -> Whole:
    """Read a complete answer. Raises `UpstreamBroken`. Converse does not say which model answered."""
    try:
        answer = decode_answer(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise malformed(error) from None
    return Whole("", usage_counts(answer.usage, answer.service_tier))


def frame(data: bytes) -> Frame:
    """Read one binary message."""
    message = read_message(data)
    if message.is_exception:
        return Frame(fault=in_stream(message))
    try:
        event = decode_event(message.payload) if message.payload else None
    except (msgspec.DecodeError, RecursionError) as error:
        raise malformed(error) from None
    if event is None:
        return Frame()
    if message.kind == "metadata":
        return Frame(is_usage=True, is_done=True, counts=usage_counts(event.usage, event.service_tier))
    return Frame(spoke=message.kind == "contentBlockDelta", finished=message.kind == "messageStop")
