"""The seam between the gateway and outbound HTTP: callbacks, no Task and no Future per request."""

from __future__ import annotations

from typing import Protocol

from wicket.errors import ProviderFault
from wicket.wire.origin import Origin


class Sink(Protocol):
    """Who hears of one exchange. After `on_end` or `on_failure` nothing more comes; both never come.

    Callbacks run in the event loop and must not raise.
    """

    def on_headers(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The final response's status and headers, names lower-cased; 1xx are swallowed."""
        ...

    def on_data(self, data: bytes) -> None:
        """Body bytes as they arrive, transfer coding removed; never empty.

        What one read of the socket brought comes in one call. An unasked gzip or deflate coding is removed
        too, and `on_headers` then didn't name it.
        """
        ...

    def on_end(self) -> None:
        """The body is complete by its own framing; the connection may have gone back to the pool."""
        ...

    def on_failure(self, fault: ProviderFault, *, reused: bool, headers_seen: bool) -> None:
        """Connect failed, reset, cut short of its framing, or malformed.

        "reset" is a connection closed before any byte of the answer, "cut" one closed after some. So "reset"
        with `reused` means that a keep-alive connection had gone stale: the same request may go out once
        more on a fresh one.
        Codes: "connect_failed", "connect_timeout", "dns_failed", "tls_failed", "proxy_failed",
        "reset", "cut", "malformed".
        """
        ...


class Exchange(Protocol):
    """One request under way."""

    def cancel(self) -> None:
        """Abandon it: the connection is closed, no callback follows. Harmless when it is over.

        A connection still being made is left to the next request.
        """
        ...

    def pause(self) -> None:
        """Stop reading from the upstream (back-pressure). What is already read may still be told."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...


class Pool(Protocol):
    """Keep-alive connections to every origin."""

    def send(
        self, origin: Origin, request: bytes, sink: Sink, *, connect_ms: int, fresh: bool = False
    ) -> Exchange:
        """Send one whole request (head and body in `request`) and report to `sink`.

        Uses an idle connection unless `fresh`. Never calls `sink` before returning.
        """
        ...

    async def close(self) -> None:
        """Close every connection; exchanges under way fail."""
        ...
