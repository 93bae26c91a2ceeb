"""Request ids: 63-bit, time-sortable, unique across workers, so that the id is the row's key.

Layout: 42 bits of Unix milliseconds (until 2109) · 7 bits of worker · 14 bits of sequence.
A restarted worker starts its sequence at a random place, so a clock that steps back does not collide
in practice; the database's primary key is the last guard.
"""

from __future__ import annotations

import secrets

from wicket.errors import CallerFault

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
_VALUES = {char: value for value, char in enumerate(_ALPHABET)}
PREFIX = "req_"
_LENGTH = 13


class RequestIds:
    """Hands out ids for one worker (index 0 to 127)."""

    def __init__(self, worker: int) -> None:
        self._worker = (worker & 0x7F) << 14
        self._sequence = secrets.randbelow(1 << 14)

    def next(self, unix_ms: int) -> int:
        """The next id; at most 16,384 a millisecond are distinct."""
        self._sequence = sequence = (self._sequence + 1) & 0x3FFF
        return ((unix_ms & 0x3FFFFFFFFFF) << 21) | self._worker | sequence


def format_id(number: int) -> str:
    """`req_` and 13 characters of Crockford's base 32."""
    return PREFIX + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(60, -1, -5))


def parse_id(text: str) -> int:
    """The number behind an id; raises `CallerFault` for anything else."""
    body = text.removeprefix(PREFIX)
    if len(body) != _LENGTH or body == text or any(char not in _VALUES for char in body):
        raise CallerFault(
            "invalid_request_id", "A request id looks like req_01k4…; take it from x-request-id.", param="id"
        )
    number = 0
    for char in body:
        number = number << 5 | _VALUES[char]
    if number >= 1 << 63:
        raise CallerFault(
            "invalid_request_id", "A request id looks like req_01k4…; take it from x-request-id.", param="id"
        )
    return number
