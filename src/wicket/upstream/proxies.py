"""Which proxy an origin is reached through, and what is said to it.

For https the proxy is asked for a tunnel (CONNECT, RFC 9110 §9.3.6). For plain http the request goes out in
absolute form (RFC 9112 §3.2.2), because proxies commonly refuse tunnels to ports other than 443.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote, urlsplit

import msgspec

from wicket.errors import ConfigFault
from wicket.wire.origin import Origin


class Proxy(msgspec.Struct, frozen=True):
    """A proxy's address and the `Proxy-Authorization` value for it, "" for none. Never print one."""

    host: str
    port: int
    authorization: str


def proxy_for(scheme: str, host: str, port: int, environ: Mapping[str, str]) -> str:
    """The proxy's URL that the environment names for this origin, or "".

    Read are `https_proxy` or `http_proxy` by scheme, then `all_proxy`; lower case wins over upper case.
    `no_proxy` lists names (with their subdomains), addresses, networks (CIDR) or `*`, each with an optional
    `:port`. Loopback and unix sockets never go through a proxy. Inside CGI, `HTTP_PROXY` is a header that a
    client sent, hence not read. Raises `ConfigFault` for a URL that `parse_proxy` refuses.
    """
    if scheme == "unix" or _is_loopback(host):
        return ""
    url = _variable(environ, f"{scheme}_proxy") or _variable(environ, "all_proxy")
    if not url or _is_excepted(host, port, _variable(environ, "no_proxy")):
        return ""
    if "://" not in url:
        url = f"http://{url}"
    parse_proxy(url)
    return url


@lru_cache(maxsize=64)
def parse_proxy(url: str) -> Proxy:
    """Split a proxy's URL. Raises `ConfigFault`, without the URL's credentials in the message."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        raise ConfigFault("bad_proxy", "A proxy's URL can't be read: write http://host:port.") from None
    if parts.scheme.lower() != "http" or not host:
        message = f"A proxy of scheme {parts.scheme!r} is not supported: write http://host:port."
        raise ConfigFault("bad_proxy", message)
    authorization = ""
    if user or password:
        authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return Proxy(host, port, authorization)


def connect_request(proxy: Proxy, host: str, port: int) -> bytes:
    """The request for a tunnel to `host`:`port`."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {place} HTTP/1.1", f"host: {place}"]
    if proxy.authorization:
        lines.append(f"proxy-authorization: {proxy.authorization}")
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"


def absolute_form(origin: Origin, request: bytes) -> bytes:
    """The request as an http proxy wants it: the whole URL in its first line, our credentials below."""
    proxy = parse_proxy(origin.proxy)
    method, target, rest = request.split(b" ", 2)
    line, rest = rest.split(b"\r\n", 1)
    extra = f"proxy-authorization: {proxy.authorization}\r\n".encode() if proxy.authorization else b""
    return b"%b http://%b%b %b\r\n%b%b" % (method, origin.authority.encode(), target, line, extra, rest)


def _variable(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value and not (name == "http_proxy" and "REQUEST_METHOD" in environ):
        value = environ.get(name.upper(), "")
    return value.strip()


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_excepted(host: str, port: int, no_proxy: str) -> bool:
    host = host.lower().rstrip(".")
    entries = no_proxy.replace(",", " ").lower().split()
    return any(_covers(entry, host, port) for entry in entries)


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    address = _address(host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            pass
    name, entry_port = _split_port(entry)
    if entry_port and entry_port != str(port):
        return False
    if address is not None:
        return address == _address(name)
    name = name.removeprefix("*").lstrip(".").rstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _split_port(entry: str) -> tuple[str, str]:
    name, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        return name, port
    return entry, ""
