"""The worker's end of the control channel against a plain socket as the supervisor."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tests.unit.supervisor.samples import record
from wicket.accounts.record import Record
from wicket.errors import BusyFault, CallerFault, Fault, KeyFault, OperatorFault, PermissionFault
from wicket.server import control as module
from wicket.server.control import Control, fault_of
from wicket.supervisor.channel import Channel, attach
from wicket.supervisor.messages import (
    Answer,
    Ask,
    Committed,
    Drain,
    Ready,
    Records,
    ToSupervisor,
    ToWorker,
    pack_record,
)


def packed(*records: Record) -> list[msgspec.Raw]:
    return [pack_record(record) for record in records]


class Pair:
    """A control with its supervisor's end; what each heard, in order."""

    def __init__(self) -> None:
        self.worker_heard: list[ToWorker] = []
        self.supervisor_heard: asyncio.Queue[Any] = asyncio.Queue()
        self.spooled: list[int] = []
        self.lost = asyncio.Event()
        self.gone = asyncio.Event()
        self.control = Control(self.worker_heard.append, self.lost.set, self.spool)
        decoder = msgspec.msgpack.Decoder(ToSupervisor)
        self.supervisor = Channel(decoder, self.supervisor_heard.put_nowait, self.gone.set)

    def spool(self, records: Sequence[Record]) -> None:
        self.spooled += [record.id for record in records]

    async def __aenter__(self) -> "Pair":
        here, there = socket.socketpair()
        await attach(self.supervisor, here)
        await self.control.connect(there.detach())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.control.close()
        self.supervisor.close()
        await self.lost.wait()
        await self.gone.wait()


def test_questions_are_answered_by_their_number() -> None:
    async def scenario() -> None:
        async with Pair() as pair:
            one = asyncio.create_task(pair.control.ask("usage", {"by": []}, 3))
            two = asyncio.create_task(pair.control.ask("keys.revoke", {"id": "x"}, 0))
            first, second = await pair.supervisor_heard.get(), await pair.supervisor_heard.get()
            assert (first.verb, first.arguments, first.key_id) == ("usage", {"by": []}, 3)
            assert isinstance(second, Ask)
            pair.supervisor.send(Answer(id=second.id, fault=("unknown_key", "no such key", 404)))
            pair.supervisor.send(Answer(id=first.id, value={"requests": 1}))
            pair.supervisor.send(Answer(id=99, value="nobody asked"))
            assert await one == {"requests": 1}
            with pytest.raises(CallerFault, match="no such key") as caught:
                await two
            assert (caught.value.code, caught.value.status) == ("unknown_key", 404)

    asyncio.run(scenario())


def test_what_is_not_confirmed_is_spooled_when_the_supervisor_goes() -> None:
    async def scenario() -> None:
        async with Pair() as pair:
            pair.control.ready()
            pair.control.send_records(packed(record(1), record(2)))
            pair.control.send_records(packed(record(3)))
            assert isinstance(await pair.supervisor_heard.get(), Ready)
            for sequence in (1, 2):
                message = await pair.supervisor_heard.get()
                assert isinstance(message, Records) and message.sequence == sequence
            pair.supervisor.send(Committed(sequence=1))
            pair.supervisor.send(Drain(deadline_ms=5))
            waiting = asyncio.create_task(pair.control.ask("status", {}, 0))
            await pair.supervisor_heard.get()
            pair.supervisor.close()
            with pytest.raises(OperatorFault, match="supervisor is gone"):
                await waiting
            await pair.lost.wait()
            assert pair.worker_heard == [Drain(deadline_ms=5)]
            assert pair.spooled == [3]
            pair.control.send_records(packed(record(4)))
            assert pair.spooled == [3, 4]
            with pytest.raises(OperatorFault):
                await pair.control.ask("status", {}, 0)

    asyncio.run(scenario())


def test_large_batches_are_split_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RECORDS_PER_MESSAGE", 10)
    monkeypatch.setattr(module, "MAX_UNCONFIRMED", 20)

    async def scenario() -> None:
        async with Pair() as pair:
            pair.control.send_records(packed(*[record(n) for n in range(45)]))
            sizes = [len((await pair.supervisor_heard.get()).records) for _ in range(5)]
            assert sizes == [10, 10, 10, 10, 5]
            pair.supervisor.close()
            await pair.lost.wait()
            assert pair.spooled == list(range(30, 45))

    asyncio.run(scenario())


def test_a_supervisor_that_does_not_read_makes_records_go_to_the_spool() -> None:
    async def scenario() -> None:
        here, there = socket.socketpair()
        spooled: list[int] = []
        lost = asyncio.Event()
        control = Control(
            lambda message: None, lost.set, lambda records: spooled.extend(r.id for r in records)
        )
        await control.connect(there.detach())
        batch = [record(n, model="m" * 5_000) for n in range(1_000)]
        for _ in range(5):
            control.send_records(packed(*batch))
        assert 0 < len(spooled) < 5_000
        sent = 5_000 - len(spooled)
        here.close()
        await lost.wait()
        assert len(spooled) == 5_000 and sent > 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, CallerFault),
        (401, KeyFault),
        (403, PermissionFault),
        (404, CallerFault),
        (409, CallerFault),
        (429, BusyFault),
        (500, Fault),
        (503, OperatorFault),
    ],
)
def test_a_fault_keeps_who_has_to_act(status: int, kind: type[Fault]) -> None:
    fault = fault_of("code", "message", status)
    assert type(fault) is kind
    assert (fault.code, fault.message, fault.status) == ("code", "message", status)
