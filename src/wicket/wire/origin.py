"""Where an upstream lives: a value that names one keep-alive pool."""

from __future__ import annotations

import msgspec


class Origin(msgspec.Struct, frozen=True):
    """A connectable place; equal origins share connections.

    `scheme` is "http", "https" or "unix"; for "unix", `host` is the socket's path and `port` is 0.
    `proxy` is an HTTP proxy's URL (`http://[user:pass@]host:port`) or "" for none.
    `ca_file` adds to the system's certificate authorities. Verification can't be switched off.
    """

    scheme: str
    host: str
    port: int
    proxy: str = ""
    ca_file: str = ""

    @property
    def authority(self) -> str:
        """The `Host` header's value (RFC 9112 §3.2); a default port is left out."""
        if self.scheme == "unix":
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = {"http": 80, "https": 443}[self.scheme]
        return host if self.port == default else f"{host}:{self.port}"
