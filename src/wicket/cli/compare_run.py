"""A comparison under way: threads that ask, one after the other what is still missing, within the budget."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wicket.cli.compare_ask import Asker, Served, served
from wicket.cli.compare_files import PAGE, REPORT, AnswerFile, write_whole
from wicket.cli.compare_judges import Judging
from wicket.cli.compare_plan import NANOS, Budget, Errand, Settings, asked_hash, body_of, bound_nanos, errands
from wicket.cli.energy import Meter
from wicket.cli.terminal import dollars, progress
from wicket.errors import Fault, OperatorFault
from wicket.suites.case import Case, suite_hash
from wicket.suites.comparison import Answered, Comparison, kind_results, model_results, pair_results
from wicket.wire.json import dumps

if TYPE_CHECKING:
    from wicket.cli.client import Client

_LOOK_S = 0.2
_SECONDS_PER_MINUTE = 60


class Run:
    """One comparison; `compare` does it."""

    def __init__(self, client: Client, cases: Sequence[Case], settings: Settings) -> None:
        """Asks the server for every model's card first: raises its fault for an unknown name."""
        self.client = client
        self.cases = cases
        self.settings = settings
        self.served: dict[str, Served] = {name: served(client, name) for name in settings.models}
        self.judging = Judging(client, settings)
        self.budget = Budget(round(settings.max_usd * NANOS))
        self.stopped = ""
        self.meter = Meter(client, self.served, settings.watts_per_core)
        self._asked = {case.id: asked_hash(body_of(case, settings)) for case in cases}
        self._lock = threading.Lock()
        self._queue: list[Errand] = []
        self._num_done = 0
        self._asked_before: set[str] = set()
        self._fault: Fault | None = None
        self._is_over = threading.Event()

    def compare(self) -> Comparison:
        """Ask what is missing, judge, sum up. Raises the fault that made it end early, what came is kept."""
        file = AnswerFile(self.settings.folder)
        try:
            kept = self._kept(file, with_errors=not self.settings.retries_errors)
            self._asked_before = {model for _, model, _ in kept}
            self._queue = [one for one in errands(self.cases, self.settings) if self._key(one) not in kept]
            self._queue.reverse()  # taken from its end
            self._work(file)
            for answer in list(kept.values()):
                self._judge_again(answer, file)
            answers = self._kept(file, with_errors=True)
        finally:
            file.close()
        self.answers = list(answers.values())
        return self._sum_up()

    def write_report(self, comparison: Comparison) -> None:
        """`report.json` and `report.html` in the folder. Raises `OperatorFault`."""
        from wicket.pages.render import render
        from wicket.suites.comparison_page import comparison_page

        folder = self.settings.folder
        if folder is not None:
            write_whole(folder / REPORT, dumps(comparison) + "\n")
            write_whole(folder / PAGE, render(comparison_page(comparison, self.cases, self.answers)))

    def _key(self, errand: Errand) -> tuple[str, str, int]:
        return errand.case.id, errand.model, errand.repeat

    def _kept(self, file: AnswerFile, *, with_errors: bool) -> dict[tuple[str, str, int], Answered]:
        """The answers that this comparison can use, of whichever run; the newest where there are several."""
        settings = self.settings
        kept = {}
        for one in file.answers:
            is_ours = one.model in settings.models and one.repeat < settings.repeats
            if is_ours and self._asked.get(one.case) == one.asked and (with_errors or not one.error):
                kept[one.case, one.model, one.repeat] = one
        return kept

    def _work(self, file: AnswerFile) -> None:
        total = len(self._queue)
        begun = time.monotonic()
        self.meter.start()
        threads = [
            threading.Thread(target=self._thread, args=(file,), daemon=True)
            for _ in range(min(self.settings.concurrency, total))
        ]
        try:
            with progress(f"0 of {total} answers") as say:
                for thread in threads:
                    thread.start()
                while any(thread.is_alive() for thread in threads):
                    threads[0].join(_LOOK_S) if threads[0].is_alive() else self._is_over.wait(_LOOK_S)
                    say(self._progress(total, time.monotonic() - begun))
        finally:
            self._is_over.set()
        self.meter.stop()
        if self._fault is not None:
            folder = self.settings.folder
            kept = f" The answers so far are in {folder}; the same command goes on." if folder else ""
            self._fault.message = f"{self._fault.message.rstrip('.')}.{kept}"
            raise self._fault

    def _progress(self, total: int, spent_s: float) -> str:
        done = self._num_done
        words = f"{done} of {total} answers, {dollars(self.budget.spent_nanos / NANOS)}"
        if not done:
            return words
        left_s = spent_s / done * (total - done)
        left = (
            f"{left_s:.0f} s" if left_s < _SECONDS_PER_MINUTE else f"{left_s / _SECONDS_PER_MINUTE:.0f} min"
        )
        return f"{words}, about {left} left"

    def _thread(self, file: AnswerFile) -> None:
        asker = Asker(self.client.twin(), self.settings)
        while not self._is_over.is_set():
            with self._lock:
                if not self._queue:
                    return
                errand = self._queue.pop()
            try:
                if not self._errand(errand, asker, file):
                    return
            except Fault as fault:
                self._end(fault)
                return
            except Exception as error:
                self._end(OperatorFault("defect", f"A defect of ours: {type(error).__name__}: {error}"))
                return

    def _end(self, fault: Fault) -> None:
        with self._lock:
            self._fault = self._fault or fault
            self._queue.clear()

    def _errand(self, errand: Errand, asker: Asker, file: AnswerFile) -> bool:
        """Ask, judge, keep; False once the budget is used up."""
        case = errand.case
        body = body_of(case, self.settings)
        held = bound_nanos(self.served[errand.model].prices, body) + self.judging.bound_nanos(case)
        if not self.budget.hold(held):
            with self._lock:
                self.stopped = (
                    f"the budget of {dollars(self.settings.max_usd)} does not allow another request."
                )
                self._queue.clear()
            return False
        spent = 0
        try:
            answer = asker.ask(errand, body, self._asked[case.id])
            spent = answer.cost_nanos or 0
            self.judging.judge(case, answer, asker.client)
            spent += answer.judge_nanos
        finally:
            self.budget.settle(held, spent)
        file.add(answer)
        with self._lock:
            self._num_done += 1
        return True

    def _judge_again(self, answer: Answered, file: AnswerFile) -> None:
        """An answer of an earlier run whose case is judged otherwise now."""
        case = next(case for case in self.cases if case.id == answer.case)
        if answer.judged == case.judged or self.stopped:
            return
        held = self.judging.bound_nanos(case)
        if not self.budget.hold(held):
            self.stopped = f"the budget of {dollars(self.settings.max_usd)} does not allow another judgement."
            return
        before = answer.judge_nanos
        try:
            self.judging.judge(case, answer, self.client)
        finally:
            self.budget.settle(held, answer.judge_nanos - before)
        file.add(answer)

    def _sum_up(self) -> Comparison:
        settings, models = self.settings, self.settings.models
        expected = len(self.cases) * settings.repeats
        results = model_results(models, self.answers, expected)
        self.meter.note(results, self._asked_before)
        shown = {"check": sorted({case.check for case in self.cases}), "max_usd": settings.max_usd}
        shown |= {
            name: getattr(settings, name) for name in ("concurrency", "max_tokens", "temperature", "judge")
        }
        missing = sum(result.missing for result in results)
        return Comparison(
            created_ms=time.time_ns() // 1_000_000,
            suite=suite_hash(list(self.cases)),
            cases=len(self.cases),
            repeats=settings.repeats,
            settings={**shown, "baseline": settings.baseline},
            stopped=f"{self.stopped} {missing} answers are missing." if self.stopped else "",
            spent_usd=sum(one.cost_nanos or 0 for one in self.answers) / NANOS,
            judge_usd=sum(one.judge_nanos for one in self.answers) / NANOS,
            models=results,
            pairs=pair_results(models, self.answers, settings.baseline),
            kinds=kind_results(models, self.answers, self.cases),
            machine=self.meter.machine(),
        )
