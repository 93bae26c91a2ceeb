"""Every prepaid credit's balance, in memory, as the ledger has it. On the loop only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wicket.accounts.callers import Caller
from wicket.accounts.scopes import receivable, scopes_of

Hear = Callable[[str, int], None]


class Treasury:
    """Balances in nano-USD by scope; a scope without prepaid credit is not in it. May be below zero."""

    def __init__(self) -> None:
        self._balances: dict[str, int] = {}
        self._hear: list[Hear] = []

    @property
    def balances(self) -> Mapping[str, int]:
        """All of them, grants included."""
        return self._balances

    def payer(self, caller: Caller) -> str:
        """The ledger account that pays for a caller: the nearest credit, else what is to be paid later."""
        found = next((scope for scope in scopes_of(caller) if scope in self._balances), "")
        return f"credit:{found}" if found else receivable(caller)

    def subscribe(self, hear: Hear) -> None:
        """Be told of each balance that changes: scope and the new balance."""
        self._hear.append(hear)

    def set(self, scope: str, nanos: int) -> None:
        """The ledger says so."""
        if self._balances.get(scope) == nanos:
            return
        self._balances[scope] = nanos
        for hear in self._hear:
            hear(scope, nanos)
