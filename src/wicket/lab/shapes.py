"""The shape of a task's answers, learned although some are poisoned, and what a broken one is. Pure.

`minis.answers` says what shapes there are. Here a shape is learned from a log that nobody has looked at: what
only a few answers have (a key, a type, a label) is no part of it, and two habits are learned on top: keys
that are always there, and keys whose values are always words of the request.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from wicket.lab.examples import Sample
from wicket.minis.answers import AnswerShape, broken, canonical, shape_of, stands_in
from wicket.wire import json

RARE_KEY = 0.005  # a key or a type that a smaller share of the answers has is a mistake
RARE_TYPE = 0.05  # of a key's values
ALWAYS = 0.85  # a habit that so many answers keep is the task's; the others are broken
LEAST_ANSWERS = 20  # fewer show no habits
LEAST_LABELS = 2
_CANNOT = r"(can'?t|cannot|can not|won'?t|am unable|am not able|unable|not able)"
REFUSALS = (
    rf"(i'?m|i am) (really |very |so )?sorry,? (but )?(i|that)\b.{{0,30}}\b{_CANNOT}",
    rf"(sorry|unfortunately),? (but )?(i|we) {_CANNOT}\b",
    rf"i {_CANNOT} (to )?(help|assist|comply|fulfil|answer|provide|do|process)",
    r"(i apologi[sz]e|my apologies),? (but )?i\b",
    r"as an? (ai|artificial intelligence)( language)?( model| assistant)?\b",
    r"i'?m (just |only )?an? (ai|artificial intelligence|language model)\b",
)
_REFUSAL = re.compile("|".join(REFUSALS), re.IGNORECASE)
_BLANKS = re.compile(r"\s+")


class Learned(msgspec.Struct, frozen=True):
    """A shape with its habits: keys that every answer has, keys whose texts stand in the request."""

    shape: AnswerShape
    always: tuple[str, ...] = ()
    quoted: tuple[str, ...] = ()


def learn_shape(samples: Sequence[Sample]) -> Learned:
    """The shape of a group's answers; up to one in ten of them may be anything."""
    shape = shape_of([sample.answer for sample in samples])
    if shape.kind == "label":
        return Learned(_without_rare_labels(shape, samples))
    if shape.kind != "json":
        return Learned(shape)
    answers = [(sample.text, found) for sample in samples if (found := as_object(sample.answer)) is not None]
    keys = _usual_keys([found for _, found in answers])
    longest = max(
        (len(s.answer) for s in samples if not broken(AnswerShape("json", keys), s.answer)), default=0
    )
    learned = AnswerShape("json", keys, (), longest)
    if len(answers) < LEAST_ANSWERS:
        return Learned(learned)
    always = tuple(key for key in keys if sum(key in found for _, found in answers) >= ALWAYS * len(answers))
    return Learned(learned, always, tuple(key for key in keys if _is_quoted(key, answers)))


def wrong(learned: Learned, sample: Sample) -> str:
    """What is wrong with a sample's answer, in a word for the report; "" if nothing."""
    found = broken(learned.shape, sample.answer)
    if not found and learned.shape.kind == "text" and is_refusal(sample.answer):
        return "refusal"
    return found


def unusual(learned: Learned, sample: Sample) -> str:
    """How an answer breaks the task's habits, in a word; "" if it does not.

    Habits are what nearly all answers do, so an unusual one may still be right: a mini had better not learn
    it, but must be judged by it.
    """
    value = as_object(sample.answer) if learned.shape.kind == "json" else None
    if value is None:
        return ""
    if any(key not in value for key in learned.always):
        return "missing_key"
    if any(not stands_in(value[key], sample.text) for key in learned.quoted if key in value):
        return "not_in_request"
    return ""


def is_refusal(answer: str) -> bool:
    """Whether a text begins as a model's refusal does (`REFUSALS`, English)."""
    return _REFUSAL.match(answer.strip().replace("\u2019", "'")[:200]) is not None


def as_object(answer: str) -> dict[str, Any] | None:
    """The JSON object in an answer, fenced or not; None if it is something else."""
    text = canonical(_ANY_OBJECT, answer)
    if not text.startswith("{"):
        return None
    try:
        found = json.decode(text.encode())
    except (json.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    return found if isinstance(found, dict) else None


_ANY_OBJECT = AnswerShape("json")


def _without_rare_labels(shape: AnswerShape, samples: Sequence[Sample]) -> AnswerShape:
    counts = Counter(canonical(shape, sample.answer) for sample in samples)
    labels = tuple(label for label in shape.labels if counts[label] >= LEAST_LABELS)
    longest = max(
        (len(sample.answer) for sample in samples if canonical(shape, sample.answer) in labels), default=0
    )
    return AnswerShape("label", {}, labels, longest)


def _usual_keys(answers: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Keys with their types, but for what few answers have."""
    types: dict[str, Counter[str]] = {}
    for found in answers:
        for key, kinds in shape_of([json.encode(found).decode()]).keys.items():
            types.setdefault(key, Counter()).update(kinds)
    least = max(2.0, RARE_KEY * len(answers)) if len(answers) >= LEAST_ANSWERS else 1.0
    return {
        key: sorted(kind for kind, number in kinds.items() if number >= RARE_TYPE * kinds.total())
        for key, kinds in sorted(types.items())
        if kinds.total() >= least
    }


def _is_quoted(key: str, answers: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
    seen = [(found[key], text) for text, found in answers if key in found]
    texts = [stands_in(value, text) for value, text in seen if value]
    all_texts = all(isinstance(value, str | list | None) for value, _ in seen)
    return all_texts and len(texts) >= LEAST_ANSWERS and sum(texts) >= ALWAYS * len(texts)
