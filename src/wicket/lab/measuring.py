"""What an exported file does in the engine that will serve it: answers, likelihood, speed, size, memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch

from wicket.engines.contract import Engine, Event, Generate, Sampling, Score, Scored
from wicket.errors import EngineFault
from wicket.lab.answering import Answered, answers, loaded
from wicket.lab.encode import Encoded
from wicket.lab.energy import Energy, Meter
from wicket.lab.llama import Llama

SPEED_TOKENS = 96
SPEED_PROMPT = 64
REPEATS = 3
SCORED = 8  # sequences whose tokens' log-probabilities are compared one by one

Tell = Callable[[float, str], None]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """`decode_speed` and `prefill_speed` in tokens per second of one chat, the best of three; `load_s` until
    it answers; `memory_bytes` by which loading enlarged the process; `scheme` is what the engine computes
    in; `energy` is that of the decoding."""

    scheme: str
    file_bytes: int
    weights_bytes: int
    memory_bytes: int
    load_s: float
    decode_speed: float
    prefill_speed: float
    energy: Energy


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Of one file: its figures and what it answered."""

    figures: Figures
    answered: list[Answered]
    continued: list[str]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`prompts` to answer, `texts` to continue greedily, each with at most `max_tokens`; the engine computes
    in `arithmetic`; `watts` of a busy core, where energy can only be estimated."""

    prompts: Sequence[Sequence[int]]
    texts: Sequence[Sequence[int]]
    max_tokens: int
    arithmetic: str = "auto"
    watts: float = 10.0


def measure(path: Path, asked: Asked, tell: Tell) -> Measured:
    """Load a file and ask it everything."""
    before, started_s = _resident(), time.monotonic()
    with loaded(path, scheme=asked.arithmetic) as engine:
        load_s = time.monotonic() - started_s
        context = engine.capabilities().context_tokens
        found = answers(engine, asked.prompts, asked.max_tokens, tell) if asked.prompts else []
        continued = answers(engine, asked.texts, asked.max_tokens) if asked.texts else []
        facts = engine.capabilities()
        meter = Meter(asked.watts)
        decode, prefill, num = _speed(engine, facts.vocab_size, context, meter)
        figures = Figures(
            scheme=facts.scheme,
            file_bytes=path.stat().st_size,
            weights_bytes=facts.weights_bytes,
            memory_bytes=max(0, _resident() - before),
            load_s=load_s,
            decode_speed=decode,
            prefill_speed=prefill,
            energy=meter.found(num),
        )
        return Measured(figures=figures, answered=found, continued=[each.text for each in continued])


def _speed(engine: Engine, vocabulary: int, context: int, meter: Meter) -> tuple[float, float, int]:
    """Tokens per second of decoding and of reading a prompt, and how many were decoded under the meter."""
    num = min(SPEED_TOKENS, context // 2 - 1)
    size = min(SPEED_PROMPT, context // 2 - 1)
    decode = prefill = 0.0
    for repeat in range(REPEATS):
        prompt = [(7 + 13 * repeat + place) % vocabulary for place in range(size)]  # nothing is in the cache
        started_s = time.perf_counter()
        _run(engine, Generate(1, prompt, 1, Sampling(temperature=0.0), ignore_eos=True))
        prefill = max(prefill, size / (time.perf_counter() - started_s))
        meter.start()
        started_s = time.perf_counter()
        _run(engine, Generate(1, prompt[:1], num, Sampling(temperature=0.0), ignore_eos=True))
        decode = max(decode, num / (time.perf_counter() - started_s))
        meter.stop()
    return decode, prefill, REPEATS * num


def _run(engine: Engine, command: Generate) -> None:
    engine.submit(command)
    while not engine.is_idle():
        engine.step()


def difference(path: Path, model: Llama, samples: Sequence[Encoded | Sequence[int]]) -> float:
    """The largest mean difference, in nats per token, between what the engine computes of a file in float32
    and what `model` does, over some sequences."""
    worst = 0.0
    with loaded(path, scheme="f32") as engine:
        for number, sample in enumerate(list(samples)[:SCORED]):
            tokens = [*sample.prompt, *sample.answer] if isinstance(sample, Encoded) else list(sample)
            engine.submit(Score(number, tokens))
            events: list[Event] = []
            while not engine.is_idle():
                events += engine.step()
            scored = next((event for event in events if isinstance(event, Scored)), None)
            if scored is None:
                raise EngineFault("internal", "The engine could not score a sequence of the evaluation.")
            with torch.no_grad():
                ours = model(torch.tensor([tokens])).float().log_softmax(-1)[0]
            held = [float(ours[place - 1, tokens[place]]) for place in range(1, len(tokens))]
            said = [entry.logprob for entry in scored.logprobs[1:]]
            worst = max(worst, float(np.abs(np.array(said) - np.array(held)).mean()))
    return worst


def _resident() -> int:
    """Bytes of this process in memory; 0 where the system does not say (it is Linux's file)."""
    try:
        fields = Path("/proc/self/statm").read_text().split()
    except OSError:
        return 0
    return int(fields[1]) * 4096
