"""The worker's end of the control channel: typed messages in, records and questions out.

Records are fire and forget for the caller. The worker keeps what the supervisor has not yet confirmed as
committed; when the supervisor is gone, that goes to the spool folder, from where the next supervisor takes
it (a record known already is not counted twice). When the supervisor does not keep up, records go to the
spool folder as well: a worker never waits for the ledger and never holds an unbounded number of records.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from wicket.accounts.record import Record
from wicket.errors import BusyFault, CallerFault, Fault, KeyFault, OperatorFault, PermissionFault
from wicket.supervisor.channel import Channel, attach
from wicket.supervisor.messages import (
    NOBODY,
    Answer,
    Ask,
    Asker,
    Checked,
    Committed,
    Digests,
    Examples,
    LaneHeld,
    Load,
    PackedRecords,
    Ready,
    ToWorker,
    Turned,
    unpack_records,
)

MAX_RECORDS_PER_MESSAGE = 5_000
MAX_UNCONFIRMED = 20_000  # records kept until the supervisor confirms them; the oldest are let go beyond it
ANSWER_LIMIT_S = 60.0

_decoder = msgspec.msgpack.Decoder(ToWorker)


class Control:
    """One worker's line to its supervisor.

    `hear` gets every message but answers and confirmations. `lost` is called once, when it is gone:
    the worker then drains and exits. `spool` keeps records that the supervisor can't take.
    """

    def __init__(
        self,
        hear: Callable[[ToWorker], None],
        lost: Callable[[], None],
        spool: Callable[[Sequence[Record]], None],
    ) -> None:
        self._hear = hear
        self._lost = lost
        self._spool = spool
        self._channel = Channel(_decoder, self._on_message, self._on_lost)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._last_sequence = 0
        self._num_unconfirmed = 0
        self._unconfirmed: deque[tuple[int, list[msgspec.Raw]]] = deque()

    async def connect(self, control_fd: int) -> None:
        """Take over the inherited file descriptor; messages may come from now on."""
        os.set_inheritable(control_fd, False)
        await attach(self._channel, socket.socket(fileno=control_fd))

    @property
    def is_open(self) -> bool:
        """Whether the supervisor is there."""
        return self._channel.is_open

    def ready(self) -> None:
        """Say that this worker accepts connections."""
        self._channel.send(Ready(pid=os.getpid()))

    def tell(self, message: Load | Checked | Turned | Digests | LaneHeld) -> None:
        """Say something that may be lost: while the supervisor does not keep up, it is."""
        if not self._channel.is_congested:
            self._channel.send(message)

    def send_records(self, records: Sequence[msgspec.Raw]) -> None:
        """Hand over finished requests, packed by `pack_record`, oldest first; neither raises nor waits."""
        for start in range(0, len(records), MAX_RECORDS_PER_MESSAGE):
            batch = list(records[start : start + MAX_RECORDS_PER_MESSAGE])
            self._last_sequence += 1
            message = PackedRecords(batch, sequence=self._last_sequence)
            if self._channel.is_congested or not self._channel.send(message):
                self._spool(unpack_records(batch))
            else:
                self._keep(self._last_sequence, batch)

    def send_examples(self, message: Examples) -> bool:
        """Hand over examples; False when the supervisor does not keep up or is gone: they are not kept."""
        return not self._channel.is_congested and self._channel.send(message)

    async def ask(self, verb: str, arguments: dict[str, Any], key_id: int, asker: Asker = NOBODY) -> Any:
        """What only the supervisor knows or may do. Raises the `Fault` it answers with."""
        self._last_id += 1
        number = self._last_id
        if not self._channel.send(Ask(id=number, verb=verb, arguments=arguments, key_id=key_id, asker=asker)):
            raise _supervisor_gone()
        self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(self._asked[number], ANSWER_LIMIT_S)
        except TimeoutError:
            message = f"The supervisor did not answer {verb!r} within {ANSWER_LIMIT_S:g} s. Try again."
            raise OperatorFault("supervisor_busy", message) from None
        finally:
            del self._asked[number]

    def close(self) -> None:
        """Flush what was sent and close; `lost` follows."""
        self._channel.close()

    def _keep(self, sequence: int, batch: list[msgspec.Raw]) -> None:
        self._unconfirmed.append((sequence, batch))
        self._num_unconfirmed += len(batch)
        while self._num_unconfirmed > MAX_UNCONFIRMED:
            self._num_unconfirmed -= len(self._unconfirmed.popleft()[1])

    def _confirm(self, sequence: int) -> None:
        while self._unconfirmed and self._unconfirmed[0][0] <= sequence:
            self._num_unconfirmed -= len(self._unconfirmed.popleft()[1])

    def _on_message(self, message: ToWorker) -> None:
        if isinstance(message, Committed):
            self._confirm(message.sequence)
            return
        if not isinstance(message, Answer):
            self._hear(message)
            return
        waiting = self._asked.get(message.id)
        if waiting is None or waiting.done():
            return
        if message.fault is None:
            waiting.set_result(message.value)
        else:
            waiting.set_exception(carried(message))

    def _on_lost(self) -> None:
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(_supervisor_gone())
        while self._unconfirmed:
            self._spool(unpack_records(self._unconfirmed.popleft()[1]))
        self._num_unconfirmed = 0
        self._lost()


def carried(answer: Answer) -> Fault:
    """The fault that an answer carries."""
    assert answer.fault is not None
    fault = fault_of(*answer.fault)
    fault.param, fault.retry_after_ms = answer.param, answer.after_ms
    return fault


def fault_of(code: str, message: str, status: int) -> Fault:
    """The fault that crossed the channel as its code, message and HTTP status."""
    kind = {401: KeyFault, 403: PermissionFault, 429: BusyFault, 503: OperatorFault}.get(status)
    if kind is None:
        kind = CallerFault if 400 <= status < 500 else Fault
    return kind(code, message, status=status)


def _supervisor_gone() -> OperatorFault:
    return OperatorFault("supervisor_gone", "The supervisor is gone; this worker finishes and ends.")
