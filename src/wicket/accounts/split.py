"""Which credit pays a charge: promotional first, what ends first before the rest, then the prepaid."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from wicket.accounts.transfers import CREDIT, GRANT


class Grant(msgspec.Struct, frozen=True):
    """Promotional credit of a scope, with what is left of it. `expires_ms` 0: never."""

    number: int
    scope: str
    left_nanos: int
    expires_ms: int = 0

    @property
    def account(self) -> str:
        """Its ledger account."""
        return f"{GRANT}{self.number}"


def split_charge(scope: str, amount_nanos: int, grants: Iterable[Grant], at_ms: int) -> list[tuple[str, int]]:
    """What each account pays of a charge at `at_ms`, as (account, nano-USD), in the order of paying.

    A grant never pays more than is left of it, nor after its end. What no grant covers is the prepaid
    credit's, also beyond what there is: a balance may be overdrawn by requests that were let through.
    """
    parts: list[tuple[str, int]] = []
    rest = amount_nanos
    for grant in sorted(grants, key=_end):
        if not rest:
            break
        if grant.left_nanos > 0 and (not grant.expires_ms or at_ms < grant.expires_ms):
            paid = min(rest, grant.left_nanos)
            parts.append((grant.account, paid))
            rest -= paid
    if rest:
        parts.append((f"{CREDIT}{scope}", rest))
    return parts


def _end(grant: Grant) -> tuple[bool, int, int]:
    return (not grant.expires_ms, grant.expires_ms, grant.number)
