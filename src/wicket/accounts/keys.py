"""Virtual keys: how they are made and what is kept of them. The store has the rows."""

from __future__ import annotations

import re
import secrets

import msgspec

from wicket.accounts.callers import Caller, digest
from wicket.errors import CallerFault

PREFIX = "wk-"
PUBLIC_PREFIX = "key_"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: 5 bits a character
_NUM_CHARS = 32  # 160 bits
_NUM_PUBLIC_CHARS = 16
_MAX_NAME_CHARS = 200
_LIFETIME = re.compile(r"(\d{1,6})([smhdw])")
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


class VirtualKey(msgspec.Struct, frozen=True):
    """A key as it is kept: its hash and what may be shown. `id` is 0 until the store has given one.

    Times are Unix ms; `expires_ms` and `revoked_ms` 0 mean never. `models`, `networks` and `routes` empty
    mean all. `previous_digest` is of the text before the last rotation, good until `previous_until_ms`. A key
    with `session_id` ends with that session. `made_by` is the public id of who made it.
    """

    public_id: str
    name: str
    digest: bytes
    shown: str  # "wk-abcd…wxyz"
    created_ms: int
    team: str = ""
    expires_ms: int = 0
    revoked_ms: int = 0
    models: tuple[str, ...] = ()
    salt: str = ""
    id: int = 0
    team_id: int = 0
    organisation_id: int = 1  # scopes.DEFAULT_ORGANISATION
    networks: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    suspended_ms: int = 0
    rotated_ms: int = 0
    previous_digest: bytes = b""
    previous_until_ms: int = 0
    session_id: int = 0
    is_hidden: bool = False
    made_by: str = ""

    def caller(self, blocked: str = "") -> Caller:
        """The key as the workers know it. `blocked` names what of its tenant is not active."""
        return Caller(
            key_id=self.id,
            name=self.name,
            digest=self.digest,
            team=self.team,
            models=self.models,
            expires_ms=self.expires_ms,
            salt=self.salt,
            team_id=self.team_id,
            organisation_id=self.organisation_id,
            routes=self.routes,
            networks=self.networks,
            blocked=blocked or ("key" if self.suspended_ms else ""),
            previous=self.previous_digest,
            previous_until_ms=self.previous_until_ms,
        )


def key_text() -> tuple[str, bytes, str]:
    """The text of a new key, its digest, and what of it may be shown."""
    text = PREFIX + _random_chars(_NUM_CHARS)
    return text, digest(text.encode()), f"{text[:7]}…{text[-4:]}"


def create_key(
    name: str, now_ms: int, *, team: str = "", models: tuple[str, ...] = (), expires_ms: int = 0
) -> tuple[VirtualKey, str]:
    """A new key and its text, which is shown once and never kept.

    Raises `CallerFault` for a name or team that is empty, too long or not printable, and for a past expiry.
    """
    if not name or not _is_plain(name) or not _is_plain(team) or not all(map(_is_plain, models)):
        raise CallerFault(
            "invalid_key_name",
            f"A key's name, team and models are printable text of at most {_MAX_NAME_CHARS} characters.",
            param="name",
        )
    if expires_ms and expires_ms <= now_ms:
        raise CallerFault("invalid_expiry", "The expiry lies in the past.", param="expires")
    text, hashed, shown = key_text()
    row = VirtualKey(
        public_id=PUBLIC_PREFIX + _random_chars(_NUM_PUBLIC_CHARS),
        name=name,
        digest=hashed,
        shown=shown,
        created_ms=now_ms,
        team=team,
        expires_ms=expires_ms,
        models=models,
        salt=secrets.token_hex(16),
    )
    return row, text


def allows_model(caller: Caller, model: str) -> bool:
    """Whether the key may ask for this model name."""
    return not caller.models or model in caller.models


def parse_lifetime(text: str) -> int:
    """A lifetime like "90s", "12h", "30d" or "8w" in ms; raises `CallerFault` for anything else."""
    match = _LIFETIME.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise CallerFault(
            "invalid_expiry", "A lifetime reads like 90s, 15m, 12h, 30d or 8w.", param="expires"
        )
    return int(match[1]) * _UNIT_MS[match[2]]


def _random_chars(number: int) -> str:
    bits = secrets.randbits(5 * number)
    return "".join(_ALPHABET[(bits >> (5 * place)) & 31] for place in range(number))


def _is_plain(text: str) -> bool:
    return len(text) <= _MAX_NAME_CHARS and text.isprintable()
