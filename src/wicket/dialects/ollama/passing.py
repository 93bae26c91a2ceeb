"""Ollama's target; and what the walk reads of answers that pass as they came.

No caller of ours speaks Ollama's dialect, so nothing passes today: these are for whoever checks recordings.
"""

from __future__ import annotations

import msgspec

from wicket.dialects.contract import Api, Body, Frame, Whole
from wicket.dialects.ollama import embedding
from wicket.dialects.ollama.answers import MAX_MODEL, counts_of, decode_piece, malformed, read_finish
from wicket.dialects.ollama.apis import EMBED
from wicket.dialects.ollama.errors import in_stream
from wicket.errors import UpstreamBroken
from wicket.routing.deployment import OURS, Deployment
from wicket.wire import json
from wicket.wire.fields import Edits, Fields, splice


def target(deployment: Deployment, api: Api, *, streamed: bool = False) -> str:
    """`base_path` + template + the API's path + query.

    An address that was written for the OpenAI-compatible API ends in `/v1`: it leads to the same server.
    """
    query = f"?{deployment.query}" if deployment.query else ""
    base = deployment.base_path.removesuffix("/v1")
    return f"{base}{deployment.path_template}{api.path}{query}"


def body(fields: Fields, deployment: Deployment, api: Api, *, streamed: bool) -> Body:
    """The caller's bytes with the model renamed and our fields removed."""
    dropped = tuple([name for name in deployment.remove if name in fields])
    ours = tuple([name for name in OURS if name in fields])
    put = {"model": json.encode(deployment.model)}
    return Body(splice(fields, Edits(put=put, rename=deployment.rename, remove=ours + dropped)), dropped)


def whole(data: bytes, api: Api) -> Whole:
    """Read a complete answer. Raises `UpstreamBroken`, or the fault that it tells of."""
    if api.name == EMBED.name:
        answer = embedding.decode(data)
        return Whole((answer.model or "")[:MAX_MODEL], embedding.counts_of(answer))
    try:
        piece = decode_piece(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise malformed(error) from None
    if piece.error is not None:
        raise in_stream(piece.error, piece.status or 0)
    if not piece.done or not bytes(piece.message):
        raise malformed("it is not done")
    read_finish(piece.done_reason, has_calls=False)
    return Whole((piece.model or "")[:MAX_MODEL], counts_of(piece))


def frame(data: bytes) -> Frame:
    """Read one line."""
    try:
        piece = decode_piece(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise malformed(error) from None
    if piece.error is not None:
        return Frame(fault=in_stream(piece.error, piece.status or 0))
    model = (piece.model or "")[:MAX_MODEL]
    if not piece.done:
        return Frame(spoke=bool(bytes(piece.message)), model=model)
    try:
        read_finish(piece.done_reason, has_calls=False)
    except UpstreamBroken as fault:
        return Frame(fault=fault)
    return Frame(finished=True, is_done=True, goes_out=True, model=model, counts=counts_of(piece))
