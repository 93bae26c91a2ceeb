"""A mini that writes its answers: a compact generative model, fine-tuned on the task and exported to GGUF."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch

from wicket.engines.checkpoints.opening import open_checkpoint, tokenizer
from wicket.engines.contract import Score, Scored
from wicket.errors import CallerFault, EngineFault
from wicket.lab.answering import Answered, answers, loaded
from wicket.lab.course import Trained
from wicket.lab.encode import Encoded, Encoder
from wicket.lab.export_gguf import export_gguf
from wicket.lab.llama import Llama, from_checkpoint
from wicket.lab.mini_data import Lesson, lessons_of
from wicket.lab.progress import Progress
from wicket.lab.saves import drop_save
from wicket.lab.suspects import by_loss
from wicket.lab.techniques.fine_tune import Plan, Training

MODEL_FILE = "model.gguf"
MAX_SAMPLE_TOKENS = 1_024  # longer ones cost too much of a small machine's time, and are left out
ROOM = 1.5  # answers may be so many times longer than the longest of training
TOLERANCE = 0.5  # nats per token by which the exported file may differ from the student on its own answers


class Teacher(msgspec.Struct, frozen=True):
    """The larger model that a mini was distilled from, and its file."""

    trained: Trained
    num_parameters: int
    bytes: int


class Fitted(msgspec.Struct, frozen=True):
    """What training and export came to: `left_out` lessons were too long, `suspected` ones doubtful.

    Where a student was distilled, `teacher` is what it learned from.
    """

    trained: Trained
    num_parameters: int
    bytes: int
    left_out: int
    suspected: tuple[str, ...]
    max_input_tokens: int
    max_output_tokens: int
    export_difference: float
    teacher: Teacher | None = None


Tell = Callable[[float, str], None]


def fit(folder: Path, base: Path, name: str, scheme: str, plan: Plan) -> Fitted:
    """Train on `data/train.jsonl`, leave `model.gguf`. Raises `EngineFault` for a base that can't be used."""
    if base.is_dir():
        raise EngineFault("bad_checkpoint", f"{base} is a folder: a mini's base is a GGUF file for now.")
    vocabulary = tokenizer(base)
    encoder = Encoder(vocabulary)
    lessons = lessons_of(folder, "train")
    encoded = [encoder.sample(lesson.shown, lesson.answer) for lesson in lessons]
    fitting = [index for index, sample in enumerate(encoded) if len(sample) <= MAX_SAMPLE_TOKENS]
    if not fitting:
        raise CallerFault("too_long", f"Every example is longer than {MAX_SAMPLE_TOKENS} tokens.")
    samples = [encoded[index] for index in fitting]
    model = from_checkpoint(open_checkpoint(base))
    trained, doubtful = _train(folder, model, samples, plan)
    path = folder / MODEL_FILE
    export_gguf(model, base, path, scheme=scheme, template=encoder.template, name=name)
    longest_in = max(len(sample.prompt) for sample in samples)
    longest_out = max(len(sample.answer) for sample in samples)
    difference = _difference(model, path, samples[:16])
    drop_save(folder)
    return Fitted(
        trained=trained,
        num_parameters=model.num_parameters(),
        bytes=path.stat().st_size,
        left_out=len(lessons) - len(fitting),
        suspected=tuple(lessons[fitting[index]].id for index in sorted(doubtful)),
        max_input_tokens=min(model.shape.context_tokens // 2, max(64, 2 * longest_in)),
        max_output_tokens=min(model.shape.context_tokens // 2, int(ROOM * longest_out) + 8),
        export_difference=difference,
    )


def _train(
    folder: Path, model: Llama, samples: Sequence[Encoded], plan: Plan
) -> tuple[Trained, frozenset[int]]:
    torch.manual_seed(plan.seed)
    torch.set_num_threads(os.cpu_count() or 1)
    training = Training(model, samples, plan, folder)
    progress = Progress("training")
    trained = training.run(progress.at, lambda losses: frozenset(by_loss(losses).places))
    progress.done(f"{trained.num_samples} samples, loss {trained.curve[-1][1]:.3f}")
    return trained, training.left_out


def answer(folder: Path, lessons: Sequence[Lesson], max_tokens: int, tell: Tell) -> list[Answered]:
    """What the exported file answers in the engine that will serve it."""
    path = folder / MODEL_FILE
    encoder = Encoder(tokenizer(path))
    with loaded(path) as engine:
        return answers(engine, [encoder.prompt(lesson.shown) for lesson in lessons], max_tokens, tell)


def _difference(model: Llama, path: Path, samples: Sequence[Encoded]) -> float:
    """The mean absolute difference in nats between student and exported file, over the answers' tokens."""
    total = count = 0.0
    with loaded(path) as engine, torch.inference_mode():
        for number, sample in enumerate(samples):
            both = sample.prompt + sample.answer
            ours = model(torch.tensor([both])).log_softmax(-1)[0]
            engine.submit(Score(number, both))
            events: list[Any] = []
            while not engine.is_idle():
                events += engine.step()
            scored = next(event for event in events if isinstance(event, Scored))
            for place in range(len(sample.prompt), len(both)):
                total += abs(scored.logprobs[place].logprob - float(ours[place - 1, both[place]]))
                count += 1
    return total / max(1.0, count)
