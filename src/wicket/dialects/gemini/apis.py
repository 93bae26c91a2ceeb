"""Gemini's APIs, and the paths by which Google's clients come to them."""

from __future__ import annotations

from wicket.dialects.contract import Api, Way
from wicket.dialects.gemini.signs import SIGNS

NAME = "gemini"
_PREFIXES = (
    "/v1beta/models/",
    "/v1/models/",
    "/v1beta1/publishers/google/models/",
    "/v1/publishers/google/models/",
)


def _ways(verb: str, *, is_streamed: bool = False) -> tuple[Way, ...]:
    sse_if = "alt=sse" if is_streamed else ""
    return tuple([Way(f"{prefix}{{model}}:{verb}", is_streamed, sse_if) for prefix in _PREFIXES])


GENERATE = Api(
    "generateContent",
    "/models/{model}:generateContent",
    can_stream=True,
    dialect=NAME,
    needs=("contents",),
    ways=_ways("generateContent") + _ways("streamGenerateContent", is_streamed=True),
    signs=SIGNS,
)


def _plain(verb: str, subject: str = "") -> Api:
    return Api(
        verb,
        f"/models/{{model}}:{verb}",
        can_stream=False,
        dialect=NAME,
        ways=_ways(verb),
        subject=subject,
        ability=subject,
    )


COUNT = _plain("countTokens")
EMBED = _plain("embedContent", "embeddings")
EMBED_MANY = _plain("batchEmbedContents", "embeddings")
APIS = (GENERATE, COUNT, EMBED, EMBED_MANY)
