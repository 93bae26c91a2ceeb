"""A recipe's teacher behind an address: its answers to the training requests become what is learned, and its
answers to the evaluation's are what the student is measured against.

All answers stand in the run's `answers.jsonl`, within one budget, and are never asked for twice
(`lab.generation`). The key comes from the environment and goes nowhere else.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from wicket.errors import CallerFault, OperatorFault
from wicket.lab.answering import Answered
from wicket.lab.data.document import Document, answer_text, from_bytes, sha256, to_bytes
from wicket.lab.data.manifest import Manifest
from wicket.lab.examples import Sample, read
from wicket.lab.generation import teacher as far
from wicket.lab.generation.answer_files import AnswerFiles
from wicket.lab.generation.command import IDLE_S
from wicket.lab.generation.plan import NANOS, Errand, Settings, errands
from wicket.lab.generation.run import Run, Summary
from wicket.lab.material import Tell
from wicket.lab.recipe_curation import clean
from wicket.lab.recipe_data import Texts
from wicket.lab.recipe_form import Recipe, Teacher
from wicket.upstream.pool import KeepAlivePool

ANSWERS = "answers.jsonl"
_SHOWN = 5


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking. `sha256` is that of the answers that are learned; `curation` says what of them was
    taken out; `failures` counts what has no answer by its code, `shown` the first few in words."""

    model: str
    host: str
    num_asked: int
    num_answered: int
    num_calls: int
    num_failed_calls: int
    spent_usd: float | None
    spent_tokens: int
    failures: dict[str, int] = {}
    shown: list[str] = []
    sha256: str = ""
    curation: Manifest | None = None


class Place(msgspec.Struct, frozen=True):
    """Where a run's answers are, and what else their curation needs."""

    run: Path
    judges: Path
    kept: Path


def settings_of(teacher: Teacher) -> Settings:
    """How generation asks this teacher."""
    price = teacher.price
    return Settings(
        model=teacher.model,
        samples=teacher.samples,
        max_tokens=teacher.max_tokens,
        limit_field=teacher.limit_field,
        temperature=teacher.temperature,
        system=teacher.system,
        prices=None if price is None else ({"input": price.input, "output": price.output},),
        max_usd=teacher.max_usd,
        max_all_tokens=teacher.max_all_tokens,
        concurrency=teacher.concurrency,
        attempts=teacher.attempts,
        wait_s=teacher.wait_s,
        timeout_s=teacher.timeout_s,
    )


def ask(teacher: Teacher, samples: Sequence[Sample], run: Path, tell: Tell) -> Asking:
    """Ask for what has no answer yet. Raises `OperatorFault` where fewer than `least_answered` have one
    afterwards, and what every call would meet; what was answered is kept."""
    asked, _ = errands([_request(sample) for sample in samples], settings_of(teacher))
    found = asyncio.run(_ask(teacher, asked, run, tell))
    num = found.num_before + found.num_answered
    if num < teacher.least_answered * len(asked):
        why = found.stopped or found.failures[0].message
        message = f"The teacher {teacher.model} answered {num} of {len(asked)} requests: {why}"
        message += " What it answered is kept: start the same command again, or lower teacher.least_answered."
        raise OperatorFault("teacher_failed", message)
    return Asking(
        model=teacher.model,
        host=urlsplit(teacher.url).hostname or "",
        num_asked=len(asked),
        num_answered=num,
        num_calls=found.num_calls,
        num_failed_calls=found.num_failed_calls,
        spent_usd=found.spent.nanos / NANOS if teacher.price is not None else None,
        spent_tokens=found.spent.tokens,
        failures=dict(Counter(failure.code for failure in found.failures)),
        shown=[f"{failure.origin}: {failure.message}" for failure in found.failures[:_SHOWN]],
    )


def learned(recipe: Recipe, texts: Texts, place: Place) -> tuple[Texts, str, Manifest | None]:
    """The texts with the teacher's answers in place of the file's; their hash, and what curation did.

    In the order of the requests, whatever order the answers came in. Raises `CallerFault` if none is left.
    """
    settings = settings_of(recipe.teacher)
    asked, _ = errands([_request(sample) for sample in texts.train], settings)
    answers = _answers(place.run)
    told = [answers[errand.key] for errand in asked if errand.key in answers]
    shard = [Document(messages=each.messages, meta=_lasting(each), origin=each.origin) for each in told]
    manifest = None
    if recipe.teacher.steps:
        begun = Manifest(sources=(), num_documents=len(shard), sha256=sha256(to_bytes(shard)))
        manifest, left = clean(recipe.teacher.steps, begun, shard, judges=place.judges, kept=place.kept)
        shard = list(left)
    data = to_bytes(shard)
    samples = read(io.BytesIO(data), name=ANSWERS).samples
    if not samples:
        raise CallerFault("no_data", "None of the teacher's answers is left to learn from.")
    changed = msgspec.structs.replace(texts.manifest, num_train=len(samples))
    return msgspec.structs.replace(texts, train=samples, manifest=changed), sha256(data), manifest


def answered(teacher: Teacher, samples: Sequence[Sample], run: Path) -> list[Answered]:
    """What the teacher said to evaluation requests; one that has no answer is empty and incomplete."""
    settings = msgspec.structs.replace(settings_of(teacher), samples=1)
    answers = _answers(run)
    found = []
    for sample in samples:
        [errand], _ = errands([_request(sample)], settings)
        told = answers.get(errand.key)
        found.append(Answered(answer_text(told), [], True) if told is not None else Answered())
    return found


async def _ask(teacher: Teacher, asked: Sequence[Errand], run: Path, tell: Tell) -> Summary:
    settings = settings_of(teacher)
    pool = KeepAlivePool(idle_s=IDLE_S, max_idle=settings.concurrency)
    files = None
    try:
        key = os.environ.get(teacher.key_env, "")
        who = far.Teacher(pool, teacher.url, key=key, timeout_s=settings.timeout_s)
        files = AnswerFiles(run / ANSWERS)
        return await Run(who, files, asked, settings).go(tell)
    finally:
        if files is not None:
            await files.close()
        await pool.close()


def _request(sample: Sample) -> Document:
    """A sample's request as it is sent: here the system prompt counts, which the student is not shown."""
    system = [{"role": "system", "content": sample.system}] if sample.system else []
    messages = [*system, {"role": "user", "content": sample.text}]
    return Document(messages=messages, meta={"id": sample.id}, origin=sample.id)


def _answers(run: Path) -> dict[str, Document]:
    """By the keys of their errands."""
    try:
        documents = from_bytes((run / ANSWERS).read_bytes())
    except OSError as error:
        message = f"{run / ANSWERS} can't be read: {error.strerror}. It held the teacher's answers."
        raise OperatorFault("unreadable_file", message) from None
    return {
        document.meta["id"]: msgspec.structs.replace(document, origin=document.meta.get("origin", ""))
        for document in documents
    }


def _lasting(document: Document) -> dict[str, object]:
    """Of an answer's meta what does not change from run to run."""
    return {name: document.meta[name] for name in ("id", "finish_reason") if name in document.meta}
