"""Asks a teacher what has no answer yet: several calls at once, within the budget, again where it failed."""

from __future__ import annotations

import asyncio
import heapq
import os
import random
from collections.abc import Callable, Sequence

import msgspec

from wicket.errors import Fault
from wicket.lab.generation.answer_files import AnswerFiles, Ask, End, Past
from wicket.lab.generation.budget import Budget
from wicket.lab.generation.judged import Flaw, flaw, line
from wicket.lab.generation.plan import NANOS, Errand, Settings, Spending, bound, wait_s
from wicket.lab.generation.teacher import Reply, Teacher, is_fatal, may_go_better, was_free

ANSWERS_TRIED = 3  # replies that are no answers cost money each
_LEAST_IN_A_ROW = 30  # so many failures without a success between them: then it is the teacher that is down

Tell = Callable[[float, str], None]


class Failure(msgspec.Struct, frozen=True):
    """A prompt without an answer, and what became of its last call."""

    origin: str
    sample: int
    key: str
    code: str
    message: str


class Summary(msgspec.Struct, frozen=True):
    """What a run came to. `spent` is over all runs of the file; `stopped` says why it ended early, or "".

    `num_before` were answered by earlier runs, `num_logprobs` of the new answers have log-probabilities.
    """

    num_errands: int
    num_repeated: int
    num_before: int
    num_answered: int
    num_calls: int
    num_failed_calls: int
    num_logprobs: int
    spent: Spending
    failures: tuple[Failure, ...]
    stopped: str = ""


class _Todo(msgspec.Struct, order=True):
    at_s: float
    place: int
    num_failed: int = 0
    num_flawed: int = 0


class Run:
    """One run over one file. Belongs to one loop."""

    def __init__(
        self, teacher: Teacher, files: AnswerFiles, errands: Sequence[Errand], settings: Settings
    ) -> None:
        self._teacher = teacher
        self._files = files
        self._errands = errands
        self._settings = settings
        max_nanos = None if settings.max_usd is None else int(settings.max_usd * NANOS)
        self._budget = Budget(max_nanos, settings.max_all_tokens, files.past.spent)
        self._todo: list[_Todo] = []
        self._num_open = 0
        self._changed = asyncio.Event()
        self._paused_until_s = 0.0
        self._failures: dict[str, Failure] = {}
        self._in_a_row = 0
        self._stopped = ""
        self._fault: Fault | None = None
        self._num = {"answered": 0, "before": 0, "calls": 0, "failed": 0, "logprobs": 0}

    async def go(self, tell: Tell, num_repeated: int = 0) -> Summary:
        """Ask. Raises `OperatorFault` when the disk takes no more answers, and what every call would meet."""
        self._line_up(self._files.past)
        workers = [asyncio.create_task(self._work(tell)) for _ in range(self._settings.concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        if self._fault is not None:
            raise self._fault
        for todo in sorted(self._todo):
            errand = self._errands[todo.place]
            self._fail(errand, Flaw("not_asked", self._stopped))
        return Summary(
            num_errands=len(self._errands),
            num_repeated=num_repeated,
            num_before=self._num["before"],
            num_answered=self._num["answered"],
            num_calls=self._num["calls"],
            num_failed_calls=self._num["failed"],
            num_logprobs=self._num["logprobs"],
            spent=self._budget.spent,
            failures=tuple(self._failures[e.key] for e in self._errands if e.key in self._failures),
            stopped=self._stopped,
        )

    def _line_up(self, past: Past) -> None:
        for place, errand in enumerate(self._errands):
            if errand.key in past.answered:
                self._num["before"] += 1
                continue
            old = past.failed.get(errand.key)
            is_cut = old is not None and old.code == "cut_at_limit" and old.limit < self._settings.max_tokens
            if old is not None and old.is_last and not is_cut and not self._settings.retries_refused:
                self._fail(errand, Flaw(old.code, old.message))
                continue
            heapq.heappush(self._todo, _Todo(0.0, place))
        self._num_open = len(self._todo)

    async def _work(self, tell: Tell) -> None:
        try:
            while (todo := await self._next()) is not None:
                await self._one(todo)
                self._tell(tell)
        except Fault as fault:  # the disk's, or one that every call would meet
            self._fault = self._fault or fault
            self._stop(fault.message)

    async def _next(self) -> _Todo | None:
        """What may be asked now; None when all is over."""
        loop = asyncio.get_running_loop()
        while self._num_open and not self._stopped:
            wait: float | None = None
            if self._todo:
                wait = max(self._todo[0].at_s, self._paused_until_s) - loop.time()
                if wait <= 0:
                    return heapq.heappop(self._todo)
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                pass
        return None

    async def _one(self, todo: _Todo) -> None:
        errand = self._errands[todo.place]
        most = bound(errand.body, self._settings.prices)
        if not await self._budget.hold(most):
            self._stop(self._used_up())
            heapq.heappush(self._todo, todo)
            return
        if self._stopped:  # while we waited
            self._budget.settle(most, Spending())
            heapq.heappush(self._todo, todo)
            return
        used = most  # whatever ends us here, the teacher may have billed it
        call = f"{errand.key}-{os.urandom(4).hex()}"
        try:
            await self._files.journal.add(Ask(call, most.nanos, most.tokens))
            self._num["calls"] += 1
            used = await self._asked(todo, errand, call, most)
        finally:
            self._budget.settle(most, used)

    async def _asked(self, todo: _Todo, errand: Errand, call: str, most: Spending) -> Spending:
        """Make the call and keep what came; returns what it used."""
        try:
            reply = await self._teacher.ask(errand.body, self._settings.prices)
        except Fault as fault:
            used = Spending() if was_free(fault) else most
            await self._failed(todo, errand, call, fault, used)
            return used
        self._in_a_row = 0
        used = reply.used or most
        wrong = flaw(errand, reply, self._settings)
        if wrong is None:
            await self._keep(errand, reply, call, used)
            return used
        todo.num_flawed += 1
        is_last = wrong.is_last or todo.num_flawed >= ANSWERS_TRIED
        await self._note(errand, call, Flaw(wrong.code, wrong.message, is_last), used)
        self._again(todo, errand, wrong, 0.0, is_last=is_last)
        return used

    async def _keep(self, errand: Errand, reply: Reply, call: str, used: Spending) -> None:
        await self._files.answers.add(line(errand, reply, self._settings, call, used))
        self._num["answered"] += 1
        self._num["logprobs"] += reply.logprobs is not None
        self._close()

    async def _failed(self, todo: _Todo, errand: Errand, call: str, fault: Fault, used: Spending) -> None:
        todo.num_failed += 1
        self._in_a_row += 1
        is_refused = not may_go_better(fault)
        told = Flaw(fault.code, fault.message, is_refused and not is_fatal(fault))
        await self._note(errand, call, told, used)
        if is_fatal(fault):
            raise fault
        settings = self._settings
        wait = wait_s(settings, todo.num_failed, random.random(), fault.retry_after_ms)  # noqa: S311 - no secret
        if fault.retry_after_ms:  # a limit is everybody's
            self._paused_until_s = asyncio.get_running_loop().time() + wait
        is_last = is_refused or todo.num_failed >= settings.attempts
        self._again(todo, errand, told, wait, is_last=is_last)
        if self._in_a_row >= max(_LEAST_IN_A_ROW, 3 * settings.concurrency):
            self._stop(f"{self._in_a_row} calls in a row failed; the last: {fault.message}")

    async def _note(self, errand: Errand, call: str, wrong: Flaw, used: Spending) -> None:
        self._num["failed"] += 1
        limit = self._settings.max_tokens
        await self._files.journal.add(
            End(call, errand.key, wrong.code, wrong.message, used.nanos, used.tokens, wrong.is_last, limit)
        )

    def _again(self, todo: _Todo, errand: Errand, wrong: Flaw, wait: float, *, is_last: bool) -> None:
        if is_last:
            self._fail(errand, wrong)
            self._close()
            return
        todo.at_s = asyncio.get_running_loop().time() + wait
        heapq.heappush(self._todo, todo)
        self._changed.set()

    def _fail(self, errand: Errand, wrong: Flaw) -> None:
        self._failures[errand.key] = Failure(
            errand.document.origin, errand.sample, errand.key, wrong.code, wrong.message
        )

    def _close(self) -> None:
        self._num_open -= 1
        self._changed.set()

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why
        self._changed.set()

    def _used_up(self) -> str:
        spent = self._budget.spent
        money = f"{spent.nanos / NANOS:.4f} USD and " if self._settings.prices is not None else ""
        return f"The budget does not allow another call: {money}{spent.tokens} tokens are spent."

    def _tell(self, tell: Tell) -> None:
        num_done = len(self._errands) - self._num_open
        words = f"{num_done} of {len(self._errands)}, {self._num['failed']} calls failed"
        if self._settings.prices is not None:
            words += f", {self._budget.spent.nanos / NANOS:.4f} USD"
        tell(num_done / max(1, len(self._errands)), words)
