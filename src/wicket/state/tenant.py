"""Whose a kept thing is, and the ids of things that are kept here."""

from __future__ import annotations

import re
import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
_NUM_CHARS = 24  # 120 bits: not to be guessed
_OURS = re.compile(rf"[{ALPHABET}]{{{_NUM_CHARS}}}")


def tenant_of(key_id: int, team_id: int, team: str) -> str:
    """The team of a key, or the key itself where it has none: all keys of one team share what is kept.

    A team that has no row of its own is known by its name.
    """
    if team_id:
        return f"team:{team_id}"
    return f"named:{team}" if team else f"key:{key_id}"


def new_id(prefix: str) -> str:
    """A random id such as `file-…`."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(_NUM_CHARS))


def is_ours(prefix: str, text: str) -> bool:
    """Whether a text has the form of an id made by `new_id`."""
    return text.startswith(prefix) and _OURS.fullmatch(text, len(prefix)) is not None
