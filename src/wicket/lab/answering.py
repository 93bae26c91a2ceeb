"""Answers of an exported checkpoint in the engine that will serve it, and how sure of them it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from wicket.engines import openvino_llama
from wicket.engines.contract import Done, Engine, Event, Generate, Piece, Refused, Sampling
from wicket.errors import EngineFault

MAX_BATCH = 16
KV_TOKENS = 16_384


class Answered(msgspec.Struct):
    """One greedy answer. `logprobs` are natural logs per token, the end token's included if it ended."""

    text: str = ""
    logprobs: list[float] = []
    is_complete: bool = False


@contextmanager
def loaded(path: Path, *, threads: int | None = None) -> Iterator[Engine]:
    """The engine with a checkpoint in it, in this process. Raises `EngineFault` as loading does."""
    engine = openvino_llama.load(
        path, kv_tokens=KV_TOKENS, max_batch=MAX_BATCH, threads=threads, cache_dir=None, scheme="auto"
    )
    try:
        yield engine
    finally:
        engine.close()


def answers(
    engine: Engine,
    prompts: Sequence[Sequence[int]],
    max_tokens: int,
    tell: Callable[[float, str], None] = lambda share, words: None,
) -> list[Answered]:
    """Greedy answers in the order of the prompts; one that the engine refuses is empty and incomplete."""
    found = [Answered() for _ in prompts]
    waiting = iter(range(len(prompts)))
    num_running = num_done = 0
    while num_done < len(prompts):
        while num_running < MAX_BATCH and (index := next(waiting, None)) is not None:
            sampling = Sampling(temperature=0.0)
            engine.submit(Generate(index, list(prompts[index]), max_tokens, sampling, logprobs=0))
            num_running += 1
        for event in engine.step():
            is_end = _take(event, found)
            num_running -= is_end
            num_done += is_end
        tell(num_done / max(1, len(prompts)), f"{num_done} of {len(prompts)}")
    return found


def _take(event: Event, found: list[Answered]) -> bool:
    """Note an event; whether its answer is over."""
    answer = found[event.id]
    if isinstance(event, Piece):
        answer.text += event.text
        answer.logprobs = [*answer.logprobs, *(entry.logprob for entry in event.logprobs)]
        return False
    if isinstance(event, Done):
        answer.is_complete = event.finish_reason == "stop"
        if event.end is not None:
            answer.logprobs = [*answer.logprobs, event.end.logprob]
        return True
    if isinstance(event, Refused):
        if event.code == "internal":
            raise EngineFault(event.code, event.message)
        return True
    raise EngineFault("internal", "The engine answered with an event of another verb.")
