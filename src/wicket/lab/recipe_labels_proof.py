"""What a run for labels is judged by: each data set's answers of student, teacher and baselines. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from wicket.lab.label_figures import area
from wicket.lab.mini_data import Lesson
from wicket.lab.mini_gate import Outcome, Scores, scores
from wicket.lab.strangers import weight_of
from wicket.minis.confidence import Calibration, confidence, interval
from wicket.minis.paired import difference, mcnemar

SHOWN = 8


class Accuracy(msgspec.Struct, frozen=True):
    """`right` of `num` requests that have a label, with Wilson's interval."""

    num: int
    right: int
    share: float
    low: float
    high: float


class Ahead(msgspec.Struct, frozen=True):
    """The student's accuracy less another's on the same requests: interval by the bootstrap over requests,
    McNemar's p, and how many only one of the two got right."""

    mean: float
    low: float
    high: float
    p_value: float
    only_student: int
    only_other: int


class Strangers(msgspec.Struct, frozen=True):
    """Requests that belong to no label: how many the floor refuses, and how well confidence tells them from
    the others (area under the ROC curve)."""

    num: int
    refused: int
    share: float
    low: float
    high: float
    area: float | None


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One data set. `at_floor` is of the requests that have a label; `others` and `ahead` go by name: the
    teacher, the baselines. `kept` is of the teacher's accuracy."""

    student: Accuracy
    others: dict[str, Accuracy]
    ahead: dict[str, Ahead]
    kept: float
    at_floor: Scores
    precision_with_strangers: float
    strangers: Strangers | None = None


class Shown(msgspec.Struct, frozen=True):
    """One request, answered by student and teacher."""

    request: str
    expected: str
    student: str
    teacher: str
    confidence: float


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """One data set's answers, in the order of `lessons`; `others` answer only what has a label."""

    lessons: list[Lesson]
    is_stranger: list[bool]
    student: list[Outcome]
    others: dict[str, list[str]]

    @property
    def known(self) -> list[Outcome]:
        """The student's answers to what has a label."""
        pairs = zip(self.student, self.is_stranger, strict=True)
        return [outcome for outcome, is_stranger in pairs if not is_stranger]

    @property
    def met(self) -> list[Outcome]:
        """Its answers to strangers."""
        pairs = zip(self.student, self.is_stranger, strict=True)
        return [outcome for outcome, is_stranger in pairs if is_stranger]


def judged(
    material: Material, everyone_known: Sequence[Outcome], calibration: Calibration, floor: float
) -> Judged:
    """Everything that is said of one data set. Its strangers are told from what is known of all sets."""
    known, met = material.known, material.met
    right = [outcome.is_right for outcome in known]
    theirs = {
        name: [label == outcome.expected for label, outcome in zip(said, known, strict=True)]
        for name, said in material.others.items()
    }
    everyone = scores(material.student, calibration, floor)
    teacher = sum(theirs["teacher"])
    return Judged(
        student=accuracy(right),
        others={name: accuracy(each) for name, each in theirs.items()},
        ahead={name: ahead(right, each) for name, each in theirs.items()},
        kept=sum(right) / teacher if teacher else 0.0,
        at_floor=scores(known, calibration, floor),
        precision_with_strangers=everyone.precision,
        strangers=_strangers(everyone_known, met, calibration, floor) if met else None,
    )


class Precision(msgspec.Struct, frozen=True):
    """Of what the floor lets through, so much is right, with strangers counted as their stated share."""

    share: float
    low: float
    high: float


def precision(sets: Sequence[Judged], stated: float) -> Precision:
    """Over all data sets, whatever share of strangers the evaluation itself has."""
    known = sum(each.at_floor.num for each in sets)
    right = sum(each.at_floor.taken_right for each in sets)
    met = sum(each.strangers.num for each in sets if each.strangers is not None)
    let_in = sum(each.strangers.num - each.strangers.refused for each in sets if each.strangers is not None)
    taken = sum(each.at_floor.taken for each in sets) + let_in * weight_of(known, met, stated)
    num = math.ceil(taken)
    return Precision(right / taken if taken else 0.0, *interval(right, num))


def accuracy(right: Sequence[bool]) -> Accuracy:
    """With its interval."""
    num = len(right)
    return Accuracy(num, sum(right), sum(right) / max(1, num), *interval(sum(right), num))


def ahead(student: Sequence[bool], other: Sequence[bool]) -> Ahead:
    """How far the student is ahead of another."""
    gain = difference([float(each) for each in other], [float(each) for each in student])
    test = mcnemar(student, other)
    return Ahead(gain.mean, gain.low, gain.high, test.p_value, test.only_first, test.only_second)


def shown(material: Material, calibration: Calibration) -> list[Shown]:
    """Some requests side by side: where student and teacher differ first, then what both got wrong."""
    known = material.known
    texts = [m.shown for m, is_one in zip(material.lessons, material.is_stranger, strict=True) if not is_one]
    rows = [
        Shown(text, o.expected, o.answer, said, confidence(calibration, o.evidence))
        for text, o, said in zip(texts, known, material.others["teacher"], strict=True)
    ]
    return sorted(rows, key=lambda row: (row.student == row.teacher, row.student == row.expected))[:SHOWN]


def _strangers(
    known: Sequence[Outcome], met: Sequence[Outcome], calibration: Calibration, floor: float
) -> Strangers:
    claimed = [confidence(calibration, outcome.evidence) for outcome in (*known, *met)]
    refused = sum(value < floor for value in claimed[len(known) :])
    is_known = [True] * len(known) + [False] * len(met)
    share = refused / len(met)
    return Strangers(len(met), refused, share, *interval(refused, len(met)), area(claimed, is_known))
