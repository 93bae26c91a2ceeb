"""What a mini could learn of logged traffic: groups, how regular their answers are, what it would save.

Pure, but for the embeddings that the caller hands in. All figures are of the examples that were read.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.lab.examples import Sample
from wicket.lab.groups import TEXT, Group, find_groups
from wicket.lab.learnable import LEAST_REPEATS, Answers, Measured, Saving, Verdict, judge, saving
from wicket.lab.shapes import Learned, learn_shape, wrong
from wicket.lab.topics import LEAST_TEXTS, find_topics, sampled
from wicket.minis.answers import canonical

LENGTHS = ((200, "short"), (2_000, "middling"), (10**9, "long"))  # characters of a request
LENGTH_SHARE = 0.15  # lengths of fewer requests make no group of their own
SHOWN_IDS = 3
MAX_PROMPT_SHOWN = 200

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One group of a task's requests. Tokens and cost are None where no record says them."""

    name: str
    system: str
    prefix: str
    suffix: str
    length: str
    topic: tuple[str, ...]
    requests: int
    share: float
    is_estimated: bool  # the group was sampled, its figures scaled up
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    answers: Answers
    verdict: Verdict
    saving: Saving
    shown: tuple[str, ...]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """All groups of one task, the largest first, and the words of the route that collects it."""

    task: str
    requests: int
    days: float
    model: str
    deployment: str
    groups: tuple[Found, ...]
    toml: str
    command: str


class _Heap(msgspec.Struct, frozen=True):
    group: Group
    samples: list[Sample]
    length: str = ""
    topic: tuple[str, ...] = ()
    scale: float = 1.0


def discover(
    task: str, samples: Sequence[Sample], embed: Embed | None = None, measured: Measured | None = None
) -> Task:
    """The groups of one task's examples. `embed` makes unit vectors; without it no topics are told."""
    days = _days(samples)
    grouped = find_groups(samples)
    heaps = [
        heap
        for group in grouped.groups
        for heap in _heaps(group, [s for s in grouped.samples if s.group == group.number], embed)
    ]
    found = [_found(heap, len(samples), days, measured) for heap in heaps]
    found.sort(key=lambda one: (-one.requests, one.name, one.length, one.topic))
    models = Counter(sample.model for sample in samples if sample.model)
    deployments = Counter(
        s.deployment for s in samples if s.deployment and not s.deployment.startswith("mini")
    )
    model, deployment = _most(models, "MODEL"), _most(deployments, "PROVIDER/MODEL")
    return Task(
        task=task,
        requests=len(samples),
        days=days,
        model=model,
        deployment=deployment,
        groups=tuple(found),
        toml=_toml(task, model, deployment),
        command=f"wicket mini train {task}",
    )


def _heaps(group: Group, samples: list[Sample], embed: Embed | None) -> list[_Heap]:
    """A group as it is, or by the requests' lengths and topics where the answers have no shape."""
    if group.kind != TEXT:
        return [_Heap(group, samples, _length_of(samples))]
    by_length: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_length[_length(sample)].append(sample)
    usual = max(sorted(by_length), key=lambda name: len(by_length[name]))
    for name in [name for name in by_length if len(by_length[name]) < LENGTH_SHARE * len(samples)]:
        by_length[usual] += by_length.pop(name)
    return [heap for name, part in by_length.items() for heap in _by_topic(group, part, name, embed)]


def _by_topic(group: Group, samples: list[Sample], length: str, embed: Embed | None) -> list[_Heap]:
    if embed is None or len(samples) < LEAST_TEXTS:
        return [_Heap(group, samples, length)]
    chosen = [samples[place] for place in sampled([sample.text for sample in samples])]
    texts = [group.bare(sample.text) for sample in chosen]
    topics = find_topics(texts, embed(texts))
    if len(topics) == 1:
        return [_Heap(group, samples, length)]
    scale = len(samples) / len(chosen)
    return [
        _Heap(group, [chosen[place] for place in topic.places], length, topic.words, scale)
        for topic in topics
    ]


def _found(heap: _Heap, num_all: int, days: float, measured: Measured | None) -> Found:
    samples, group = heap.samples, heap.group
    requests = round(len(samples) * heap.scale)
    learned = learn_shape(samples)
    answers = _answers(learned, samples)
    cost = _sum([sample.cost_usd for sample in samples], heap.scale)
    verdict = judge(answers, requests)
    return Found(
        name=_name(group, answers, heap),
        system=group.system[:MAX_PROMPT_SHOWN],
        prefix=group.prefix[:MAX_PROMPT_SHOWN],
        suffix=group.suffix[:MAX_PROMPT_SHOWN],
        length=heap.length,
        topic=heap.topic,
        requests=requests,
        share=requests / max(1, num_all),
        is_estimated=heap.scale > 1,
        input_tokens=_whole(_sum([sample.input_tokens for sample in samples], heap.scale)),
        output_tokens=_whole(_sum([sample.output_tokens for sample in samples], heap.scale)),
        cost_usd=cost,
        answers=answers,
        verdict=verdict,
        saving=saving(verdict, cost, days, measured),
        shown=tuple(sorted(sample.id for sample in samples)[:SHOWN_IDS]),
    )


def _answers(learned: Learned, samples: Sequence[Sample]) -> Answers:
    spelled = [canonical(learned.shape, sample.answer) for sample in samples]
    counts = Counter(spelled)
    num = len(spelled)
    entropy = -sum(number / num * math.log2(number / num) for number in counts.values())
    return Answers(
        kind=learned.shape.kind,
        distinct=len(counts),
        entropy_bits=round(abs(entropy), 3),
        valid=sum(not wrong(learned, sample) for sample in samples) / max(1, num),
        repeats_agree=_repeats_agree(samples, spelled),
        labels=learned.shape.labels,
        keys=tuple(learned.shape.keys),
        median_characters=sorted(map(len, spelled))[num // 2] if spelled else 0,
    )


def _repeats_agree(samples: Sequence[Sample], spelled: Sequence[str]) -> float | None:
    first: dict[str, str] = {}
    num = num_same = 0
    for sample, answer in zip(samples, spelled, strict=True):
        text = " ".join(sample.text.casefold().split())
        if text in first:
            num += 1
            num_same += first[text] == answer
        first.setdefault(text, answer)
    return num_same / num if num >= LEAST_REPEATS else None


def _name(group: Group, answers: Answers, heap: _Heap) -> str:
    """What people call the group: by its system prompt or template, else by what is answered."""
    if group.system:
        return " ".join(group.system.split())[:60]
    if group.prefix.strip() or group.suffix.strip():
        return " ".join((group.prefix.strip() or group.suffix.strip()).split())[:60]
    if heap.topic:
        return "about " + ", ".join(heap.topic)
    return {
        "json": "JSON: " + ", ".join(answers.keys),
        "label": "labels: " + ", ".join(answers.labels),
        "text": f"texts, {heap.length} requests",
    }[answers.kind][:60]


def _length(sample: Sample) -> str:
    return next(name for limit, name in LENGTHS if len(sample.text) <= limit)


def _length_of(samples: Sequence[Sample]) -> str:
    counts = Counter(_length(sample) for sample in samples)
    return max(sorted(counts), key=lambda name: counts[name])


def _sum(values: Sequence[float], scale: float) -> float | None:
    """The sum over all, those without a record taken to be like the others; None where none has one."""
    known = [value for value in values if value >= 0]
    return sum(known) / len(known) * len(values) * scale if known else None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _days(samples: Sequence[Sample]) -> float:
    times = [sample.at_ms for sample in samples if sample.at_ms]
    return (max(times) - min(times)) / 86_400_000 if times else 0.0


def _most(counts: Counter[str], otherwise: str) -> str:
    return max(sorted(counts), key=lambda name: counts[name], default=otherwise)


def _toml(task: str, model: str, deployment: str) -> str:
    """What to write into wicket.toml; it may be there before there is a mini."""
    return (
        f"[models.{_quoted(model)}]\n"
        f"deployments = [{_quoted('mini:' + task)}, {_quoted(deployment)}]\n"
        'policy = "cascade"\n'
        "quality = 0.95\n"
        f"collect = {_quoted(task)}\n"
    )


def _quoted(text: str) -> str:
    """A basic string of TOML; its escapes are JSON's."""
    return msgspec.json.encode(text).decode()
