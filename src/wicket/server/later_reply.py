"""The reply to a request whose answer is made in the background: nobody has its id before that is noted.

Until the supervisor has committed what the provider works on (`state.kept.KeptDue`), what would show its id
waits. So whoever can ask for the answer by its id will find that it is settled, whatever dies in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

import msgspec

from wicket.accounts.late import begun
from wicket.dialects.contract import LaterDialect, Progress, module
from wicket.errors import Fault, UpstreamBroken
from wicket.gateway.call import Call
from wicket.gateway.drive import Drive, Reply
from wicket.gateway.gate import Gate
from wicket.gateway.later import LaterDrive
from wicket.gateway.pinned import KEEPER, pin_of
from wicket.gateway.settle import markup_of
from wicket.server.kept_reply import ENDS, SealingReply, event_of
from wicket.state.kept import RESPONSE, KeptDue
from wicket.state.responses import PREFIX
from wicket.state.seal import Seal


class Notes(Protocol):
    """Where it is noted that a provider works on something."""

    def add(self, due: KeptDue, done: Callable[[Fault | None], None]) -> None:
        """Note it, then call `done`: with a fault if that failed."""
        ...

    def settle(self, due: KeptDue, progress: Progress) -> None:
        """It is over."""
        ...


class LaterReply(SealingReply):
    """Seals ids as `SealingReply` does, once the answer behind them is noted."""

    def __init__(self, inner: Reply, seal: Seal, tenant: str, before: str | None, notes: Notes) -> None:
        super().__init__(inner, seal, tenant, before)
        self._notes = notes
        self._due: KeptDue | None = None
        self._waiting: list[Callable[[], None]] | None = None
        self._is_dead = False

    def make(self, gate: Gate, call: Call) -> Drive:
        """See `SealingReply.make`."""
        self.drive = drive = LaterDrive(gate, call, self)
        return drive

    def whole(self, status: int, headers: bytes, body: bytes, content_type: bytes = b"") -> None:
        """See `drive.Reply`."""
        progress = self._progress(body) if status == 200 else None
        if progress is None or progress.outcome:
            super().whole(status, headers, body, content_type)
            return
        send = super().whole
        self._note(progress, lambda: send(status, headers, body, content_type))

    def write(self, data: bytes) -> None:
        """See `drive.Reply`."""
        if self._later(lambda: self.write(data)):
            return
        events = [found for frame in data.split(b"\n\n") if (found := event_of(frame)) is not None]
        if self._due is None and events:
            progress = self._progress(events[0][1])
            if progress is not None and not progress.outcome:
                self._note(progress, lambda: self.write(data))
                return
        super().write(data)
        for name, response in events:
            progress = self._progress(response) if name in ENDS and self._due is not None else None
            if progress is not None and self._due is not None:
                self._notes.settle(self._due, progress)

    def finish(self) -> None:
        """See `drive.Reply`."""
        if not self._later(self.finish):
            super().finish()

    def fail_in_band(self, fault: Fault) -> None:
        """See `drive.Reply`."""
        if not self._later(lambda: self.fail_in_band(fault)):
            super().fail_in_band(fault)

    def _later(self, act: Callable[[], None]) -> bool:
        """Whether that is not for now: it waits, or nobody hears it any more."""
        if self._waiting is not None:
            self._waiting.append(act)
        return self._is_dead or self._waiting is not None

    def _progress(self, response: bytes) -> Progress | None:
        """How far it is; None where it is not made by a provider that keeps answers."""
        answer = self.drive.answer if self.drive is not None else None
        if answer is None or answer.prepared.crossing is not None or answer.deployment.dialect != KEEPER:
            return None
        try:
            return cast(LaterDialect, module(KEEPER)).progress(response)
        except UpstreamBroken:
            return None

    def _note(self, progress: Progress, go_on: Callable[[], None]) -> None:
        """Note what goes on, and only then `go_on`."""
        assert isinstance(self.drive, LaterDrive)
        drive = self.drive
        due = self._made(drive, progress)
        self._waiting = []

        def done(fault: Fault | None) -> None:
            waiting, self._waiting = self._waiting or [], None
            if fault is not None:
                self._is_dead = True
                self._refuse(drive, fault)
                return
            self._due = due
            for act in (go_on, *waiting):
                act()

        self._notes.add(due, done)

    def _made(self, drive: LaterDrive, progress: Progress) -> KeptDue:
        record, answer = drive.left_pending()
        call, deployment, price = drive.call, answer.deployment, answer.prepared.price
        pin = pin_of(deployment, progress.id, self._seal)
        return KeptDue(
            tenant=self._tenant,
            id=self._seal.seal(PREFIX, self._tenant, pin),
            record_id=call.id,
            created_ms=call.unix_ms,
            kind=RESPONSE,
            provider=pin.provider,
            credential=pin.credential,
            remote=pin.id,
            record=msgspec.msgpack.encode(begun(record)),
            price=b"" if price is None else msgspec.msgpack.encode(price),
            markup_ppm=markup_of(call, deployment),
        )

    def _refuse(self, drive: LaterDrive, fault: Fault) -> None:
        if drive.call.is_streamed:
            self._inner.fail_in_band(fault)
        else:
            self._inner.refuse(fault, b"x-request-id: req_%016x\r\n" % drive.call.id)
        drive.not_kept(fault)
