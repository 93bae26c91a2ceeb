"""Request ids: 63-bit, time-sortable, unique across workers, so that the id is the row's key.

Layout: 42 bits of Unix milliseconds (until 2109) · 7 bits of worker · 14 bits of sequence.
A restarted worker starts its sequence at a random place, so a clock that steps back does not collide
in practice; the database's primary key is the last guard.
"""

from __future__ import annotations

import secrets

from wicket.errors import CallerFault

PREFIX = "req_"
_DIGITS = 16


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
    """`req_` and 16 hexadecimal digits."""
    return f"req_{number:016x}"


def parse_id(text: str) -> int:
    """The number behind an id; raises `CallerFault` for anything else."""
    digits = text.removeprefix(PREFIX)
    if (
        len(text) == len(PREFIX) + _DIGITS
        and len(digits) == _DIGITS
        and not set(digits) - set("0123456789abcdef")
    ):
        number = int(digits, 16)
        if number < 1 << 63:
            return number
    message = "A request id is req_ and 16 hexadecimal digits; take it from the header x-request-id."
    raise CallerFault("invalid_request_id", message, param="id")
