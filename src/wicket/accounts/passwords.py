"""Passwords: what may be one, and what is kept of it. Slow on purpose, so never call `hashed` on a loop.

scrypt (RFC 7914) with parameters of OWASP's Password Storage Cheat Sheet: N = 2^15, r = 8, p = 3, which takes
32 MiB and is listed there as equal in strength to N = 2^17, p = 1 with its 128 MiB.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import unicodedata

import msgspec

from wicket.errors import CallerFault

MIN_BYTES, MAX_BYTES = 10, 1_024
_SALT_BYTES, _HASH_BYTES = 16, 32


class Hardness(msgspec.Struct, frozen=True):
    """scrypt's cost: memory is 128 * 2^`log_n` * `r` bytes, time that times `p`."""

    log_n: int = 15
    r: int = 8
    p: int = 3


STANDARD = Hardness()


def checked(password: str, field: str = "password") -> bytes:
    """The bytes that are hashed: UTF-8 of NFKC, so that one password typed on two keyboards is the same.

    Raises `CallerFault` naming `field`, never the password.
    """
    data = _normal(password)
    if not MIN_BYTES <= len(data) <= MAX_BYTES:
        message = f"'{field}' has {MIN_BYTES} to {MAX_BYTES:,} bytes."
        raise CallerFault("invalid_password", message, param=field)
    return data


def hashed(password: bytes, hardness: Hardness = STANDARD) -> str:
    """What is kept: parameters, salt and hash as one text."""
    salt = secrets.token_bytes(_SALT_BYTES)
    found = _scrypt(password, salt, hardness)
    return f"scrypt${hardness.log_n}${hardness.r}${hardness.p}${_text(salt)}${_text(found)}"


def nobodys(hardness: Hardness = STANDARD) -> str:
    """Like what is kept of a password, but of none: looking takes as long."""
    salt, found = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_HASH_BYTES)
    return f"scrypt${hardness.log_n}${hardness.r}${hardness.p}${_text(salt)}${_text(found)}"


def matches(password: str, kept: str) -> bool:
    """Whether it is the password behind `kept`; takes as long for a wrong one as for the right one."""
    parts = _parts(kept)
    if parts is None:
        return False
    hardness, salt, expected = parts
    return hmac.compare_digest(_scrypt(_normal(password)[: MAX_BYTES + 1], salt, hardness), expected)


def is_outdated(kept: str, hardness: Hardness = STANDARD) -> bool:
    """Whether `kept` was made with other parameters than today's."""
    parts = _parts(kept)
    return parts is not None and parts[0] != hardness


def _normal(password: str) -> bytes:
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _scrypt(password: bytes, salt: bytes, hardness: Hardness) -> bytes:
    memory = 128 * (1 << hardness.log_n) * hardness.r
    return hashlib.scrypt(
        password,
        salt=salt,
        n=1 << hardness.log_n,
        r=hardness.r,
        p=hardness.p,
        maxmem=2 * memory + (1 << 20),
        dklen=_HASH_BYTES,
    )


def _parts(kept: str) -> tuple[Hardness, bytes, bytes] | None:
    try:
        name, log_n, r, p, salt, found = kept.split("$")
        hardness = Hardness(int(log_n), int(r), int(p))
        return (hardness, base64.b64decode(salt), base64.b64decode(found)) if name == "scrypt" else None
    except (ValueError, binascii.Error):
        return None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
