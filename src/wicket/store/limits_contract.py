"""What a store keeps of limits and budgets, and the names of what they are attached to."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from wicket.accounts.meters import NANOS, Meter


class ScopeName(NamedTuple):
    """A key, a team or an organisation as people know it."""

    scope: str
    public_id: str
    name: str


class Spent(NamedTuple):
    """What a scope's requests of one model and deployment came to."""

    key_id: int
    model: str
    deployment: str
    requests: int
    tokens: int
    charge_nanos: int


class LimitStore(Protocol):
    """Part of `store.contract.Store`; every method raises `StoreFault` if the database can't do it."""

    def meters(self) -> list[Meter]:
        """All limits and budgets, oldest first."""
        ...

    def put_meter(self, meter: Meter, now_ms: int) -> Meter:
        """Keep a limit or budget; the answer has its id. One of the same kind gets another amount.

        In another zone its windows are others: then it is a new one, and the old one is gone.
        """
        ...

    def remove_meter(self, id: str) -> Meter | None:
        """End a limit or budget; None if there is none."""
        ...

    def scope_names(self) -> list[ScopeName]:
        """Every key, team and organisation there is or was, oldest first."""
        ...

    def spent(self, since_ms: int) -> list[Spent]:
        """What requests begun since then came to, by key, model and deployment; checks are not among them."""
        ...


def meter_id(unit: str, number: int) -> str:
    """A row's id as meters have it."""
    return f"{'budget' if unit == NANOS else 'limit'}:{number}"


def meter_number(id: str) -> int:
    """The row behind a meter's id; 0 for what is no such id."""
    kind, _, number = id.partition(":")
    is_number = number.isascii() and number.isdecimal() and len(number) < 19
    return int(number) if kind in ("budget", "limit") and is_number else 0
