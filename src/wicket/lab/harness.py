"""lm-evaluation-harness as a back end: its tasks asked of an exported file, in the engine that will serve it.

The package (`lm_eval`, MIT) is not one of ours: it is imported where a recipe names tasks, and whoever wants
it installs it. Tasks are its YAML files in a folder beside the recipe, with data that lie here too: nothing
is downloaded (lm_eval/api/model.py: `LM`; lm_eval/evaluator.py: `simple_evaluate`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from wicket.engines.checkpoints.opening import tokenizer
from wicket.engines.contract import Done, Engine, Event, Generate, Piece, Refused, Sampling, Score, Scored
from wicket.errors import EngineFault, OperatorFault
from wicket.lab.answering import loaded

OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
MAX_TOKENS = 256  # of an answer whose task does not say
_BOOTSTRAP = 1_000


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks by their names, whose YAML files `folder` has; `limit` 0 is every question."""

    tasks: Sequence[str]
    folder: Path
    limit: int = 0
    arithmetic: str = "auto"


class Scores(msgspec.Struct, frozen=True):
    """One task's numbers by the harness's own names ("acc,none", "acc_stderr,none")."""

    task: str
    num: int
    figures: dict[str, float]


def require_harness() -> None:
    """Raise `OperatorFault` where the harness is not installed."""
    if find_spec("lm_eval") is None:
        message = (
            "[evaluate] harness needs lm_eval, not installed here: pip install lm-eval, or leave it out."
        )
        raise OperatorFault("harness_missing", message)


def task_manager(asked: Asked) -> Any:
    """The harness's own, over the folder's tasks. Raises `OperatorFault` for a task that there is not."""
    require_harness()
    manager = import_module("lm_eval.tasks").TaskManager(
        include_path=str(asked.folder), include_defaults=False
    )
    unknown = sorted(set(asked.tasks) - set(manager.all_tasks))
    if unknown:
        known = ", ".join(sorted(manager.all_tasks)) or "none"
        message = f"{asked.folder} has no task {', '.join(unknown)}; there are: {known}."
        raise OperatorFault("unknown_task", message)
    return manager


def evaluate(path: Path, asked: Asked) -> list[Scores]:
    """What a file scores. Paths in the tasks' files start at their folder. Raises as `task_manager` does."""
    manager = task_manager(asked)
    with _at(asked.folder), loaded(path, scheme=asked.arithmetic) as engine:
        found = import_module("lm_eval").simple_evaluate(
            model=_served(engine, path),
            tasks=list(asked.tasks),
            task_manager=manager,
            limit=asked.limit or None,
            bootstrap_iters=_BOOTSTRAP,
            log_samples=False,
        )
    return [_scores(task, found) for task in asked.tasks]


def _scores(task: str, found: dict[str, Any]) -> Scores:
    figures = {
        name: float(value)
        for name, value in found["results"][task].items()
        if isinstance(value, int | float) and "," in name
    }
    return Scores(task, int(found["n-samples"][task]["effective"]), figures)


@contextlib.contextmanager
def _at(folder: Path) -> Iterator[None]:
    """In `folder`, and off the net."""
    before = {name: os.environ.get(name) for name in OFFLINE}
    os.environ |= dict.fromkeys(OFFLINE, "1")
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


class _Served:
    """The verbs that the harness has for a model, with the engine behind them."""

    def __init__(self, engine: Engine, path: Path) -> None:
        super().__init__()
        self._engine = engine
        self._words = tokenizer(path)
        self._context = engine.capabilities().context_tokens
        bos = self._words.bos_id
        self._start = [bos if bos is not None else self._words.eos_ids[0]]

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Of each continuation after its context, and whether it is what would be said greedily."""
        found = []
        for request in requests:
            context, continuation = request.args
            trailing = context[len(context.rstrip()) :]  # blanks before a word are the word's own
            context, continuation = context.removesuffix(trailing), trailing + continuation
            before = self._tokens(context) or self._start
            both = self._tokens(context + continuation)
            after = both[len(before) :] if both[: len(before)] == before else self._tokens(continuation)
            found.append(self._scored(before, after))
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Of whole texts; what is longer than the context in windows that follow each other."""
        found = []
        for request in requests:
            tokens = self._tokens(request.args[0])
            size, total = self._context - 1, 0.0
            for at in range(0, len(tokens), size):
                before = [tokens[at - 1]] if at else self._start
                total += self._scored(before, tokens[at : at + size])[0]
            found.append(total)
        return found

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Greedy answers that end before the first of their stop texts."""
        found = []
        for request in requests:
            context, options = request.args
            until = options.get("until") or []
            stop = [until] if isinstance(until, str) else [text for text in until if text]
            most = min(int(options.get("max_gen_toks", MAX_TOKENS)), self._context // 2)
            prompt = (self._tokens(context) or self._start)[-(self._context - most - 1) :]
            text = ""
            for event in self._run(Generate(1, prompt, most, Sampling(temperature=0.0), stop=stop)):
                text += event.text if isinstance(event, Piece) else ""
            found.append(text)
        return found

    def _tokens(self, text: str) -> list[int]:
        return self._words.encode(text, special=False) if text else []

    def _scored(self, before: list[int], after: list[int]) -> tuple[float, bool]:
        tokens = [*before, *after][-self._context :]
        [scored] = [event for event in self._run(Score(1, tokens, top=1)) if isinstance(event, Scored)]
        entries = scored.logprobs[len(tokens) - len(after) :]
        is_greedy = all(entry.top[0][0] == entry.token_id for entry in entries)
        return sum(entry.logprob for entry in entries), is_greedy

    def _run(self, command: Generate | Score) -> list[Event]:
        self._engine.submit(command)
        events: list[Event] = []
        while not self._engine.is_idle():
            events += self._engine.step()
        refused = next((event for event in events if isinstance(event, Refused)), None)
        if refused is not None:
            raise EngineFault(refused.code, refused.message)
        return [event for event in events if not isinstance(event, Done)]


def _served(engine: Engine, path: Path) -> Any:
    """An instance of the harness's own class, whose module is there only now."""
    model = import_module("lm_eval.api.model").LM
    return type("Served", (_Served, model), {})(engine, path)
