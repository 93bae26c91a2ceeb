"""Batches that a provider runs, looked at: by callers who ask, and by visits that the supervisor asks for.

What a batch cost is settled by whoever first sees that it is over: its results are read, each line costs what
the provider's batch tier says, and the supervisor books the sum once. Source: OpenAI API reference, "batch"
(retrieve, cancel, list) and "files" (content); its guide "Batch API" (what was done of a cancelled or expired
batch is in the output file and is billed).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import msgspec

from wicket.accounts.cost import cost_nanos
from wicket.accounts.late import Outcome
from wicket.accounts.price import Price
from wicket.accounts.record import NO_USAGE, OtherUsage, Usage
from wicket.dialects.contract import Api, module
from wicket.errors import OperatorFault, UpstreamBroken
from wicket.gateway.batching import SPEAKERS
from wicket.gateway.counting import usage_of
from wicket.routing.deployment import Deployment
from wicket.server.app_cost import find_api
from wicket.server.app_house import House
from wicket.server.kept_query import asked_there, home_of, request_there
from wicket.server.relay import Stream, answer_text
from wicket.server.settling import settling
from wicket.state.batches import MAX_LINE, PREFIX
from wicket.state.batches_there import OUTCOMES, as_seen, good_body, has_mark, page_there, shown_there
from wicket.state.files import PREFIX as FILE
from wicket.state.kept import KeptBatch, KeptDue
from wicket.state.seal import Pin, Seal
from wicket.supervisor.verb import now_ms

NEVER_BEGUN = "never_begun"  # the provider's list does not have it, long after it was asked for
UNKNOWN_MS = 600_000  # so long may the making of a batch take
MAX_PAGES = 50  # of a provider's list; what is older than a day can't be under way
_DAY_S = 86_400
_SERVICE = "batch"


def pin_of_batch(house: House, batch: KeptBatch) -> tuple[Pin, Seal]:
    """Where it is run; the pin's own id is the mark it was begun with. Raises `OperatorFault`."""
    seal = house.seal
    pin = seal.open(PREFIX, batch.tenant, batch.id) if seal is not None else None
    if seal is None or pin is None:
        raise OperatorFault("seal_key", "The key of kept ids can't be read; the operator must act.")
    return pin, seal


def is_over(batch: KeptBatch) -> bool:
    """Whether nothing of it changes any more."""
    return batch.status in OUTCOMES


async def look(house: House, batch: KeptBatch, *act: str) -> tuple[KeptBatch, int | None]:
    """How far it is now (with `act` "cancel": called off), and what is charged if this look settled it.

    Settled first, then shown as over: who dies in between is made up for by the next look. Raises the fault
    that the provider answers with.
    """
    pin, seal = pin_of_batch(house, batch)
    home = home_of(house, pin, seal, SPEAKERS)
    remote = batch.remote or await _found(house, home, batch, pin.id)
    if not remote:
        if now_ms() - batch.created_ms < UNKNOWN_MS:
            return batch, None
        await _book(house, batch, Outcome(NEVER_BEGUN))
        return await kept(house, msgspec.structs.replace(batch, status="failed")), None
    data = await asked_there(house, home, "POST" if act else "GET", ("batches", remote, *act))
    shown = shown_there(data)
    seen = as_seen(batch, shown, partial(file_id, seal, pin, batch))
    charge = await _settle(house, home, seen, shown) if is_over(seen) else None
    return await kept(house, seen), charge


async def kept(house: House, batch: KeptBatch) -> KeptBatch:
    """Keep it as it was seen; as it is kept then."""
    told = await house.ask("batches.seen", {"batch": msgspec.msgpack.encode(batch)}, 0)
    return msgspec.convert(told, KeptBatch)


async def visit_batch(house: House, due: KeptDue) -> None:
    """Look at one that is not settled, whatever it is seen as. Raises the provider's fault."""
    told = await house.ask("batches.get", {"tenant": due.tenant, "id": due.id}, 0)
    batch = msgspec.convert(told, KeptBatch)
    await look(house, msgspec.structs.replace(batch, status="validating") if is_over(batch) else batch)


def file_id(seal: Seal, pin: Pin, batch: KeptBatch, remote: str) -> str:
    """Our id of a provider's file; the model's name goes with it, so that its lines can be named."""
    return seal.seal(FILE, batch.tenant, msgspec.structs.replace(pin, id=f"{remote} {batch.model}"))


async def _found(house: House, home: Deployment, batch: KeptBatch, mark: str) -> str:
    """The provider's id of a batch whose making was not seen to end, by its mark; "" if it has none."""
    after, oldest_s = "", batch.created_ms // 1_000 - _DAY_S
    for _ in range(MAX_PAGES):
        query = [("limit", "100")] + ([("after", after)] if after else [])
        rows, has_more = page_there(await asked_there(house, home, "GET", ("batches",), query))
        for row in rows:
            if has_mark(row, mark) and isinstance(row.get("id"), str):
                return str(row["id"])
        last = rows[-1] if rows else {}
        made = last.get("created_at")
        if not has_more or not isinstance(last.get("id"), str) or (isinstance(made, int) and made < oldest_s):
            return ""
        after = last["id"]
    return ""


async def _settle(house: House, home: Deployment, batch: KeptBatch, shown: dict[str, object]) -> int | None:
    told = await house.ask("dues.get", {"tenant": batch.tenant, "id": batch.id}, 0)
    if told is None:
        return None
    due = msgspec.msgpack.decode(told, type=KeptDue)
    price = msgspec.msgpack.decode(due.price, type=Price) if due.price else None
    tally = Tally(find_api(batch.endpoint)[0], price)
    remote, outcome = shown.get("output_file_id"), OUTCOMES[batch.status]
    try:
        if isinstance(remote, str) and remote:
            async for line in lines_there(house, home, remote):
                tally.add(line)
        end = Outcome(outcome, tally.num > 0, tally.model, tally.usage, tally.nanos)
    except UpstreamBroken as fault:
        if fault.code != "usage_out_of_range":
            raise
        end = Outcome(fault.code)
    return await _book(house, batch, end)


async def _book(house: House, batch: KeptBatch, end: Outcome) -> int | None:
    told = settling(batch.tenant, batch.id, end)
    charge: int | None = await house.ask("dues.settle", told, 0)
    return charge


class Tally:
    """What the lines of an output file used and cost, each at the price of the batch tier."""

    def __init__(self, api: Api, price: Price | None) -> None:
        self.num = 0
        self.nanos = 0
        self.model = ""
        self.usage = NO_USAGE
        self._api = api
        self._price = price
        self._dialect = module(api.dialect)

    def add(self, line: bytes) -> None:
        """One more line. Raises `UpstreamBroken` for counts that can't be billed."""
        body = good_body(line)
        if not body:
            return
        whole = self._dialect.whole(body, self._api)
        self.num += 1
        self.model = whole.model or self.model
        if whole.counts is None:
            return
        used = usage_of(msgspec.structs.replace(whole.counts, service=_SERVICE))
        if self._price is not None:
            self.nanos += cost_nanos(self._price, used)
        self.usage = _sum(self.usage, used)


def _sum(one: Usage, other: Usage) -> Usage:
    """Both together, by each kind of token."""
    parts = [one.other or OtherUsage(service=_SERVICE), other.other or OtherUsage()]
    names = [name for name, value in msgspec.structs.asdict(OtherUsage()).items() if value == 0]
    sums = {name: sum(getattr(part, name) for part in parts) for name in names}
    unpriced = tuple(dict.fromkeys((*parts[0].unpriced, *parts[1].unpriced)))
    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cached_tokens + other.cached_tokens,
        one.cache_write_tokens + other.cache_write_tokens,
        one.reasoning_tokens + other.reasoning_tokens,
        other=msgspec.structs.replace(parts[0], unpriced=unpriced, **sums),
    )


async def lines_there(house: House, home: Deployment, remote: str) -> AsyncIterator[bytes]:
    """The lines of a provider's file, read no faster than they are taken. Raises the provider's fault."""
    stream = Stream()
    request = request_there(home, "GET", ("files", remote, "content"), accept="*/*")
    stream.exchange = house.send(home.origin, request, stream)
    try:
        await stream.begun()
        if not 200 <= stream.status < 300:
            raise module(home.dialect).judge(stream.status, stream.headers, await answer_text(stream))
        rest: list[bytes] = []
        size = 0
        while data := await stream.read():
            *whole, last = data.split(b"\n")
            for line in whole:
                yield b"".join([*rest, line])
                rest, size = [], 0
            rest.append(last)
            size += len(last)
            if size > MAX_LINE:
                raise UpstreamBroken("too_large", "The provider sent a line larger than the bound.")
        if size:
            yield b"".join(rest)
    finally:
        stream.exchange.cancel()
