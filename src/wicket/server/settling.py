"""How a worker tells the supervisor that something is over which a provider worked on."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.accounts.late import Outcome


def settling(tenant: str, id: str, outcome: Outcome, *, waits: bool = False) -> dict[str, Any]:
    """The arguments of "dues.settle". `waits`: the answer comes when it is committed."""
    packed = msgspec.msgpack.encode(outcome)
    return {"tenant": tenant, "id": id, "outcome": packed, "waits": waits}
