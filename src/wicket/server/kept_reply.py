"""Replies to a Responses caller whose answer is kept: edited where it names itself, held back until it is.

Both stand before the reply that writes to the client and see whole bodies and whole frames only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from wicket.errors import Fault, ProviderFault
from wicket.gateway.call import Call
from wicket.gateway.drive import Drive, Reply
from wicket.gateway.gate import Gate
from wicket.gateway.pinned import pin_of
from wicket.state.responses import PREFIX, PREVIOUS, edited
from wicket.state.seal import Pin, Seal
from wicket.wire.fields import Fields
from wicket.wire.sse import payload

OVER = ("response.completed", "response.incomplete")
ENDS = (*OVER, "response.failed", "response.cancelled")
_EVENTS = frozenset((*ENDS, "response.created", "response.queued", "response.in_progress"))
_MARK = b'"response"'
_log = logging.getLogger("wicket.server")


class _Event(msgspec.Struct):
    type: str = ""
    response: msgspec.Raw = msgspec.Raw()


class _Named(msgspec.Struct):
    id: str = ""
    status: Any = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_fields = msgspec.json.Decoder(Fields).decode
_decode_named = msgspec.json.Decoder(_Named).decode
_encode = msgspec.json.encode


def event_of(frame: bytes) -> tuple[str, bytes] | None:
    """The type and the response of a frame that carries one; None for every other."""
    if _MARK not in frame:
        return None
    try:
        event = _decode_event(payload(frame))
    except msgspec.DecodeError:
        return None
    found = bytes(event.response)
    return (event.type, found) if event.type in _EVENTS and found[:1] == b"{" else None


def with_response(frame: bytes, name: str, response: bytes) -> bytes:
    """The frame with another response in it, everything else of its event as it was."""
    fields = _decode_fields(payload(frame))
    fields["response"] = msgspec.Raw(response)
    return b"event: %b\ndata: %b" % (name.encode(), _encode(fields))


class SealingReply:
    """The provider keeps the answer: its id goes out sealed. `before` is the id the caller had sent."""

    def __init__(self, inner: Reply, seal: Seal, tenant: str, before: str | None) -> None:
        self.drive: Drive | None = None
        self._inner = inner
        self._seal = seal
        self._tenant = tenant
        self._before = before

    def make(self, gate: Gate, call: Call) -> Drive:
        """The drive that answers through this. Raises `CallerFault`."""
        self.drive = drive = Drive(gate, call, self)
        return drive

    def whole(self, status: int, headers: bytes, body: bytes, content_type: bytes = b"") -> None:
        """See `drive.Reply`."""
        self._inner.whole(status, headers, self._sealed(body) if status == 200 else body, content_type)

    def begin(self, headers: bytes, content_type: bytes = b"") -> None:
        """See `drive.Reply`."""
        self._inner.begin(headers, content_type)

    def write(self, data: bytes) -> None:
        """See `drive.Reply`."""
        if _MARK in data:
            data = b"\n\n".join([self._frame(frame) for frame in data.split(b"\n\n")])
        self._inner.write(data)

    def finish(self) -> None:
        """See `drive.Reply`."""
        self._inner.finish()

    def refuse(self, fault: Fault, headers: bytes) -> None:
        """See `drive.Reply`; of a provider that failed it is told why nobody else was asked."""
        if self._before is not None and isinstance(fault, ProviderFault):
            fault.message += f" '{PREVIOUS}' is kept there, so nobody else was asked."
        self._inner.refuse(fault, headers)

    def fail_in_band(self, fault: Fault) -> None:
        """See `drive.Reply`."""
        self._inner.fail_in_band(fault)

    def _frame(self, frame: bytes) -> bytes:
        found = event_of(frame)
        return with_response(frame, found[0], self._sealed(found[1])) if found is not None else frame

    def _sealed(self, response: bytes) -> bytes:
        answer = self.drive.answer if self.drive is not None else None
        if answer is None or answer.prepared.crossing is not None or answer.deployment.engine:
            return response  # nobody keeps it
        try:
            name = _decode_named(response).id
            pin: Pin = pin_of(answer.deployment, name, self._seal)
            edits: dict[str, object] = {"id": self._seal.seal(PREFIX, self._tenant, pin)} if name else {}
            return edited(response, edits | ({PREVIOUS: self._before} if self._before else {}))
        except msgspec.DecodeError:
            return response


Keep = Callable[[bytes, Callable[[bool], None]], None]


class KeepingReply:
    """The answer is kept here: its last word waits until it is, so that whoever has it may go on from it.

    `keep(response, done)` begins that and calls `done` with whether it is kept; one that is not says so
    (`store` is false in it).
    """

    def __init__(self, inner: Reply, id: str, before: str | None, keep: Keep) -> None:
        self.drive: Drive | None = None
        self._inner = inner
        self._keep = keep
        self._waiting: list[Callable[[], None]] | None = None
        self._edits: dict[str, object] = {
            "id": id,
            PREVIOUS: before,
            "store": True,
        }

    def make(self, gate: Gate, call: Call) -> Drive:
        """The drive that answers through this. Raises `CallerFault`."""
        self.drive = drive = Drive(gate, call, self)
        return drive

    def whole(self, status: int, headers: bytes, body: bytes, content_type: bytes = b"") -> None:
        """See `drive.Reply`."""
        if status != 200:
            self._inner.whole(status, headers, body, content_type)
            return
        self._kept(body, lambda shown: self._inner.whole(status, headers, shown, content_type))

    def begin(self, headers: bytes, content_type: bytes = b"") -> None:
        """See `drive.Reply`."""
        self._inner.begin(headers, content_type)

    def write(self, data: bytes) -> None:
        """See `drive.Reply`."""
        if self._waiting is not None:
            self._waiting.append(lambda: self._inner.write(data))
        elif _MARK not in data:
            self._inner.write(data)
        else:
            self._write_frames(data.split(b"\n\n"))

    def finish(self) -> None:
        """See `drive.Reply`."""
        if self._waiting is not None:
            self._waiting.append(self._inner.finish)
        else:
            self._inner.finish()

    def refuse(self, fault: Fault, headers: bytes) -> None:
        """See `drive.Reply`."""
        self._inner.refuse(fault, headers)

    def fail_in_band(self, fault: Fault) -> None:
        """See `drive.Reply`."""
        if self._waiting is not None:
            self._waiting.append(lambda: self._inner.fail_in_band(fault))
        else:
            self._inner.fail_in_band(fault)

    def _write_frames(self, frames: list[bytes]) -> None:
        """What goes out now, and from the last event on what waits."""
        out: list[bytes] = []
        for at, frame in enumerate(frames):
            found = event_of(frame)
            if found is None:
                out.append(frame)
            elif found[0] not in OVER:
                out.append(with_response(frame, found[0], self._edited(found[1], {})))
            else:
                if out:
                    self._inner.write(b"\n\n".join([*out, b""]))
                self._keep_last(frame, found, frames[at + 1 :])
                return
        self._inner.write(b"\n\n".join(out))

    def _keep_last(self, frame: bytes, found: tuple[str, bytes], rest: list[bytes]) -> None:
        name, response = found

        def go_on(shown: bytes) -> None:
            self._inner.write(b"\n\n".join([with_response(frame, name, shown), *(rest or [b""])]))

        self._kept(response, go_on)

    def _kept(self, response: bytes, go_on: Callable[[bytes], None]) -> None:
        """Keep it, then go on with it as it may be shown."""
        shown = self._edited(response, {})
        self._waiting = []

        def done(is_kept: bool) -> None:
            go_on(shown if is_kept else self._edited(response, {"store": False}))
            waiting, self._waiting = self._waiting or [], None
            for each in waiting:
                each()

        self._keep(shown, done)

    def _edited(self, response: bytes, more: dict[str, object]) -> bytes:
        try:
            return edited(response, self._edits | more)
        except msgspec.DecodeError:  # it was read before, so this is a mistake of ours
            _log.error("an answer to be kept could not be edited")
            return response
