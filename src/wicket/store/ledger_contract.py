"""What a store's ledger can do: transfers, balances, credits, grants, messages that wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from wicket.accounts.movements import Moved, Movement, Order
from wicket.accounts.split import Grant
from wicket.accounts.transfers import Balance, Transfer

MAX_TRANSFERS = 10_000  # of one query


class Balances(NamedTuple):
    """Credits' balances in nano-USD by scope, open grants included; a later `serial` is newer."""

    serial: int
    of: Mapping[str, int]


class Credit(msgspec.Struct, frozen=True):
    """A scope's credit: what is prepaid (below zero: overdrawn), and its open grants.

    `below_nanos` is where a low balance is told, None as configured; `is_low` says that it has been told.
    """

    scope: str
    prepaid_nanos: int
    grants: tuple[Grant, ...] = ()
    created_ms: int = 0
    below_nanos: int | None = None
    is_low: bool = False

    @property
    def balance_nanos(self) -> int:
        """All that can be spent."""
        return self.prepaid_nanos + sum(grant.left_nanos for grant in self.grants)


class TransferFilter(msgspec.Struct, frozen=True):
    """Which transfers to list, newest first; zeros and empty texts don't filter.

    `scopes` are those whose credit, grants and receivable to show, None for all there is. Times are Unix ms,
    [since, until). `before` is the (entry id, place) to go on from. `record_id` takes a request's corrections
    too.
    """

    scopes: tuple[str, ...] | None = None
    account: str = ""
    kind: str = ""
    since_ms: int = 0
    until_ms: int = 0
    record_id: int = 0
    before: tuple[int, int] | None = None
    limit: int = 100


class Notice(msgspec.Struct, frozen=True):
    """A message for the webhook: its body as it is sent, how often that was tried, when it is due."""

    event_id: str
    at_ms: int
    body: str
    tries: int = 0
    next_ms: int = 0


class Ledger(Protocol):
    """All of it raises `StoreFault` if the database can't do it."""

    def move(self, order: Order, now_ms: int) -> Moved:
        """Carry out an order, once per idempotency key. Raises `CallerFault` as `movements` decides."""
        ...

    def known(self, idempotency_key: str) -> Movement | None:
        """What was done under that key."""
        ...

    def expire(self, now_ms: int) -> list[Movement]:
        """End the grants whose time has come; those with something left make a movement."""
        ...

    def balances(self, scopes: Iterable[str] | None = None) -> Balances:
        """Credits' balances now, of these scopes or of all."""
        ...

    def accounts(self, scopes: Iterable[str] | None = None) -> dict[str, Balance]:
        """Every account's balance, or of the credit, grants and receivable of these scopes."""
        ...

    def credits(self, scopes: Iterable[str] | None = None) -> list[Credit]:
        """Every scope with credit, or those of these that have one, sorted."""
        ...

    def movements(self, scope: str = "", limit: int = 100) -> list[Movement]:
        """The newest first."""
        ...

    def transfers(self, wanted: TransferFilter) -> list[Transfer]:
        """The newest first."""
        ...

    def verify(self) -> list[str]:
        """What is wrong, a line each, by account and record; empty if nothing is. One moment's view."""
        ...

    def scope_named(self, kind: str, text: str) -> str:
        """The scope of a team, key or organisation by its name or public id, "" if there is none."""
        ...

    def scope_names(self) -> Mapping[str, str]:
        """What people call the scopes there are, by scope."""
        ...

    def set_low(self, scope: str, is_low: bool, notice: Notice | None) -> None:
        """Whether a credit's low balance has been told, with the message in the same transaction."""
        ...

    def set_below(self, scope: str, below_nanos: int | None) -> bool:
        """Where a low balance is told; False if the scope has no credit."""
        ...

    def add_notice(self, notice: Notice) -> bool:
        """Keep a message; False if its event id is known."""
        ...

    def due_notices(self, now_ms: int, limit: int = 100) -> Sequence[Notice]:
        """Messages that wait and are due, oldest first."""
        ...

    def notice_tried(self, event_id: str, next_ms: int, ended_ms: int = 0, outcome: str = "") -> None:
        """One more try; `ended_ms` not 0: delivered or given up, as `outcome` says."""
        ...

    def forget_notices(self, before_ms: int) -> int:
        """Delete messages that ended before; how many."""
        ...
