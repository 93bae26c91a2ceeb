"""New records as server-sent events, for as long as the caller listens.

The supervisor is asked for what came in after the last mark; a comment now and then finds out that a
listener has gone and keeps proxies from closing a quiet stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from wicket.dialects.openai_chat import fault_body
from wicket.errors import Fault
from wicket.server.admin_query import LogFilter
from wicket.server.admin_shapes import records_json
from wicket.server.app_house import Call
from wicket.wire.json import encode

POLL_S = 0.25
QUIET_POLLS = 40  # polls without a record before a comment goes out


async def follow(call: Call, wanted: LogFilter, found: dict[str, Any]) -> AsyncIterator[bytes]:
    """SSE frames: first the records in `found`, the verb's first answer, then each as it comes in."""
    num_quiet = 0
    yield b": following\n\n"
    while True:
        records = records_json(found["records"])
        for record in reversed(records):
            yield b"data: " + encode(record) + b"\n\n"
        num_quiet = 0 if records else num_quiet + 1
        if num_quiet >= QUIET_POLLS:
            num_quiet = 0
            yield b": quiet\n\n"
        await asyncio.sleep(POLL_S)
        try:
            found = await call.ask("logs", {**msgspec.to_builtins(wanted), "after": found["last"]})
        except Fault as fault:
            yield b"event: error\ndata: " + fault_body(fault) + b"\n\n"
            return
