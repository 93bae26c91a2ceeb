"""Curation: which of the logged examples are fit to learn from. Pure; every step says what it removed.

The steps, in this order: what a mini answered itself, low scores, requests of evaluation files, what
corrections outrank, broken answers, exact duplicates, contradictions, near duplicates, outliers in length,
and a hook of the caller's. The result does not depend on the order of the samples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from wicket.lab.duplicates import (
    contradictions,
    evaluation_twins,
    exact_duplicates,
    near_duplicates,
    near_requests,
    outranked,
)
from wicket.lab.examples import Examples, Sample, digest
from wicket.lab.groups import Group, find_groups
from wicket.lab.removal import Removal, newest_first
from wicket.lab.shapes import Learned, learn_shape, unusual, wrong

MINI_DEPLOYMENTS = ("mini/", "mini:")
LONG_QUANTILE = 0.95
LONG_FACTOR = 5.0  # what is so many times longer than nearly all others is an accident
SHOWN = 5


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`near` and `nearly_same` are Jaccard similarities of word 3-grams (see `shingles.py`).

    `least_score` is the feedback from which an answer is kept; `majority` the share of equal requests whose
    answers must agree, or all of them go. `quality` returns why a sample is bad, or "". With `habits`,
    answers that are `unusual` go too.
    """

    least_score: float = 0.5
    near: float = 0.8
    nearly_same: float = 0.9
    majority: float = 0.66
    quality: Callable[[Sample], str] | None = None
    habits: bool = True


DEFAULTS = Options()


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one step removed, why (reason → number), and up to five of them by their ids."""

    name: str
    num_before: int
    num_removed: int
    reasons: dict[str, int] = {}
    shown: tuple[str, ...] = ()


class Curated(msgspec.Struct, frozen=True, kw_only=True):
    """What is left, the oldest first, with each group of requests and the shape of its answers."""

    samples: tuple[Sample, ...]
    groups: tuple[Group, ...]
    learned: tuple[Learned, ...]  # of each group
    steps: tuple[Step, ...]
    sha256: str


def curate(
    examples: Examples,
    options: Options = DEFAULTS,
    *,
    evaluation: Sequence[Sample] = (),
) -> Curated:
    """All steps over what was read. `evaluation` are the requests of files that will judge the mini."""
    other_form = Step(
        name="other_form",
        num_before=examples.num_lines,
        num_removed=examples.num_other_form + examples.num_broken,
        reasons=_without_zeros({"other_form": examples.num_other_form, "broken_line": examples.num_broken}),
        shown=tuple(f"line {line.line}" for line in examples.broken[:SHOWN]),
    )
    grouped = find_groups(sorted(examples.samples, key=_order))
    samples, groups = grouped.samples, grouped.groups
    steps = [other_form]

    def step(name: str, removal: Removal) -> None:
        nonlocal samples
        steps.append(_step(name, samples, removal))
        samples = tuple(removal.kept)

    step("mini_answers", _removal(samples, _by_mini))
    step("low_score", _removal(samples, lambda sample: _scored_low(sample, options.least_score)))
    step("evaluation_data", evaluation_twins(samples, evaluation, groups, options.near))
    step("outranked", outranked(samples))
    learned = tuple(learn_shape([s for s in samples if s.group == group.number]) for group in groups)
    step("broken_answers", _removal(samples, lambda sample: wrong(learned[sample.group], sample)))
    if options.habits:
        step("unusual_answers", _removal(samples, lambda sample: unusual(learned[sample.group], sample)))
    step("duplicates", exact_duplicates(samples, learned))
    pairs, compared = near_requests(samples, groups, min(options.near, options.nearly_same)), samples
    same = [pair for pair in pairs if pair[2] >= options.nearly_same]
    step("contradictions", contradictions(samples, learned, same, options.majority))
    pairs = [pair for pair in pairs if pair[2] >= options.near]
    step("near_duplicates", near_duplicates(samples, compared, pairs))
    step("length", _removal(samples, _longer_than_usual(samples)))
    if options.quality is not None:
        step("quality", _removal(samples, options.quality))
    left = tuple(sorted(samples, key=_order))
    return Curated(samples=left, groups=groups, learned=learned, steps=tuple(steps), sha256=digest(left))


def report_of(examples: Examples, curated: Curated) -> dict[str, Any]:
    """The curation as a JSON document for a run's report."""
    kept = Counter(sample.group for sample in curated.samples)
    return {
        "lines": examples.num_lines,
        "sha256": examples.sha256,
        "broken_lines": msgspec.to_builtins(examples.broken),
        "steps": [msgspec.to_builtins(step) for step in curated.steps],
        "kept": len(curated.samples),
        "kept_sha256": curated.sha256,
        "groups": [
            {
                "number": group.number,
                "system": group.system[:200],
                "template": [group.prefix[:200], group.suffix[:200]],
                "requests": group.num_requests,
                "kept": kept[group.number],
                "answers": learned.shape.kind,
                "labels": len(learned.shape.labels),
                "keys": sorted(learned.shape.keys),
                "always": learned.always,
                "quoted": learned.quoted,
            }
            for group, learned in zip(curated.groups, curated.learned, strict=True)
        ],
    }


def _order(sample: Sample) -> tuple[int, str, str, str, str]:
    return sample.at_ms, sample.id, sample.system, sample.text, sample.answer


def _step(name: str, before: Sequence[Sample], removal: Removal) -> Step:
    shown = tuple(sample.id for sample, _ in newest_first(removal.removed)[:SHOWN])
    reasons = Counter(reason for _, reason in removal.removed)
    return Step(
        name=name,
        num_before=len(before),
        num_removed=len(before) - len(removal.kept),
        reasons=dict(sorted(reasons.items())),
        shown=shown,
    )


def _removal(samples: Iterable[Sample], why: Callable[[Sample], str]) -> Removal:
    kept, removed = [], []
    for sample in samples:
        reason = why(sample)
        if reason:
            removed.append((sample, reason))
        else:
            kept.append(sample)
    return Removal(kept, removed)


def _by_mini(sample: Sample) -> str:
    """A mini must not learn from minis; a person's correction of one is welcome."""
    return "mini" if sample.deployment.startswith(MINI_DEPLOYMENTS) and not sample.corrected else ""


def _scored_low(sample: Sample, least: float) -> str:
    return "low_score" if 0 <= sample.score < least and not sample.corrected else ""


def _longer_than_usual(samples: Sequence[Sample]) -> Callable[[Sample], str]:
    limits: dict[int, tuple[float, float]] = {}
    for group in {sample.group for sample in samples}:
        of_group = [sample for sample in samples if sample.group == group]
        limits[group] = (
            _limit([len(sample.text) for sample in of_group]),
            _limit([len(sample.answer) for sample in of_group]),
        )

    def why(sample: Sample) -> str:
        text, answer = limits[sample.group]
        return (
            "long_request"
            if len(sample.text) > text
            else "long_answer"
            if len(sample.answer) > answer
            else ""
        )

    return why


def _limit(lengths: Sequence[int]) -> float:
    ordered = sorted(lengths)
    return LONG_FACTOR * max(20, ordered[min(len(ordered) - 1, int(LONG_QUANTILE * len(ordered)))])


def _without_zeros(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in counts.items() if number}
