"""Whom TLS believes: the system's authorities, and an origin's own besides. Always verified."""

from __future__ import annotations

import asyncio
import ssl

from wicket.errors import ProviderFault


class Trust:
    """TLS contexts, one per `ca_file`, made off the loop because reading the system's store takes tens of ms.

    OpenSSL honours SSL_CERT_FILE and SSL_CERT_DIR for the system's part.
    """

    def __init__(self) -> None:
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def context(self, ca_file: str) -> ssl.SSLContext:
        """The context for an origin. Raises `ProviderFault` "tls_failed" if `ca_file` can't be used."""
        context = self._contexts.get(ca_file)
        if context is None:
            loop = asyncio.get_running_loop()
            try:
                context = await loop.run_in_executor(None, make_context, ca_file)
            except (OSError, ssl.SSLError) as error:
                message = f"The certificate file {ca_file!r} can't be used: {error.strerror or error}."
                raise ProviderFault("tls_failed", message) from None
            self._contexts[ca_file] = context
        return context


def make_context(ca_file: str) -> ssl.SSLContext:
    """A verifying client context for HTTP/1.1, TLS 1.2 or later."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context
