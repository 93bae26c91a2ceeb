"""What the answers of a task look like, whether one is broken, and when two say the same. Pure.

Three shapes: "json" (an object each time), "label" (one of few texts), "text" (anything else).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from wicket.wire import json

MAX_LABELS = 512
MAX_LABEL_CHARACTERS = 120
LABEL_REPEATS = 3  # a label is seen so often on average, or it is no label
LEAST_SHARE = 0.6  # so many answers must have the shape; the others are broken ones
_FENCE = re.compile(r"\A\s*```[a-z]*\s*\n(.*?)\n?```\s*\Z", re.DOTALL)
_BLANKS = re.compile(r"\s+")


class AnswerShape(msgspec.Struct, frozen=True):
    """`keys` of a JSON object with the types seen ("string", "number", …); `labels` of a label task.

    The texts of `quoted` keys are words of the request: one that is not was made up.
    """

    kind: str = "text"
    keys: dict[str, list[str]] = {}
    labels: tuple[str, ...] = ()
    max_characters: int = 0
    quoted: tuple[str, ...] = ()


def shape_of(answers: Sequence[str]) -> AnswerShape:
    """The shape that most of the answers have."""
    longest = max((len(answer) for answer in answers), default=0)
    objects = [found for found in map(_object, answers) if found is not None]
    if answers and len(objects) >= LEAST_SHARE * len(answers):
        keys: dict[str, set[str]] = {}
        for found in objects:
            for key, value in found.items():
                keys.setdefault(key, set()).add(_type(value))
        return AnswerShape("json", {key: sorted(types) for key, types in sorted(keys.items())}, (), longest)
    counts = Counter(map(_plain, answers))
    labels = tuple(sorted(label for label, number in counts.items() if number > 1))
    covered = sum(counts[label] for label in labels)
    is_label = (
        0 < len(labels) <= MAX_LABELS
        and covered >= LEAST_SHARE * len(answers)
        and len(answers) >= LABEL_REPEATS * len(labels)
        and max(map(len, labels)) <= MAX_LABEL_CHARACTERS
    )
    return AnswerShape("label", {}, labels, longest) if is_label else AnswerShape("text", {}, (), longest)


def broken(shape: AnswerShape, answer: str, request: str | None = None) -> str:
    """What is wrong with an answer (to `request`, if it is known), in a word for a report; "" if nothing."""
    if not answer.strip():
        return "empty"
    if shape.kind == "json":
        found = _object(answer)
        if found is None:
            return "not_json"
        for key, value in found.items():
            if key not in shape.keys:
                return "unknown_key"
            if _type(value) not in shape.keys[key]:
                return "wrong_type"
            if request is not None and key in shape.quoted and not stands_in(value, request):
                return "not_in_request"
    elif shape.kind == "label" and _plain(answer) not in shape.labels:
        return "unknown_label"
    return ""


def canonical(shape: AnswerShape, answer: str) -> str:
    """The one spelling of everything that says the same; what a mini is taught to write."""
    if shape.kind == "json":
        found = _object(answer)
        return _plain(answer) if found is None else json.encode_sorted(found).decode()
    return _plain(answer) if shape.kind == "label" else answer.strip()


def agree(shape: AnswerShape, one: str, other: str) -> bool:
    """Whether two answers say the same: equal objects, equal labels, or equal words."""
    if shape.kind == "text":
        return _BLANKS.sub(" ", one).strip().casefold() == _BLANKS.sub(" ", other).strip().casefold()
    return canonical(shape, one) == canonical(shape, other)


def stands_in(value: Any, request: str) -> bool:
    """Whether a text, or each text of a list, is words of the request; any other value is."""
    if isinstance(value, list):
        return all(stands_in(item, request) for item in value)
    if not isinstance(value, str):
        return True
    return _plain(value).casefold() in _plain(request).casefold()


def _object(answer: str) -> dict[str, Any] | None:
    fenced = _FENCE.match(answer)
    try:
        found = json.decode((fenced[1] if fenced else answer).encode())
    except (json.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    return found if isinstance(found, dict) else None


def _plain(answer: str) -> str:
    return _BLANKS.sub(" ", answer).strip()


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
