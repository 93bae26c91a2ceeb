"""Who is behind a key, as the workers know it: a table in memory, looked up by the key's hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """A virtual key as admission sees it. `key_id` 0 is the operator's admin key.

    `models` empty means all. `expires_ms` 0 means never (Unix ms). `payer` is the ledger account that pays,
    "" for that of `scopes.receivable`; `meters` are the ids of what its requests are counted against, nearest
    first. Without meters a request is neither held nor counted, and that costs nothing.

    `routes` are the APIs it may call (empty: all), `networks` where from (CIDR; empty: anywhere). `blocked`
    says what of it is suspended or deleted ("key", "team", "organisation"), "" for nothing. A key that was
    rotated is found by `previous` as well, until `previous_until_ms`.
    """

    key_id: int
    name: str
    digest: bytes  # SHA-256 of the key
    team: str = ""
    is_admin: bool = False
    models: tuple[str, ...] = ()
    expires_ms: int = 0
    salt: str = ""  # separates tenants in prefix caches; never leaves the house
    team_id: int = 0
    organisation_id: int = 0
    payer: str = ""
    meters: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    blocked: str = ""
    previous: bytes = b""
    previous_until_ms: int = 0
    is_lent: bool = False  # stands for the key in what the server asks itself (batches), beside it


def digest(key: bytes) -> bytes:
    """What is kept of a key. Keys carry 160 random bits, so a fast hash is enough and no salt is needed."""
    return hashlib.sha256(key).digest()


class CallerTable:
    """All live keys of one worker. Lookup by digest leaks no timing about the key itself."""

    def __init__(self, callers: Iterable[Caller] = ()) -> None:
        self._by_digest: dict[bytes, Caller] = {}
        self._digests: dict[int, tuple[bytes, bytes]] = {}
        self._lent: dict[int, bytes] = {}
        for caller in callers:
            self.add(caller)

    def __len__(self) -> int:
        return len(self._digests)

    def find(self, key: bytes) -> Caller | None:
        """The caller behind a presented key."""
        return self._by_digest.get(hashlib.sha256(key).digest())

    def find_digest(self, digest: bytes) -> Caller | None:
        """The caller behind a key's digest."""
        return self._by_digest.get(digest)

    def add(self, caller: Caller) -> None:
        """A new or changed key; whatever text it had before is forgotten."""
        if caller.is_lent:
            self._by_digest.pop(self._lent.get(caller.key_id, b""), None)
            self._lent[caller.key_id] = caller.digest
            self._by_digest[caller.digest] = caller
            return
        self._forget(caller.key_id)
        self._digests[caller.key_id] = (caller.digest, caller.previous)
        self._by_digest[caller.digest] = caller
        if caller.previous:
            self._by_digest[caller.previous] = _as_before(caller)

    def remove(self, key_id: int) -> None:
        """A revoked key, and what stands for it; unknown ids are ignored."""
        self._forget(key_id)
        self._by_digest.pop(self._lent.pop(key_id, b""), None)

    def _forget(self, key_id: int) -> None:
        for digest in self._digests.pop(key_id, ()):
            self._by_digest.pop(digest, None)


def _as_before(caller: Caller) -> Caller:
    """The caller behind the text that a rotation ends."""
    ends_ms = min(caller.expires_ms or caller.previous_until_ms, caller.previous_until_ms)
    return msgspec.structs.replace(caller, digest=caller.previous, previous=b"", expires_ms=ends_ms)
