"""Ollama's own embeddings (`/api/embed`), for callers of other families.

Ollama cuts what is too long unless it is told not to. Source: Ollama's `docs/api.md` and `api/types.go`.
"""

from __future__ import annotations

import msgspec

from wicket.dialects.contract import Body, Counts
from wicket.dialects.hub import unsayable
from wicket.dialects.ollama.apis import EMBED
from wicket.dialects.ollama.errors import in_stream
from wicket.dialects.subjects import Texts, Vectors, checked, left_out
from wicket.dialects.translation import Side
from wicket.errors import UpstreamBroken
from wicket.routing.deployment import Deployment
from wicket.wire import json

MAX_TOKENS = 1 << 40


class Answer(msgspec.Struct):
    """An answer, as far as it is read."""

    embeddings: list[msgspec.Raw] | None = None
    model: str | None = None
    prompt_eval_count: int | None = None
    error: str | None = None


_decode = msgspec.json.Decoder(Answer).decode


def write_request(texts: Texts, deployment: Deployment) -> Body:
    """The body for Ollama. Raises `CallerFault` for what it has no word for."""
    dropped = left_out(texts, ("dimensions", "truncate"))
    body: dict[str, object] = {"model": deployment.model, "input": texts.texts}
    cut = texts.settings.get("truncate")
    if cut == "start":
        raise unsayable(texts.names["truncate"], "Ollama cuts ends only")
    if cut is not None:
        body["truncate"] = cut == "end"
    if "dimensions" in texts.settings:
        body["dimensions"] = texts.settings["dimensions"]
    return Body(json.encode({**body, **texts.extras}), dropped)


def decode(data: bytes) -> Answer:
    """An answer. Raises `UpstreamBroken`, or the fault that it tells of."""
    try:
        answer = _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"The provider's answer is not what it promised: {str(error)[:300]}."
        raise UpstreamBroken("malformed", message) from None
    if answer.error is not None:
        raise in_stream(answer.error, 0)
    if answer.embeddings is None:
        raise UpstreamBroken("malformed", "The provider's answer has no embeddings.")
    return answer


def counts_of(answer: Answer) -> Counts | None:
    """The counts; None where there are none, or none to be believed."""
    tokens = answer.prompt_eval_count
    return Counts(input_tokens=tokens) if tokens is not None and 0 <= tokens <= MAX_TOKENS else None


def read_answer(data: bytes, texts: Texts) -> Vectors:
    """A provider's answer. Raises `UpstreamBroken`."""
    answer = decode(data)
    return Vectors(
        vectors=checked(answer.embeddings or [], texts), model=answer.model or "", counts=counts_of(answer)
    )


SIDE = Side(EMBED, write_request=write_request, read_answer=read_answer)
