"""Networks that a key may be used from, and the address that a request came from."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from wicket.errors import CallerFault

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def checked_networks(texts: Sequence[str], field: str = "networks") -> tuple[str, ...]:
    """Each as CIDR, host bits cleared. Raises `CallerFault` naming the field."""
    found = []
    for text in texts:
        try:
            found.append(str(ipaddress.ip_network(text, strict=False)))
        except ValueError:
            message = f"'{field}' holds {text[:60]!r}, which is no network; one looks like 10.0.0.0/8."
            raise CallerFault("invalid_value", message, param=field) from None
    return tuple(dict.fromkeys(found))


def is_inside(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address lies in one of `networks`; what is no address lies in none."""
    found = parsed(address)
    return found is not None and any(found in each for each in _networks(networks))


def is_loopback(address: str) -> bool:
    """Whether it is this machine talking to itself."""
    found = parsed(address)
    return found is not None and found.is_loopback


def client_address(peer: str, forwarded_for: Sequence[str], trusted: tuple[str, ...]) -> str:
    """Who asks: the peer of the socket, or what the nearest trusted proxies say of it.

    `forwarded_for` are the values of X-Forwarded-For in their order. From the right, each trusted proxy's
    word is taken on who spoke to it, up to the first address that is not trusted. "" if one says nonsense.
    """
    if not trusted or not is_inside(peer, trusted):
        return peer
    hops = [part.strip() for value in forwarded_for for part in value.split(",")]
    address = peer
    for hop in reversed(hops):
        address = _bare(hop)
        if parsed(address) is None:
            return ""
        if not is_inside(address, trusted):
            return address
    return address


def block_of(address: str) -> str:
    """What is counted as one client: an IPv4 address, or the /64 that an IPv6 client has to itself."""
    found = parsed(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found) if found is not None else "nowhere"


def parsed(address: str) -> Address | None:
    """The address, an IPv4 one that came as IPv6 in its own form; None for anything else."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _bare(hop: str) -> str:
    """Without the port that some proxies add."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


@lru_cache(maxsize=4_096)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)
