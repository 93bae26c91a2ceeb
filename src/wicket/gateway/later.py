"""A request whose answer is made later, at the provider: no record yet, and its hold goes on, bounded.

Its record is written once, by the supervisor, when the answer is over (`supervisor.dues`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wicket.accounts.record import Record, Usage
from wicket.dialects.contract import Progress
from wicket.gateway.attempt import Attempt
from wicket.gateway.counting import usage_of
from wicket.gateway.drive import Drive
from wicket.gateway.events import Settle
from wicket.gateway.settle import settle

if TYPE_CHECKING:
    from wicket.errors import Fault
    from wicket.gateway.call import Call
    from wicket.gateway.drive import Reply
    from wicket.gateway.gate import Gate


class LaterDrive(Drive):
    """A drive whose answer may be one that is only begun: it is then pending."""

    __slots__ = ("is_pending", "unwritten")

    def __init__(self, gate: Gate, call: Call, reply: Reply) -> None:
        """See `Drive`. Nobody is asked twice at once: both would go on at their providers."""
        route = call.route
        if route.hedge is not None or route.continues or route.task:
            call = msgspec.structs.replace(
                call, route=msgspec.structs.replace(route, hedge=None, continues=False, task="")
            )
        super().__init__(gate, call, reply)
        self.is_pending = False
        self.unwritten: Record | None = None

    def left_pending(self) -> tuple[Record, Attempt]:
        """The request as it stands, and the attempt that answered."""
        assert self.answer is not None
        self.is_pending = True
        gate = self.gate
        return settle(self.call, self.attempts, self.answer, 200, "ok", gate.now_us()), self.answer

    def not_kept(self, fault: Fault) -> None:
        """What was begun could not be noted: the request ends as one that failed."""
        self.is_pending = False
        record, self.unwritten = self.unwritten, None
        if record is None:
            self.client_gone()
            return
        self.gate.pledges.release([self.call.id])
        self.gate.record(msgspec.structs.replace(record, status=fault.status, outcome=fault.code))

    def _record(self, action: Settle) -> Record:
        if not self.is_pending:
            return super()._record(action)
        gate, status = self.gate, self.status or 499
        record = settle(self.call, self.attempts, self.answer, status, action.outcome, gate.now_us())
        self.unwritten = msgspec.structs.replace(record, charge_nanos=0)
        if self.hold is not None:
            gate.pledges.take(self.call.id, self.hold, gate.now_us())
        for attempt in self.attempts:
            attempt.forget()
        return record

    def _headers(self, attempt: Attempt, *, with_cost: bool) -> bytes:
        is_over = attempt.counts is not None and attempt.counts.input_tokens > 0
        return super()._headers(attempt, with_cost=with_cost and is_over)


def usage_in(progress: Progress) -> Usage | None:
    """What it used, as a record keeps it; None where the provider has not said."""
    return None if progress.counts is None else usage_of(progress.counts)
