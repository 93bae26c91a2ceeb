"""What supervisor and workers say to each other over a socket pair: length-prefixed msgpack.

Workers never open the database: what they need of it they `Ask`, what they know of a request they send
as `Records`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from wicket.accounts.callers import Caller
from wicket.accounts.example import Example
from wicket.accounts.lease_words import Note, Settled, Word
from wicket.accounts.meters import Meter
from wicket.accounts.record import Record
from wicket.minis.terms import CascadeTerms
from wicket.routing.vitals import Digest, Turn
from wicket.state.kept import KeptDue

# both ways


class Turned(msgspec.Struct, tag="turned"):
    """Breakers turned: from the worker that saw it, and on to all others at once."""

    turns: list[Turn]


class Digests(msgspec.Struct, tag="digests"):
    """Once a second: what a worker knows of deployments, or what all others know together.

    `waiting` counts the requests that wait for room, by provider; a worker's own only.
    """

    digests: list[Digest]
    waiting: dict[str, int] = {}
    running: dict[str, int] = {}  # in a provider's lane


# supervisor → worker


class LaneShare(msgspec.Struct, tag="lane_share"):
    """How many of a provider's `max_concurrent` this worker may have running."""

    provider: str
    limit: int
    serial: int


class Meters(msgspec.Struct, tag="meters"):
    """What requests are counted against: new and changed meters, and ids of those that are no more.

    `is_whole`: there are no others. `warnings` are soft budgets → whether they are used up.
    """

    meters: list[Meter] = []
    removed: list[str] = []
    is_whole: bool = False
    warnings: dict[str, bool] = {}


class LeaseWords(msgspec.Struct, tag="lease_words"):
    """How this worker's leases stand, and what it is to give back."""

    words: list[Word]


class Configure(msgspec.Struct, tag="configure"):
    """A new configuration in force (secrets resolved): the msgpack-encoded `config.schema.Config`.

    `engine_sockets` are the engines' Unix sockets by engine name, for `config.snapshot.compile_snapshot`.
    """

    version: int
    config: bytes
    engine_sockets: dict[str, str] = {}  # engine name → path of its Unix socket
    seal_key: bytes = b""  # what ids that carry a pin are sealed with, b"" where nothing is kept


class SetCallers(msgspec.Struct, tag="callers"):
    """The whole table of live keys."""

    callers: list[Caller]


class AddCaller(msgspec.Struct, tag="add_caller"):
    """One key created or changed."""

    caller: Caller


class RemoveCaller(msgspec.Struct, tag="remove_caller"):
    """One key revoked: refused from now on."""

    key_id: int


class EngineState(msgspec.Struct, tag="engine"):
    """A local engine: "loading", "ready" or "failed" (with the reason, shown to callers)."""

    name: str
    state: str
    message: str = ""


class LedgerState(msgspec.Struct, tag="ledger"):
    """Whether records can be taken: False when the disk is full and the bounded queue as well."""

    is_open: bool


class Cascades(msgspec.Struct, tag="cascades"):
    """The terms of every route with the policy `cascade`, by the route's name; sent whole at each change."""

    terms: dict[str, CascadeTerms] = {}


class Answer(msgspec.Struct, tag="answer"):
    """The answer to an `Ask`: `value`, or a fault as (code, message, status), its field, when to return."""

    id: int
    value: Any = None
    fault: tuple[str, str, int] | None = None
    param: str | None = None
    after_ms: int | None = None


class Visit(msgspec.Struct, tag="visit"):
    """To one worker: look how far this is at its provider, and say so if it is over."""

    due: KeptDue


class Released(msgspec.Struct, tag="released"):
    """What was held for these requests, whose answers were made later, is held no more: they are settled."""

    requests: list[int]


class Committed(msgspec.Struct, tag="committed"):
    """All `Records` up to `sequence` of this worker are in the database or in the spool folder."""

    sequence: int


class Drain(msgspec.Struct, tag="drain"):
    """Stop accepting, finish what is under way within `deadline_ms`, then exit."""

    deadline_ms: int


ToWorker = (
    Configure
    | SetCallers
    | AddCaller
    | RemoveCaller
    | EngineState
    | LedgerState
    | Cascades
    | Turned
    | Digests
    | LaneShare
    | Meters
    | LeaseWords
    | Answer
    | Visit
    | Released
    | Committed
    | Drain
)


# worker → supervisor


class Ready(msgspec.Struct, tag="ready"):
    """The worker accepts connections."""

    pid: int


class Records(msgspec.Struct, tag="records"):
    """Finished requests, oldest first. The supervisor commits them within the stated flush bound.

    `sequence` counts a worker's messages from 1; `Committed` answers it. Until then the worker keeps them,
    and spools them if the supervisor goes away. `settled` is what these and earlier ones drew from leases.
    """

    records: list[Record]
    sequence: int = 0
    settled: list[Settled] = []


class PackedRecords(msgspec.Struct, tag="records"):
    """`Records` as a worker sends them: packed one by one as requests end, so that little stays in memory."""

    records: list[msgspec.Raw]
    sequence: int = 0
    settled: list[Settled] = []


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Record).decode


def pack_record(record: Record) -> msgspec.Raw:
    """A record in the form in which it crosses the channel."""
    return msgspec.Raw(_pack(record))


def unpack_records(packed: Sequence[msgspec.Raw]) -> list[Record]:
    """The records again."""
    return [_unpack(raw) for raw in packed]


class Asker(msgspec.Struct, frozen=True):
    """Who made the request behind an `Ask`. `session` is the digest of a session's cookie, empty for none.

    `is_local`: from this machine, by a name that only this machine has. None of it opens anything by itself.
    """

    session: bytes = b""
    address: str = ""
    agent: str = ""
    request_id: str = ""
    is_local: bool = False


NOBODY = Asker()


class Ask(msgspec.Struct, tag="ask"):
    """An administrative verb for the supervisor, e.g. "keys.create"; answered by `Answer` with this id."""

    id: int
    verb: str
    arguments: dict[str, Any] = {}
    key_id: int = 0
    asker: Asker = NOBODY


class Examples(msgspec.Struct, tag="examples"):
    """Requests and answers of routes that collect. Not confirmed: what is lost is material, not money.

    `left_out` says how many others were not kept since the last message, by the reason.
    """

    examples: list[Example]
    left_out: dict[str, int] = {}


class Checked(msgspec.Struct, tag="checked"):
    """A mini's answer was compared with the large model's. `confidence` is what the mini had claimed.

    `run` is the card's, `agreed` None when the large model gave no answer to compare with.
    """

    route: str
    run: str
    request_id: int
    agreed: bool | None
    confidence: float
    cost_nanos: int


class LeaseNotes(msgspec.Struct, tag="lease_notes"):
    """What a worker asks of meters, and gives back."""

    notes: list[Note]


class LaneHeld(msgspec.Struct, tag="lane_held"):
    """What a worker still has of a provider's lane, after the share with that serial made it smaller."""

    provider: str
    held: int
    serial: int


class Load(msgspec.Struct, tag="load"):
    """Once a second: what the worker is doing now (gauges for metrics and status).

    `checks` are under way beside the callers' requests; `checks_dropped` had no room, since its start.
    """

    in_flight: int
    connections: int
    rss_bytes: int = 0
    checks: int = 0
    checks_dropped: int = 0


ToSupervisor = Ready | Records | Examples | Checked | Ask | Load | Turned | Digests | LaneHeld | LeaseNotes
