"""Administrative answers, and the headers of a fault that steer a retry; its body is its dialect's.

The SDKs of OpenAI and Anthropic (one generator made both) look at `x-should-retry`, then
`retry-after-ms`, then `retry-after` before they fall back on the status code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wicket.errors import BusyFault, CallerFault, Fault, OperatorFault
from wicket.wire.json import encode

if TYPE_CHECKING:
    from starlette.responses import Response

MAX_WAIT_MS = 60_000  # the SDKs wait no longer than that, they come back sooner and in vain

Headers = list[tuple[bytes, bytes]]


def private_json(value: Any, status: int = 200) -> Response:
    """A document that no cache on the way may keep."""
    from starlette.responses import Response  # inference does without it, and so do the first answers

    return Response(
        encode(value), status, media_type="application/json", headers={"cache-control": "no-store"}
    )


def fault_headers(fault: Fault) -> Headers:
    """What a client needs besides the body: when to come back, and whether it is worth it at all.

    `retry-after` is in whole seconds, rounded up (RFC 9110 §10.2.3); `retry-after-ms` is exact.
    `www-authenticate` belongs to every 401 (RFC 9110 §15.5.2).
    """
    headers: Headers = []
    if fault.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="wicket"'))
    if fault.retry_after_ms is not None:
        wait_ms = max(0, fault.retry_after_ms)
        headers.append((b"retry-after", b"%d" % -(-wait_ms // 1000)))
        headers.append((b"retry-after-ms", b"%d" % wait_ms))
    should_retry = _should_retry(fault)
    if should_retry is not None:
        headers.append((b"x-should-retry", b"true" if should_retry else b"false"))
    return headers


def _should_retry(fault: Fault) -> bool | None:
    """True when we said when, and that is soon; False: it will fail again; None leaves it to the client."""
    if fault.retry_after_ms is not None and (isinstance(fault, BusyFault) or fault.status >= 500):
        return fault.retry_after_ms <= MAX_WAIT_MS
    if isinstance(fault, CallerFault | OperatorFault) or fault.status < 500:
        return False
    return None
