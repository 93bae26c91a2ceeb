"""Strangers of our own making: how a label mini answers requests that belong to none of its labels.

A log seldom holds requests that fit no label, and a softmax has to give such a one some label. So one label
in five is kept from a second mini, the rehearsal, which is trained like the first; the requests of those
labels are strangers to it, and whatever it answers them is wrong. Calibration counts them in at a stated
share. (Classes kept from a classifier to see how it meets unknown ones: Scheirer et al., PAMI 35:1757, 2013.)
"""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from wicket.lab import label_mini
from wicket.lab.mini_data import Lesson
from wicket.lab.progress import Progress
from wicket.lab.techniques.fine_tune_encoder import Plan
from wicket.minis.familiarity import familiarity, learn

FOLDER = "rehearsal"  # in the run's folder, while it is needed
ONE_IN = 5  # so many labels are kept from the rehearsal
LEAST_LABELS = 10  # with fewer, the others' labels say too little of what is unknown


class Met(msgspec.Struct, frozen=True):
    """How one stranger was answered; `expected` is its label, which the rehearsal does not know."""

    id: str
    expected: str
    answer: str
    evidence: list[float]


def held_labels(labels: Sequence[str], seed: int) -> frozenset[str]:
    """The labels kept from the rehearsal; none where there are too few labels."""
    if len(labels) < LEAST_LABELS:
        return frozenset()
    chance = random.Random(seed)  # noqa: S311 - no secret
    return frozenset(chance.sample(sorted(labels), len(labels) // ONE_IN))


def meet(
    folder: Path, base: Path, lessons: Sequence[Lesson], plan: Plan, choose: label_mini.Choose
) -> list[Met]:
    """Train the rehearsal in `folder/rehearsal`, ask it the strangers among the lessons, and remove it.

    Interrupted, it goes on from its last save. Raises what `label_mini.fit` raises.
    """
    held = held_labels(sorted({lesson.answer for lesson in lessons}), plan.seed)
    if not held:
        return []
    known = [lesson for lesson in lessons if lesson.answer not in held]
    strangers = [lesson for lesson in lessons if lesson.answer in held]
    place, progress = folder / FOLDER, Progress("meeting strangers")
    progress.at(0.0, f"another training first, without {len(held)} labels")
    label_mini.fit(place, base, known, plan, choose=choose)
    learnt = learn(lesson.shown for lesson in known)
    picked = label_mini.answer(place, [lesson.shown for lesson in strangers])
    shutil.rmtree(place)
    progress.done(f"{len(picked)} requests of {len(held)} labels that it was not taught")
    return [
        Met(
            lesson.id,
            lesson.answer,
            each.text,
            label_mini.evidence_of(each, familiarity(learnt, lesson.shown)),
        )
        for lesson, each in zip(strangers, picked, strict=True)
    ]


def weight_of(num: int, num_strangers: int, share: float) -> float:
    """What each stranger counts beside `num` requests, so that strangers are `share` of all."""
    return num * share / (1.0 - share) / num_strangers if num_strangers else 0.0


def counted(num: int, num_strangers: int, share: float) -> int:
    """How many requests there are with the strangers counted in."""
    return num + math.ceil(num_strangers * weight_of(num, num_strangers, share))
