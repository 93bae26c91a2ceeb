"""What one client connection may use."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


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
