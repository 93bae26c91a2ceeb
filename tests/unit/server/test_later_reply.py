"""Replies to answers in the background: nobody has the id before it is noted, and what fails is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from tests.unit.server.test_kept_reply import Kept, frame
from tests.unit.supervisor.samples import record
from wicket.accounts.price import Price
from wicket.accounts.record import Record
from wicket.dialects.contract import Progress
from wicket.errors import Fault, StoreFault
from wicket.gateway.later import LaterDrive
from wicket.server.later_reply import LaterReply
from wicket.state.kept import KeptDue
from wicket.state.seal import KEY_BYTES, Pin, Seal

SEAL = Seal(bytes(KEY_BYTES))
PRICE = Price("p", 1, 2)
QUEUED = {"id": "resp_9", "object": "response", "status": "queued", "model": "gpt-5", "output": []}
FULL = StoreFault("store_full", "The disk is full.")


class Notes:
    """What notes dues: when it is told to."""

    def __init__(self) -> None:
        self.dues: list[KeptDue] = []
        self.ended: list[Progress] = []
        self.done: Callable[[Fault | None], None] = lambda fault: None

    def add(self, due: KeptDue, done: Callable[[Fault | None], None]) -> None:
        self.dues.append(due)
        self.done = done

    def settle(self, due: KeptDue, progress: Progress) -> None:
        self.ended.append(progress)


class Drive(LaterDrive):
    """Only what the reply asks of one; it remembers how it ended."""

    __slots__ = ("failed",)

    def __init__(self, *, is_streamed: bool) -> None:
        route = SimpleNamespace(parts=(), markup_ppm=250_000)
        self.call: Any = SimpleNamespace(id=77, unix_ms=5_000, is_streamed=is_streamed, route=route)
        deployment = SimpleNamespace(
            provider="own", dialect="openai_responses", headers=(("authorization", "k"),), engine=False,
            own_key_fee_ppm=-1,
        )  # fmt: skip
        self.answer = cast(
            Any, SimpleNamespace(deployment=deployment, prepared=SimpleNamespace(crossing=None, price=PRICE))
        )
        self.is_pending = False
        self.failed: list[Fault] = []

    def left_pending(self) -> tuple[Record, Any]:
        self.is_pending = True
        return record(77), self.answer

    def not_kept(self, fault: Fault) -> None:
        self.failed.append(fault)


class Place:
    def __init__(self, *, is_streamed: bool = False) -> None:
        self.kept, self.notes, self.drive = Kept(), Notes(), Drive(is_streamed=is_streamed)
        self.reply = LaterReply(self.kept, SEAL, "team:a", None, self.notes)
        self.reply.drive = self.drive


def test_the_id_waits_until_it_is_noted() -> None:
    place = Place()
    place.reply.whole(200, b"", json.dumps(QUEUED).encode())
    assert place.kept.said == [] and place.drive.is_pending
    (due,) = place.notes.dues
    assert (due.tenant, due.record_id, due.created_ms, due.markup_ppm) == ("team:a", 77, 5_000, 250_000)
    assert msgspec.msgpack.decode(due.price, type=Price) == PRICE
    kept = msgspec.msgpack.decode(due.record, type=Record)
    assert (kept.outcome, kept.charge_nanos) == ("under_way", 0)
    place.notes.done(None)
    ((_, status, body),) = place.kept.said
    shown = json.loads(body)["id"]
    assert status == 200 and shown == due.id and shown != "resp_9"
    assert SEAL.open("resp_", "team:a", shown) == Pin("own", due.credential, "resp_9")


def test_what_could_not_be_noted_is_no_answer() -> None:
    place = Place()
    place.reply.whole(200, b"", json.dumps(QUEUED).encode())
    place.notes.done(FULL)
    assert place.kept.said == [FULL] and place.drive.failed == [FULL]


@pytest.mark.parametrize(
    "body",
    [
        QUEUED | {"status": "completed"},
        QUEUED | {"id": "../../models"},  # no id that could be asked for, so nothing to come back to
        QUEUED | {"status": "new"},
        {"error": {"message": "no"}},
    ],
)
def test_what_is_not_under_way_goes_out_at_once(body: dict[str, Any]) -> None:
    place = Place()
    place.reply.whole(200, b"", json.dumps(body).encode())
    assert len(place.kept.said) == 1 and place.notes.dues == [] and not place.drive.is_pending


def test_a_stream_waits_and_its_end_settles_it() -> None:
    place = Place(is_streamed=True)
    first = frame("response.created", response=QUEUED)
    delta = frame("response.output_text.delta", delta='a "response" of')
    over = QUEUED | {"status": "completed", "usage": {"input_tokens": 2, "output_tokens": 3}}
    place.reply.begin(b"")
    for data in (first, delta, frame("response.completed", response=over)):
        place.reply.write(data)
    place.reply.finish()
    assert place.kept.said == ["begin"] and len(place.notes.dues) == 1
    place.notes.done(None)
    assert place.kept.said[-1] == "finish" and delta in place.kept.bytes
    assert (
        b'"resp_9"' not in place.kept.bytes and place.kept.bytes.count(place.notes.dues[0].id.encode()) == 2
    )
    (end,) = place.notes.ended
    assert (end.outcome, end.is_paid) == ("ok", True) and end.counts is not None
    assert (end.counts.input_tokens, end.counts.output_tokens) == (2, 3)


def test_a_stream_that_could_not_be_noted_ends_with_the_fault() -> None:
    place = Place(is_streamed=True)
    place.reply.begin(b"")
    place.reply.write(frame("response.created", response=QUEUED))
    place.reply.write(frame("response.output_text.delta", delta="x"))
    place.notes.done(FULL)
    place.reply.write(frame("response.output_text.delta", delta="y"))
    place.reply.finish()
    assert place.kept.said == ["begin", FULL] and place.drive.failed == [FULL]


def test_a_failure_behind_a_note_that_waits_comes_behind_it() -> None:
    place = Place(is_streamed=True)
    place.reply.begin(b"")
    place.reply.write(frame("response.created", response=QUEUED))
    broken = Fault("reset", "It broke.")
    place.reply.fail_in_band(broken)
    assert place.kept.said == ["begin"]
    place.notes.done(None)
    assert place.kept.said[-1] is broken and len(place.kept.said) == 3
    assert place.notes.ended == []  # it goes on at the provider
