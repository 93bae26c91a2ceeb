"""Ids that carry a pin: where a thing lives, told to nobody and changed by nobody.

A provider's own id, the provider and its credential are encrypted and authenticated into the id that a caller
gets. The tenant is authenticated with them, so that another tenant's id opens no better than a forged one.

The construction is SIV (Rogaway and Shrimpton, "Deterministic Authenticated-Encryption", 2006; RFC 5297 has
the form with AES): a keyed hash of context and text is both the tag and what the key stream is made from, so
that there is no nonce to repeat; the same text under the same key gives the same id. Hash and key stream are
BLAKE2b (RFC 7693), keyed differently for the two.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from hashlib import blake2b

import msgspec

KEY_BYTES = 32
TAG_BYTES = 16
MAX_ID = 1_024  # characters; no provider's ids come near
_BLOCK = 64
_CREDENTIAL_BYTES = 8


class Pin(msgspec.Struct, frozen=True, array_like=True):
    """Where a thing lives: the provider, which of its credentials (`Seal.credential`), its id there."""

    provider: str
    credential: bytes
    id: str


class Seal:
    """Makes and opens sealed ids with one secret key of `KEY_BYTES` bytes."""

    def __init__(self, key: bytes) -> None:
        """Raises `ValueError` for a key of another length."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a seal's key has {KEY_BYTES} bytes")
        self._mac_key = _derived(key, b"wicket.mac")
        self._stream_key = _derived(key, b"wicket.stream")
        self._name_key = _derived(key, b"wicket.name")

    def seal(self, prefix: str, tenant: str, pin: Pin) -> str:
        """The id to give out, beginning with `prefix` ("resp_"); letters, digits, "-" and "_" otherwise."""
        text = msgspec.msgpack.encode(pin)
        tag = self._tag(prefix, tenant, text)
        return prefix + urlsafe_b64encode(tag + self._mixed(tag, text)).rstrip(b"=").decode()

    def open(self, prefix: str, tenant: str, sealed: str) -> Pin | None:
        """The pin of an id that was sealed for this tenant with this key; None for every other text."""
        data = _decoded(sealed.removeprefix(prefix)) if sealed.startswith(prefix) else b""
        if len(data) <= TAG_BYTES:
            return None
        tag, text = data[:TAG_BYTES], self._mixed(data[:TAG_BYTES], data[TAG_BYTES:])
        if not hmac.compare_digest(tag, self._tag(prefix, tenant, text)):
            return None
        return msgspec.msgpack.decode(text, type=Pin)

    def credential(self, headers: tuple[tuple[str, str], ...]) -> bytes:
        """A name for the credential in a deployment's headers, which tells nothing of it.

        By value rather than by place: a rotated list of keys keeps its names.
        """
        return blake2b(
            msgspec.msgpack.encode(headers), key=self._name_key, digest_size=_CREDENTIAL_BYTES
        ).digest()

    def _tag(self, prefix: str, tenant: str, text: bytes) -> bytes:
        framed = msgspec.msgpack.encode(
            (prefix, tenant, text)
        )  # lengths included: no two contexts run together
        return blake2b(framed, key=self._mac_key, digest_size=TAG_BYTES).digest()

    def _mixed(self, tag: bytes, text: bytes) -> bytes:
        """`text` xor the key stream that belongs to `tag`."""
        stream = b"".join(
            blake2b(number.to_bytes(8, "big"), key=self._stream_key, salt=tag, digest_size=_BLOCK).digest()
            for number in range(-(-len(text) // _BLOCK))
        )
        whole = int.from_bytes(text, "big") ^ int.from_bytes(stream[: len(text)], "big")
        return whole.to_bytes(len(text), "big")


def _derived(key: bytes, name: bytes) -> bytes:
    return blake2b(key=key, person=name, digest_size=KEY_BYTES).digest()


def _decoded(text: str) -> bytes:
    """Base64url without padding, in its one canonical form; b"" for anything else (RFC 4648 §3.5)."""
    if len(text) > MAX_ID or not text.isascii():
        return b""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (NotBase64, ValueError):
        return b""
    return data if urlsafe_b64encode(data).rstrip(b"=").decode() == text else b""
