"""Runs batches: each line is a request to this server's own socket, in the name of the batch's key.

Before a line is run, that it is run is committed; when it is over, so is its result. A line whose server died
under it is run once more, and no line more than `state.batches.MAX_BEGUN` times. All batches share
`batch_concurrency` places, in turn. What a line costs is recorded as any request's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from wicket.errors import Fault
from wicket.state.batches import (
    MAX_BEGUN,
    MAX_ERRORS,
    MAX_LINE,
    WINDOW_S,
    Line,
    Wrong,
    answered,
    not_answered,
    read_line,
)
from wicket.state.files import OUTPUT
from wicket.state.files import PREFIX as FILE
from wicket.state.kept import KeptBatch, KeptFile, KeptLine
from wicket.state.tenant import new_id
from wicket.store.contents import Contents, Incoming
from wicket.store.kept_contract import UNFINISHED, KeptStore
from wicket.supervisor.keeper import Keeper
from wicket.supervisor.verb import now_ms
from wicket.wire import json

if TYPE_CHECKING:
    from wicket.telemetry.batches import BatchGauges

_EXPIRED = "The batch's 24 hours were over before this line was run."
NO_QUOTA = 1 << 62  # what a batch has made is its owner's, whatever else they keep
RETRY_S = 5.0
REST_S = 2.0
_log = logging.getLogger("wicket.batches")


class Errand(Protocol):
    """Asks the server in a key's name. Raises `Fault` where no answer comes."""

    async def __call__(self, key_id: int, path: str, body: bytes) -> tuple[int, str, bytes]:
        """Status, request id and body of the answer; 401 where the key lives no more."""
        ...


class Batches:
    """All batches of a server. `run` goes on for ever."""

    def __init__(self, keeper: Keeper, errand: Errand) -> None:
        self._keeper = keeper
        self._errand = errand
        self._running: dict[str, asyncio.Task[None]] = {}
        self._works: dict[str, Work] = {}
        self.num_lines_running = 0
        self.ended: Counter[str] = Counter()  # batches by status, since the start
        self.ended_lines: Counter[str] = Counter()
        self._stopping: set[str] = set()  # called off or too late: no more of their lines are begun
        self._wake = asyncio.Event()
        self.is_closing = False  # no more lines are begun, what runs may end
        self.places = asyncio.Semaphore(keeper.storage.batch_concurrency)
        keeper.wake = self._wake.set
        keeper.progress = self.progress

    def progress(self) -> BatchGauges:
        """How it stands, for the metrics."""
        from wicket.telemetry.batches import BatchGauges  # kept out of the start

        works = [work.batch for work in self._works.values()]
        left = sum(max(0, one.total - one.completed - one.failed) for one in works)
        return BatchGauges(
            batches_running=len(works),
            lines_running=self.num_lines_running,
            lines_waiting=max(0, left - self.num_lines_running),
            batches_ended=dict(self.ended),
            lines_ended=dict(self.ended_lines),
            kept_expired=self._keeper.num_expired,
        )

    async def run(self) -> None:
        """For ever: work on what is unfinished."""
        self._wake.set()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if self._keeper.has_store and self._keeper.storage.batches == "local":
                    await self._look()
        finally:
            tasks = list(self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def rest(self) -> None:
        """The server ends: give those lines that have been answered the time to be written."""
        self.is_closing = True
        if self._running:
            await asyncio.wait(list(self._running.values()), timeout=REST_S)

    async def _look(self) -> None:
        try:
            found = await self._keeper.do(lambda store: store.unfinished())
        except Fault as fault:
            _log.error("batches wait: %s", fault.message)
            asyncio.get_running_loop().call_later(RETRY_S, self._wake.set)
            return
        for batch in found:
            if batch.model:
                continue  # a provider runs it
            if batch.status == "cancelling":
                self._stopping.add(batch.id)
            if batch.id not in self._running:
                self._running[batch.id] = asyncio.create_task(self._work(batch))

    async def _work(self, batch: KeptBatch) -> None:
        """From wherever it stands to its end. A fault of the house is waited out."""
        work = self._works[batch.id] = Work(batch, self._keeper, self._errand, self)
        try:
            await work.go_on()
            if work.batch.status not in UNFINISHED:
                self.ended[work.batch.status] += 1
        except Fault as fault:
            _log.error("batch %s waits: %s", batch.id, fault.message)
            asyncio.get_running_loop().call_later(RETRY_S, self._wake.set)
        except Exception:
            _log.exception("batch %s failed inside", batch.id)
            asyncio.get_running_loop().call_later(60.0, self._wake.set)
        finally:
            del self._running[batch.id], self._works[batch.id]
            self._stopping.discard(batch.id)

    def is_stopped(self, batch: KeptBatch) -> bool:
        """Whether it is called off."""
        return batch.status == "cancelling" or batch.id in self._stopping


class Work:
    """One batch on its way."""

    def __init__(self, batch: KeptBatch, keeper: Keeper, errand: Errand, batches: Batches) -> None:
        self.batch = batch
        self._keeper = keeper
        self._errand = errand
        self._batches = batches
        self._lines: list[Line] = []
        self._digest = ""

    async def go_on(self) -> None:
        """Validate, run what is not yet run, write the files. Raises `Fault`."""
        if self.batch.status != "finalizing":
            if not await self._validate():
                return
            await self._run_lines()
            if self._batches.is_closing:
                return
            await self._begin_to_finalize()
        await self._finalize()

    async def _validate(self) -> bool:
        """Read the whole file; False where the batch ends here."""
        batch = self.batch
        file = await self._keeper.do(lambda store: store.file(batch.tenant, batch.input_file))
        if file is None:
            await self._fail([Wrong("file_not_found", "The input file is deleted.", "input_file_id").told(0)])
            return False
        self._digest = file.digest
        limit = self._keeper.storage.batch_lines
        self._lines, errors = await asyncio.to_thread(
            read_lines, self._keeper.contents, file.digest, batch.endpoint, limit
        )
        if errors:
            await self._fail(errors)
            return False
        if batch.status == "validating":
            await self._put(status="in_progress", total=len(self._lines), moment="in_progress_at")
        elif batch.total != len(self._lines):  # called off before it was read
            await self._put(total=len(self._lines))
        return True

    async def _fail(self, errors: list[dict[str, object]]) -> None:
        await self._put(status="failed", moment="failed_at", errors=json.encode(errors))

    async def _put(self, *, moment: str = "", **changes: object) -> None:
        """Change the batch; a cancellation that came meanwhile is not undone."""
        if moment:
            changes["moments"] = self.batch.moments | {moment: now_ms() // 1_000}
        changed = msgspec.structs.replace(self.batch, **changes)

        def put(store: KeptStore) -> KeptBatch:
            there = store.batch(changed.tenant, changed.id) or changed
            is_off = there.status == "cancelling" and changed.status == "in_progress"
            kept = msgspec.structs.replace(
                changed,
                status="cancelling" if is_off else changed.status,
                moments=there.moments | changed.moments,
            )
            store.put_batch(kept)
            return kept

        self.batch = await self._keeper.do(put)

    # lines

    @property
    def _is_late(self) -> bool:
        return now_ms() >= self.batch.created_ms + WINDOW_S * 1_000

    async def _run_lines(self) -> None:
        known = await self._keeper.do(lambda store: store.lines(self.batch.id))
        done = [line for line in known.values() if line.result]
        good = sum(line.is_good for line in done)
        self.batch = msgspec.structs.replace(self.batch, completed=good, failed=len(done) - good)
        waiting = [line for line in self._lines if line.number not in known or not known[line.number].result]
        begun = {number: line.num_begun for number, line in known.items()}
        runners = max(1, min(len(waiting), self._keeper.storage.batch_concurrency))
        source = iter(waiting)
        async with asyncio.TaskGroup() as group:
            for _ in range(runners if waiting else 0):
                group.create_task(self._run_some(source, begun))

    async def _run_some(self, source: Iterator[Line], begun: dict[int, int]) -> None:
        for line in source:
            async with self._batches.places:
                if self._batches.is_closing or self._batches.is_stopped(self.batch) or self._is_late:
                    return
                self._batches.num_lines_running += 1
                try:
                    await self._run(line, begun.get(line.number, 0))
                finally:
                    self._batches.num_lines_running -= 1

    async def _run(self, line: Line, num_begun: int) -> None:
        """One line, as often as it may still be begun."""
        batch, result = self.batch, b""
        status = 0
        body = await asyncio.to_thread(self._body, line)
        while not result and num_begun < MAX_BEGUN:
            num_begun += 1
            await self._keeper.do(lambda store: store.begin_lines(batch.id, [line.number]))
            try:
                status, request_id, answer = await self._errand(batch.caller, batch.endpoint, body)
                result = answered(batch.id, line, status, request_id, answer)
            except Fault as fault:
                _log.warning("batch %s, line %d: %s", batch.id, line.number, fault.message)
        if not result:
            message = f"The server ended {MAX_BEGUN} times while it ran this line, so it is not run again."
            result = not_answered(batch.id, line, "interrupted", message)
        is_good = status == 200
        kept = KeptLine(line.number, num_begun, is_good, result)
        counts = msgspec.structs.replace(
            self.batch, completed=self.batch.completed + is_good, failed=self.batch.failed + (not is_good)
        )
        self.batch = counts
        await self._keeper.do(lambda store: _end_line(store, counts, kept))
        self._batches.ended_lines["ok" if is_good else "failed"] += 1

    def _body(self, line: Line) -> bytes:
        with self._keeper.contents.open(self._digest) as file:
            file.seek(line.offset)
            return read_line(file.read(line.size), self.batch.endpoint)[1]

    # the end

    async def _begin_to_finalize(self) -> None:
        """Say under which ids the files will be, so that a second try makes no others."""
        is_late = self._is_late and not self._batches.is_stopped(self.batch)
        if is_late:
            known = await self._keeper.do(lambda store: store.lines(self.batch.id))
            for line in self._lines:
                if line.number not in known or not known[line.number].result:
                    await self._end(line, not_answered(self.batch.id, line, "batch_expired", _EXPIRED))
        batch = self.batch
        await self._put(
            status="finalizing",
            moment="finalizing_at",
            output_file=new_id(FILE) if batch.completed else "",
            error_file=new_id(FILE) if batch.failed else "",
        )
        if is_late:
            await self._put(moment="expired_at")

    async def _end(self, line: Line, result: bytes) -> None:
        counts = msgspec.structs.replace(self.batch, failed=self.batch.failed + 1)
        self.batch = counts
        await self._keeper.do(lambda store: _end_line(store, counts, KeptLine(line.number, 0, False, result)))

    async def _finalize(self) -> None:
        batch = self.batch
        for name, is_good in ((batch.output_file, True), (batch.error_file, False)):
            if name:
                await self._keeper.do(partial(self._write_file, id=name, is_good=is_good))
        is_over = batch.completed + batch.failed == batch.total
        late = "expired" if "expired_at" in batch.moments else "completed"
        status = "cancelled" if "cancelling_at" in batch.moments and not is_over else late
        await self._put(status=status, moment=f"{status}_at")
        await self._keeper.do(lambda store: store.forget_lines(batch.id))

    def _write_file(self, store: KeptStore, id: str, is_good: bool) -> None:
        """In the keeper's thread: results as a file, unless it is there already."""
        batch, contents = self.batch, self._keeper.contents
        if store.file(batch.tenant, id) is not None:
            return
        incoming = Incoming(contents)
        try:
            for result in store.results(batch.id, is_good=is_good):
                incoming.write(result + b"\n")
            incoming.close()
            contents.adopt(incoming.name, incoming.digest)
        finally:
            incoming.discard()
        name = f"{batch.id}_{'output' if is_good else 'error'}.jsonl"
        made = now_ms()
        file = KeptFile(batch.tenant, id, made, 0, name, OUTPUT, incoming.num_bytes, incoming.digest)
        store.add_file(file, NO_QUOTA)


def _end_line(store: KeptStore, batch: KeptBatch, line: KeptLine) -> None:
    """The result, and the counts as they are now; what was called off meanwhile stays so."""
    store.end_line(batch.id, line)
    there = store.batch(batch.tenant, batch.id)
    if there is not None:
        store.put_batch(msgspec.structs.replace(there, completed=batch.completed, failed=batch.failed))


def read_lines(
    contents: Contents, digest: str, endpoint: str, limit: int
) -> tuple[list[Line], list[dict[str, object]]]:
    """Every line of an input file, and what is wrong with the first `MAX_ERRORS` of the wrong ones."""
    lines: list[Line] = []
    errors: list[dict[str, object]] = []
    seen: set[str] = set()
    number = offset = 0
    with contents.open(digest) as file:
        while data := file.readline(MAX_LINE + 1):
            number += 1
            try:
                if len(data) > MAX_LINE:
                    raise Wrong("line_too_long", f"A line has at most {MAX_LINE >> 20} MiB.")
                if data.strip():
                    custom_id, _ = read_line(data, endpoint)
                    if custom_id in seen:
                        raise Wrong("duplicate_custom_id", "This 'custom_id' was there before.", "custom_id")
                    seen.add(custom_id)
                    lines.append(Line(number, offset, len(data), custom_id))
                if len(lines) > limit:
                    raise Wrong("too_many_lines", f"A batch has at most {limit:,} lines.")
            except Wrong as wrong:
                errors.append(wrong.told(number))
                if len(errors) >= MAX_ERRORS or wrong.code in ("too_many_lines", "line_too_long"):
                    break
            offset += len(data)
    if not lines and not errors:
        errors.append(Wrong("empty_file", "The input file has no lines.", "input_file_id").told(0))
    return lines, errors
