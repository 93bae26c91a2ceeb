"""Whether a mini may be put in place: what was measured against what was promised. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from wicket.minis.answers import AnswerShape, agree, broken
from wicket.minis.confidence import (
    NEVER,
    Calibration,
    at_floor,
    confidence,
    floor_for_quality,
    interval,
)

SLACK = 0.02  # by which precision on the test part may lie below the floor, if its interval still holds it
MAX_DIFFERENCE = 0.25  # nats per token between the student and its exported file


class Outcome(msgspec.Struct, frozen=True):
    """One judged request: what was expected, what came, and the evidence for it."""

    id: str
    expected: str
    answer: str
    is_right: bool
    is_whole: bool  # it ended by itself and is no broken answer: nothing else is ever taken
    evidence: list[float]


class Scores(msgspec.Struct, frozen=True):
    """One part's results. `taken` answers reach the floor, `taken_right` of them are right."""

    num: int
    right: int
    taken: int
    taken_right: int
    exact: float
    exact_interval: tuple[float, float]
    share: float
    share_interval: tuple[float, float]
    precision: float
    precision_interval: tuple[float, float]


class Check(msgspec.Struct, frozen=True):
    """One promise: what was measured, what was needed."""

    name: str
    passed: bool
    value: float
    needed: float
    says: str


class Verdict(msgspec.Struct, frozen=True):
    """All promises, and whether all are kept."""

    passed: bool
    checks: list[Check]


def whole(shape: AnswerShape, request: str, answer: str, is_complete: bool) -> bool:
    """Whether an answer could be given at all."""
    return is_complete and not broken(shape, answer, request)


def scores(outcomes: Sequence[Outcome], calibration: Calibration, floor: float) -> Scores:
    """How a part comes out with a floor."""
    taken = [o for o in outcomes if o.is_whole and confidence(calibration, o.evidence) >= floor]
    right = sum(outcome.is_right for outcome in outcomes)
    taken_right = sum(outcome.is_right for outcome in taken)
    num = len(outcomes)
    return Scores(
        num=num,
        right=right,
        taken=len(taken),
        taken_right=taken_right,
        exact=right / max(1, num),
        exact_interval=interval(right, num),
        share=len(taken) / max(1, num),
        share_interval=interval(len(taken), num),
        precision=taken_right / len(taken) if taken else 0.0,
        precision_interval=interval(taken_right, len(taken)),
    )


def guess(lessons: Sequence[str], outcomes: Sequence[Outcome], shape: AnswerShape) -> float:
    """The share that always giving training's most frequent answer would get right."""
    if not lessons or not outcomes:
        return 0.0
    favourite = Counter(lessons).most_common(1)[0][0]
    return sum(agree(shape, outcome.expected, favourite) for outcome in outcomes) / len(outcomes)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the verdict is made of. `usual` is what guessing gets right."""

    quality: float
    least_share: float
    leaked: int
    usual: float
    export_difference: float
    calibration: Calibration
    test: Scores


def verdict(facts: Facts) -> Verdict:
    """Every promise against its measure."""
    floor = floor_for_quality(facts.calibration, facts.quality)
    point = at_floor(facts.calibration, floor)
    validated = point.num_taken / max(1, facts.calibration.num_validated)
    test = facts.test
    is_precise = test.precision >= facts.quality - SLACK and test.precision_interval[1] >= facts.quality
    checks = [
        Check("leakage", facts.leaked == 0, facts.leaked, 0, "no training request judges the mini"),
        Check(
            "floor",
            floor < NEVER,
            validated,
            facts.least_share,
            "validation shows a floor that keeps the quality",
        ),
        Check(
            "share",
            test.share >= facts.least_share,
            test.share,
            facts.least_share,
            "it takes enough of the test requests",
        ),
        Check(
            "precision",
            test.taken > 0 and is_precise,
            test.precision,
            facts.quality,
            "what it takes of the test requests is right",
        ),
        Check(
            "better_than_guessing",
            test.exact_interval[0] > facts.usual,
            test.exact,
            facts.usual,
            "it knows more than the most frequent answer",
        ),
        Check(
            "export",
            facts.export_difference <= MAX_DIFFERENCE,
            facts.export_difference,
            MAX_DIFFERENCE,
            "the exported file answers as the student does (nats per token)",
        ),
    ]
    return Verdict(all(check.passed for check in checks), checks)
