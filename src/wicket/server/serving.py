"""What one client connection may use, and what all of a worker share."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from wicket.config.schema import BodyLimits
from wicket.dialects import openai_chat
from wicket.gateway.gate import Gate
from wicket.server.heads import HeadMemo
from wicket.server.ingress import Ingress
from wicket.server.reply import StatusLines
from wicket.server.storing import Storing


class Bounds(msgspec.Struct, frozen=True):
    """What one connection may use; sizes in bytes, times in seconds. `body[api]` is per route."""

    max_headers: int = 100
    max_header_bytes: int = 64 * 1024
    header_s: float = 10.0
    body_s: float = 60.0
    keep_alive_s: float = 75.0
    stream_buffer_bytes: int = 256 * 1024
    body: Mapping[str, int] = {}
    max_body: int = 32 * 1024 * 1024


class Serving(msgspec.Struct):
    """What a worker's connections share. `bounds` and `cors` change with the configuration."""

    gate: Gate
    ingress: Ingress
    storing: Storing
    bounds: Bounds = Bounds()
    cors: frozenset[bytes] = frozenset()
    trusted_proxies: tuple[str, ...] = ()
    status_lines: StatusLines = msgspec.field(default_factory=StatusLines)
    heads: HeadMemo = msgspec.field(default_factory=HeadMemo)


def body_limits(ingress: Ingress, limits: BodyLimits) -> dict[str, int]:
    """Per API, in bytes: conversations of every dialect alike."""
    named = {
        openai_chat.COMPLETIONS.name: limits.completions,
        openai_chat.CLASSIFY.name: limits.classify,
    }
    abilities = {
        "embeddings": limits.embeddings,
        "rerank": limits.rerank,
        "images": limits.images,
        "speech": limits.speech,
        "transcription": limits.transcription,
        "moderation": limits.moderations,
    }
    return {
        name: named.get(name) or abilities.get(api.ability, limits.chat) for name, api in ingress.apis.items()
    }
