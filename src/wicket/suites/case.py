"""A case: what is asked, what is expected, how an answer is judged. One line of JSON each.

Lines of the loop's export are taken as they are: where the last message is the assistant's, it is what is
expected of whoever answers next time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from wicket.errors import CallerFault
from wicket.suites.pattern import compiled
from wicket.suites.schema_reading import require_schema
from wicket.wire import json

MAX_MISTAKES = 10  # told at once
ROLES = ("system", "developer", "user", "assistant", "tool")
_OURS = ("model", "messages", "stream", "stream_options", "n")  # fields that a case may not set
NEEDS_EXPECTED = ("exact", "json", "label", "contains", "number", "regex", "similarity")
WITHOUT = ("valid-json", "schema", "tests", "judge")
CHECK_NAMES = (*NEEDS_EXPECTED, *WITHOUT)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One case. `expected` is None where the check needs nothing to compare with.

    `request` holds further fields of the chat request. `tolerance` belongs to the check "number", `at_least`
    to "similarity" and "judge", `rubric` to "judge"; `tests`, `entry_point` and `prefix` to "tests".
    """

    id: str
    kind: str = ""
    messages: tuple[dict[str, Any], ...]
    expected: Any = None
    check: str = "exact"
    schema: dict[str, Any] | None = None
    tests: str = ""
    entry_point: str = ""
    prefix: str = ""
    tolerance: float | None = None
    at_least: float | None = None
    rubric: str = ""
    request: dict[str, Any] = {}

    @property
    def asked(self) -> str:
        """The hash of what is sent: answers to equal requests may stand for each other."""
        return _hash([self.messages, self.request])

    @property
    def judged(self) -> str:
        """The hash of how an answer is judged: a verdict holds for as long as it stays the same."""
        fields = [self.check, self.expected, self.schema, self.tests, self.entry_point, self.prefix]
        return _hash([*fields, self.tolerance, self.at_least, self.rubric])


class _Line(msgspec.Struct):
    """A line as written; fields that are not named here are somebody else's."""

    id: str | int | None = None
    kind: str = ""
    prompt: str | None = None
    system: str = ""
    messages: list[dict[str, Any]] | None = None
    expected: Any = None
    check: str = ""
    schema: dict[str, Any] | None = None
    tests: str | list[str] = ""
    entry_point: str = ""
    prefix: str = ""
    tolerance: float | None = None
    at_least: float | None = None
    rubric: str = ""
    request: dict[str, Any] = {}


def read_cases(data: bytes, name: str, default_check: str = "exact") -> list[Case]:
    """The cases in a file's bytes. Raises `CallerFault` with one `name:line: what` per broken line."""
    cases: list[Case] = []
    mistakes: list[str] = []
    lines_by_id: dict[str, int] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            case = _case(line, number, default_check)
        except CallerFault as fault:
            mistakes.append(f"{name}:{number}: {fault.message}")
            continue
        if case.id in lines_by_id:
            mistakes.append(f"{name}:{number}: The id {case.id!r} is that of line {lines_by_id[case.id]}.")
        lines_by_id.setdefault(case.id, number)
        cases.append(case)
    if mistakes:
        more = [f"{name}: {len(mistakes) - MAX_MISTAKES} more lines are broken."]
        shown = mistakes[:MAX_MISTAKES] + (more if len(mistakes) > MAX_MISTAKES else [])
        raise CallerFault("bad_cases", "\n".join(shown))
    if not cases:
        raise CallerFault("no_cases", f"{name} holds no case: it needs one JSON object per line.")
    return cases


def require_possible(cases: list[Case], *, has_judge: bool, allows_code: bool) -> None:
    """Raises `CallerFault` where a check needs something that was not given."""
    checks = {case.check for case in cases}
    if "judge" in checks and not has_judge:
        raise CallerFault("no_judge", 'Cases with the check "judge" need --judge MODEL.')
    if "tests" in checks and not allows_code:
        message = (
            'Cases with the check "tests" run code that models wrote: --allow-code says that this is wanted.'
        )
        raise CallerFault("code_not_allowed", message)


def suite_hash(cases: list[Case]) -> str:
    """What a score belongs to: the same cases judged the same way, in any order."""
    return _hash(sorted(f"{case.asked}{case.judged}{case.kind}" for case in cases))


def text_of(messages: tuple[Mapping[str, Any], ...]) -> str:
    """A conversation as text, for pages and judges."""
    parts = []
    for message in messages:
        content = message.get("content")
        text = content if isinstance(content, str) else json.encode(content).decode()
        parts.append(text if len(messages) == 1 else f"{message.get('role')}: {text}")
    return "\n\n".join(parts)


def expected_text(case: Case) -> str:
    """What is expected, as text; "" for nothing."""
    if case.expected is None:
        return ""
    return case.expected if isinstance(case.expected, str) else json.encode(case.expected).decode()


def _case(line: bytes, number: int, default_check: str) -> Case:
    try:
        read = _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _refused(f"This is no case: {error}.") from None
    messages, answer = _messages(read)
    case = Case(
        id=str(number if read.id is None else read.id),
        kind=read.kind,
        messages=messages,
        expected=answer if read.expected is None else read.expected,
        check=read.check or default_check,
        schema=read.schema,
        tests=read.tests if isinstance(read.tests, str) else "\n".join(read.tests),
        entry_point=read.entry_point,
        prefix=read.prefix,
        tolerance=read.tolerance,
        at_least=read.at_least,
        rubric=read.rubric,
        request=read.request,
    )
    _require(case)
    return case


def _messages(read: _Line) -> tuple[tuple[dict[str, Any], ...], str | None]:
    """What is sent, and the assistant's last answer if the line ends with one."""
    if (read.prompt is None) == (read.messages is None):
        raise _refused("It needs either `prompt` or `messages`.")
    if read.prompt is not None:
        system = [{"role": "system", "content": read.system}] if read.system else []
        return (*system, {"role": "user", "content": read.prompt}), None
    messages = read.messages or []
    for message in messages:
        if message.get("role") not in ROLES:
            raise _refused(f"A message's `role` must be one of {', '.join(ROLES)}.")
    answer = None
    if messages and messages[-1]["role"] == "assistant":
        answer = messages[-1].get("content")
        messages = messages[:-1]
        if not isinstance(answer, str):
            raise _refused("The last message is an assistant's without a text to compare with.")
    if not messages:
        raise _refused("`messages` asks nothing.")
    return tuple(messages), answer


def _require(case: Case) -> None:
    """Raises `CallerFault` unless the case can be judged."""
    if case.check not in CHECK_NAMES:
        raise _refused(f"There is no check {case.check!r}: one of {', '.join(CHECK_NAMES)}.")
    if case.check in NEEDS_EXPECTED and case.expected is None:
        raise _refused(f"The check {case.check!r} needs `expected`, or an assistant's message at the end.")
    if case.check in ("regex", "similarity") and not isinstance(case.expected, str):
        raise _refused(f"`expected` must be a string for the check {case.check!r}.")
    if case.check in ("label", "contains") and not _are_texts(case.expected):
        raise _refused(f"`expected` must be a string or a list of strings for the check {case.check!r}.")
    if case.check == "number" and read_number(case.expected) is None:
        raise _refused("`expected` must be a number.")
    if case.check == "schema" and case.schema is None:
        raise _refused("The check 'schema' needs `schema`.")
    if case.check == "tests" and not case.tests.strip():
        raise _refused("The check 'tests' needs `tests`.")
    if case.entry_point and not case.entry_point.isidentifier():
        raise _refused("`entry_point` must be a name.")
    if case.tolerance is not None and case.tolerance < 0:
        raise _refused("`tolerance` must not be negative.")
    taken = [field for field in _OURS if field in case.request]
    if taken:
        raise _refused(f"`request` may not set {', '.join(taken)}.")
    if case.check == "regex":
        compiled(case.expected)
    if case.schema is not None:
        require_schema(case.schema)


def read_number(value: Any) -> float | None:
    """A number, or the number that a string is; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value.replace(",", "") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None


def _are_texts(value: Any) -> bool:
    texts = value if isinstance(value, list) else [value]
    return bool(texts) and all(isinstance(text, str) and text.strip() for text in texts)


def _refused(message: str) -> CallerFault:
    return CallerFault("bad_case", message)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.encode_sorted(value)).hexdigest()[:16]


_decode: Callable[[bytes], _Line] = msgspec.json.Decoder(_Line).decode
