"""Requests held against their meters, through a whole protocol whose sockets are stand-ins."""

import json
from collections.abc import Sequence

import msgspec
import pytest

from tests.unit.server.wire_client import DEPLOYMENT, KEY, protocol, records, upstreams
from wicket.accounts.callers import Caller, digest
from wicket.accounts.lease_words import DENIED, GRANTED, LAST, RECALLED, Note, Word
from wicket.accounts.meters import (
    CONCURRENT,
    DAY,
    MINUTE,
    NANOS,
    REQUESTS,
    TOKENS,
    TOTAL,
    Meter,
    credit_meter,
)
from wicket.errors import ProviderFault
from wicket.gateway.metering import WAIT_US
from wicket.routing.deployment import Route

PRICED = msgspec.structs.replace(
    DEPLOYMENT, prices=(1_000_000, 4_000_000, None, None, 0), price_id="p/m", max_output_tokens=1_000
)
ANSWER = (
    b'{"model":"m","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2}}'
)
USED = 9 * 1_000 + 2 * 4_000  # nano-USD
CREDIT = credit_meter("team:1")
MANY = 1 << 50


class Line:
    """One connection of one caller with `meters`, and what its worker says and hears of leases."""

    def __init__(self, *meters: Meter) -> None:
        self.protocol, self.transport = protocol()
        self.gate = self.protocol.serving.gate
        route = Route(name="a", deployments=(PRICED,))
        self.gate.routes.resolve = lambda name: route  # type: ignore[union-attr, method-assign, assignment]
        self.metering = self.gate.metering
        self.notes: list[Note] = []
        self.metering.tell = self.hear
        self.metering.set_meters(meters, is_whole=True)
        ids = tuple(one.id for one in meters)
        self.gate.callers.add(Caller(1, "tester", digest(KEY), meters=ids))

    def hear(self, notes: Sequence[Note]) -> None:
        self.notes += notes

    def give(self, meter: Meter, amount: int) -> None:
        self.metering.hear([Word(meter.id, GRANTED, amount=amount, level=amount)])

    def ask(self, **fields: object) -> None:
        body = json.dumps({"model": "a", "messages": [{"role": "user", "content": "x"}], **fields}).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n" % KEY
        self.protocol.data_received(head + b"content-length: %d\r\n\r\n%b" % (len(body), body))

    @property
    def is_asked(self) -> bool:
        return bool(upstreams(self.protocol).exchanges)

    def answer(self) -> None:
        upstreams(self.protocol).exchanges.pop().answer(ANSWER)

    def heard(self) -> tuple[int, bytes, dict[str, object]]:
        """Status, head and body of the one answer since the last."""
        data = b"".join(self.transport.writes)
        self.transport.writes.clear()
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), head, json.loads(body)

    def free(self, meter: Meter) -> int:
        return self.metering.leases[meter.id].free


def test_without_meters_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    monkeypatch.setattr(type(line.metering), "enter", None)
    line.ask()
    line.answer()
    status, head, _ = line.heard()
    assert status == 200 and b"ratelimit" not in head and not line.notes


def test_what_is_held_is_settled_by_what_was_used() -> None:
    tokens = Meter("limit:1", "key:1", TOKENS, MANY, DAY)
    line = Line(CREDIT, tokens)
    line.ask(max_tokens=10)
    (note,) = line.notes
    assert note.meter == tokens.id and note.need > 10 and not line.is_asked
    line.give(tokens, 10_000)
    assert line.notes[-1].meter == CREDIT.id and not line.is_asked
    need, least = line.notes[-1].need, line.notes[-1].least
    assert need == least > 10 * 4_000
    line.give(CREDIT, need + 5)
    assert line.is_asked and line.free(CREDIT) == 5
    line.answer()
    assert line.free(CREDIT) == need + 5 - USED and line.free(tokens) == 10_000 - 11
    drawn = {one.meter: one.amount for one in line.metering.take_drawn()}
    assert drawn == {CREDIT.id: USED, tokens.id: 11}
    assert line.metering.take_drawn() == []
    (record,) = records(line.gate)
    assert record.charge_nanos == USED


@pytest.mark.parametrize("how", ["fails", "leaves", "breaks", "drains"])
def test_however_it_ends_nothing_stays_held(how: str) -> None:
    places = Meter("limit:1", "key:1", CONCURRENT, 3)
    line = Line(CREDIT, places)
    for meter in (places, CREDIT):
        line.metering._open((CREDIT.id, places.id))
        line.give(meter, 3 if meter is places else MANY)
    upstreams(line.protocol).is_broken = how == "breaks"
    line.ask()
    if how == "fails":
        for _ in range(8):
            if upstreams(line.protocol).exchanges:
                upstreams(line.protocol).exchanges.pop().fail(ProviderFault("provider_auth_failed", "no"))
    elif how == "leaves":
        line.protocol.connection_lost(None)
    elif how == "drains":
        for drive in list(line.gate.active):
            drive.client_gone()
    assert not line.gate.active
    assert line.free(places) == 3 and line.free(CREDIT) == MANY
    assert len(records(line.gate)) == 1


def test_who_waits_and_leaves_is_forgotten() -> None:
    line = Line(CREDIT)
    line.ask()
    line.protocol.connection_lost(None)
    assert not line.gate.active and not line.metering.leases[CREDIT.id].waiting
    line.give(CREDIT, MANY)
    assert not line.is_asked and line.free(CREDIT) == MANY


def test_who_waits_too_long_hears_503() -> None:
    line = Line(CREDIT)
    line.ask()
    began = next(iter(line.gate.active)).call.started_us
    line.metering.tick(began + WAIT_US - 1)
    assert not line.transport.writes
    line.metering.tick(began + WAIT_US)
    status, head, body = line.heard()
    assert (status, body["error"]["code"]) == (503, "limits_unavailable")  # type: ignore[index]
    assert b"retry-after: 1" in head and not line.gate.active and not records(line.gate)


def test_a_denial_is_remembered_for_a_moment_and_ends_with_a_grant() -> None:
    requests = Meter("limit:1", "team:1", REQUESTS, 60, MINUTE)
    line = Line(requests)
    line.ask()
    line.metering.hear([Word(requests.id, DENIED, level=0, wait_ms=700)])
    status, head, body = line.heard()
    assert (status, body["error"]["code"]) == (429, "rate_limit_exceeded")  # type: ignore[index]
    assert b"retry-after-ms: 700" in head and b"x-ratelimit-remaining-requests: 0" in head
    num_notes = len(line.notes)
    line.ask()
    assert line.heard()[0] == 429 and len(line.notes) == num_notes
    line.give(requests, 2)
    line.ask()
    assert line.is_asked


def test_who_is_refused_hears_what_is_left_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wicket.gateway.hold.TOLD_MS", 60_000)  # header lines are written anew this seldom
    requests = Meter("limit:1", "team:1", REQUESTS, 2, DAY)
    line = Line(requests)
    line.ask()
    line.give(requests, 2)
    line.answer()
    assert b"x-ratelimit-remaining-requests: 1" in line.heard()[1]
    line.ask()
    line.answer()
    line.heard()
    line.ask()
    line.metering.hear([Word(requests.id, DENIED, level=0, wait_ms=700)])
    status, head, _ = line.heard()
    assert status == 429 and b"x-ratelimit-remaining-requests: 0" in head


def test_a_recall_is_answered_with_what_is_not_used() -> None:
    line = Line(CREDIT)
    line.metering._open((CREDIT.id,))
    line.give(CREDIT, MANY)
    line.ask(max_tokens=10)
    line.metering.hear([Word(CREDIT.id, RECALLED)])
    note = line.notes[-1]
    assert note.is_answer and note.back > MANY - 100_000 * 4_000 and line.free(CREDIT) == 0
    line.answer()
    assert line.free(CREDIT) == MANY - note.back - USED


def test_what_is_all_there_is_makes_the_answer_shorter_and_says_so() -> None:
    budget = Meter("budget:1", "team:1", NANOS, MANY, TOTAL)
    line = Line(budget)
    line.ask(max_tokens=900)
    note = line.notes[-1]
    left = note.least + 100 * 4_000
    line.metering.hear([Word(budget.id, LAST, amount=left, level=left)])
    (exchange,) = upstreams(line.protocol).exchanges
    assert b'"max_tokens":116' in exchange.request and line.free(budget) == 0
    line.answer()
    status, head, _ = line.heard()
    assert status == 200 and b"x-wicket-max-output-tokens: 116\r\n" in head


def test_a_limit_that_is_removed_lets_go_who_waits() -> None:
    line = Line(CREDIT)
    line.ask()
    line.metering.set_meters([], [CREDIT.id], is_whole=False)
    assert line.is_asked
    line.answer()
    assert line.heard()[0] == 200
    line.ask()
    assert line.is_asked and not line.metering.leases


def test_once_the_supervisor_is_gone_nothing_with_limits_begins() -> None:
    line = Line(CREDIT)
    line.metering._open((CREDIT.id,))
    line.give(CREDIT, MANY)
    line.metering.close()
    line.ask()
    assert line.heard()[0] == 503 and not line.is_asked


def test_what_goes_with_spooled_records_is_told_later() -> None:
    line = Line(CREDIT)
    line.metering._open((CREDIT.id,))
    line.give(CREDIT, MANY)
    line.ask()
    line.answer()
    drawn = line.metering.take_drawn()
    line.metering.redraw(drawn)
    assert line.metering.take_drawn() == drawn
