"""What a worker and the supervisor say of leases. One word is about one meter."""

from __future__ import annotations

import msgspec

GRANTED = 0  # `amount` is the worker's from now on
LAST = 1  # likewise, and it is all there is: less than was needed
DENIED = 2  # there is not enough, also with what all others gave back
RECALLED = 3  # give back what you do not use: another worker is short
TOLD = 4  # nothing but how it stands


class Note(msgspec.Struct, frozen=True, array_like=True):
    """From a worker. `back` is unused and given back, `gone` used up for good, `refund` had been so in error.

    `need` is what the request at the head of its queue lacks (all of it: the worker has given back what it
    had), `least` what would do if there is no more, `want` what it would like beyond that. `is_answer`: to a
    recall.
    """

    meter: str
    back: int = 0
    gone: int = 0
    refund: int = 0
    need: int = 0
    least: int = 0
    want: int = 0
    is_answer: bool = False


class Word(msgspec.Struct, frozen=True, array_like=True):
    """To a worker. `level` is what the meter has left in all, `free` what nobody has a lease of.

    `wait_ms`: how long until what was denied is there, 0 if time alone does not bring it. `resets_ms`: when
    the meter is full again (Unix time), 0 for never.
    """

    meter: str
    kind: int
    amount: int = 0
    level: int = 0
    free: int = 0
    wait_ms: int = 0
    resets_ms: int = 0


class Settled(msgspec.Struct, frozen=True, array_like=True):
    """What the requests of one batch of records drew from a meter's lease."""

    meter: str
    amount: int
