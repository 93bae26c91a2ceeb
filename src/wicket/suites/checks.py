"""How an answer is judged, as far as that takes nothing but the answer: one table, no I/O.

The other checks ("similarity", "judge", "tests") ask a model or run a program, which is done elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from wicket.minis.answers import AnswerShape, agree
from wicket.suites.case import Case, expected_text, read_number
from wicket.suites.json_schema import mistake, same
from wicket.suites.pattern import compiled
from wicket.wire import json

RIGHT_FROM = 0.5  # the score from which an answer counts as right
RELATIVE = 1e-6  # the difference that the check "number" overlooks where no tolerance is given
MAX_CHARACTERS = 200_000  # of an answer are judged
_FENCE = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
_NUMBER = re.compile(
    r"(?:(?<![\w.])[-+\u2212])?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3})?"
)
_AROUND = " \t\n\r.,;:!?\"'`*_()[]{}<>"


class Verdict(msgspec.Struct, frozen=True):
    """A score from 0 to 1, in a few words why it is not 1, and the least that counts as right."""

    score: float
    why: str = ""
    least: float = RIGHT_FROM

    @property
    def is_right(self) -> bool:
        """Whether the answer counts as right."""
        return self.score >= self.least


Check = Callable[[Case, str], Verdict]


def judge_exact(case: Case, answer: str) -> Verdict:
    """The same object where one is expected, else the same words: case, blanks at the ends don't count."""
    shape = AnswerShape("json" if isinstance(_json_of(expected_text(case)), dict) else "text")
    return _verdict(agree(shape, answer, expected_text(case)), "says something else")


def judge_json(case: Case, answer: str) -> Verdict:
    """Equal JSON values, the order of keys aside; the answer may stand in a fenced block."""
    found = _json_of(answer)
    if found is _NOTHING:
        return Verdict(0.0, "is not JSON")
    wanted = _json_of(case.expected) if isinstance(case.expected, str) else case.expected
    return _verdict(same(found, case.expected if wanted is _NOTHING else wanted), "is another value")


def judge_label(case: Case, answer: str) -> Verdict:
    """One of the expected labels and nothing else; case and punctuation around it don't count."""
    labels = case.expected if isinstance(case.expected, list) else [case.expected]
    return _verdict(_bare(answer) in map(_bare, labels), "is another label")


def judge_contains(case: Case, answer: str) -> Verdict:
    """All the expected texts occur in the answer, in whatever case."""
    texts = case.expected if isinstance(case.expected, list) else [case.expected]
    missing = [text for text in texts if text.casefold() not in answer.casefold()]
    return _verdict(not missing, f"lacks {missing[0][:40]!r}" if missing else "")


def judge_regex(case: Case, answer: str) -> Verdict:
    """The pattern occurs in the answer; in linear time, see `pattern.py`."""
    return _verdict(compiled(case.expected).found_in(answer), "does not match")


def judge_number(case: Case, answer: str) -> Verdict:
    """The last number of the answer is the expected one, within `tolerance` (absolute)."""
    wanted = read_number(case.expected)
    numbers = _NUMBER.findall(answer)
    found = read_number(numbers[-1].replace("\u2212", "-")) if numbers else None
    if found is None or wanted is None:
        return Verdict(0.0, "has no number")
    allowed = RELATIVE * abs(wanted) if case.tolerance is None else case.tolerance
    return _verdict(abs(found - wanted) <= allowed, f"is {found:g}")


def judge_valid_json(_: Case, answer: str) -> Verdict:
    """Any JSON value; the answer may stand in a fenced block."""
    return _verdict(_json_of(answer) is not _NOTHING, "is not JSON")


def judge_schema(case: Case, answer: str) -> Verdict:
    """A JSON value of the form that the case's schema asks for, and the expected one if that is given."""
    found = _json_of(answer)
    if found is _NOTHING:
        return Verdict(0.0, "is not JSON")
    wrong = mistake(case.schema, found)
    if wrong or case.expected is None:
        return _verdict(not wrong, wrong)
    return judge_json(case, answer)


CHECKS: dict[str, Check] = {
    "exact": judge_exact,
    "json": judge_json,
    "label": judge_label,
    "contains": judge_contains,
    "regex": judge_regex,
    "number": judge_number,
    "valid-json": judge_valid_json,
    "schema": judge_schema,
}


def judge(case: Case, answer: str) -> Verdict:
    """The verdict of a check of `CHECKS`; an empty answer is always wrong."""
    if not answer.strip():
        return Verdict(0.0, "is empty")
    return CHECKS[case.check](case, answer[:MAX_CHARACTERS])


_NOTHING = object()


def _json_of(text: str) -> object:
    """The JSON value that a text is, fenced or not; `_NOTHING` for any other text."""
    fenced = _FENCE.search(text)
    for found in (text.strip(), fenced[1].strip() if fenced else ""):
        try:
            return json.decode(found.encode())
        except (json.DecodeError, RecursionError, UnicodeEncodeError):
            continue
    return _NOTHING


def _bare(text: str) -> str:
    return " ".join(text.split()).strip(_AROUND).casefold()


def _verdict(is_right: bool, why: str) -> Verdict:
    return Verdict(1.0) if is_right else Verdict(0.0, why)
