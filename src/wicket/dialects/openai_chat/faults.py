"""An error as OpenAI's clients read it.

Shape: https://platform.openai.com/docs/guides/error-codes.
"""

from __future__ import annotations

from wicket.errors import Fault
from wicket.wire.json import encode

KEEP_ALIVE = b": wicket is waiting for the provider\n\n"  # a comment: every client passes over it


def fault_body(fault: Fault, request_id: str = "") -> bytes:
    """`{"error": {"message", "type", "param", "code"}}` as JSON; it has no place for the request's id."""
    return encode(
        {
            "error": {
                "message": fault.message,
                "type": fault.kind,
                "param": fault.param,
                "code": fault.code,
            }
        }
    )


def fault_frame(fault: Fault, request_id: str = "") -> bytes:
    """An error frame without `[DONE]` behind it: no client takes it for a normal stop."""
    return b"data: %b\n\n" % fault_body(fault, request_id)
