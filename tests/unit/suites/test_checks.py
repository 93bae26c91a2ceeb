"""Checks: what counts as right and what does not."""

import json
from typing import Any

import pytest

from wicket.suites.case import Case, read_cases
from wicket.suites.checks import CHECKS, Verdict, judge
from wicket.suites.programs import candidate, program


def case(check: str, expected: Any = None, **fields: Any) -> Case:
    line = {"prompt": "p", "check": check, "expected": expected, **fields}
    return read_cases(json.dumps(line).encode(), "x")[0]


OBJECT = {"people": 2, "time": "19:00"}
TABLE: list[tuple[Case, list[str], list[str]]] = [
    (case("exact", "Paris"), ["Paris", " paris\n", "PARIS"], ["Paris.", "It is Paris", ""]),
    (
        case("exact", '{"people": 2, "time": "19:00"}'),
        ['{"time":"19:00","people":2}', '```json\n{"people": 2, "time": "19:00"}\n```'],
        ['{"people": 3, "time": "19:00"}', "two at seven"],
    ),
    (case("exact", OBJECT), ['{"time":"19:00","people":2}'], ["{}"]),
    (
        case("json", OBJECT),
        ['{"time": "19:00", "people": 2.0}', 'Here:\n```\n{"people": 2, "time": "19:00"}\n```\nDone.'],
        ['{"people": true, "time": "19:00"}', '{"people": 2}', "no", '[{"people": 2, "time": "19:00"}]'],
    ),
    (case("json", "[1, 2]"), ["[1,2]"], ["[2,1]", "1, 2"]),
    (case("json", "plain text"), ['"plain text"'], ["plain text"]),
    (
        case("label", "Positive"),
        ["positive", " **Positive.** ", '"positive"'],
        ["positive review", "negative"],
    ),
    (case("label", ["yes", "y"]), ["Yes!", "y"], ["yes and no"]),
    (case("contains", ["red", "blue"]), ["Blue and RED."], ["red", "blau"]),
    (case("regex", r"(?i)^yes\b"), ["Yes, of course"], ["Oh yes", "yesterday"]),
    (
        case("number", 1234.5),
        ["1234.5", "It is 1,234.5 euros.", "first 7, then 1234.50", "1.2345e3"],
        ["1234", "1,234.5 or 9", "none"],
    ),
    (case("number", "-5"), ["-5", "minus: \u22125", "(-5)"], ["5", "10-5"]),
    (case("number", 10, tolerance=0.5), ["10.4", "9.5", "about 10."], ["10.6", "9"]),
    (case("valid-json"), ["{}", "[1]", "3", '```json\n{"a": 1}\n```'], ["{a: 1}", "text", ""]),
    (
        case("schema", schema={"type": "object", "required": ["a"]}),
        ['{"a": 1}', '{"a": null, "b": 2}'],
        ["{}", "[]", "a"],
    ),
    (case("schema", {"a": 1}, schema={"type": "object"}), ['{"a": 1}'], ['{"a": 2}']),
]


@pytest.mark.parametrize(
    ("one", "right", "wrong"), TABLE, ids=[f"{c.check}-{c.expected}" for c, _, _ in TABLE]
)
def test_what_counts_as_right(one: Case, right: list[str], wrong: list[str]) -> None:
    for answer in right:
        assert judge(one, answer) == Verdict(1.0), answer
    for answer in wrong:
        verdict = judge(one, answer)
        assert not verdict.is_right and verdict.why, answer


def test_every_check_of_the_table_was_tried() -> None:
    assert {one.check for one, _, _ in TABLE} == set(CHECKS)


def test_answers_made_to_hurt_are_just_wrong() -> None:
    for answer in ("[" * 100_000, "9" * 100_000, "```" * 50_000, "\ud800", "-" * 10_000, '{"a":' * 50_000):
        for one, _, _ in TABLE:
            assert judge(one, answer).score in (0.0, 1.0)
        assert not judge(case("json", OBJECT), answer).is_right


def test_a_verdict_has_a_bar() -> None:
    assert Verdict(0.6).is_right and not Verdict(0.6, "", 0.8).is_right


PREFIX = 'from typing import List\nimport math\n\ndef area(r: float) -> float:\n    """Of a circle."""\n'


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("    return math.pi * r * r\n", PREFIX + "    return math.pi * r * r\n"),
        (
            "Sure:\n```python\ndef area(r):\n    return 1\n```\nDone.",
            "from typing import List\nimport math\ndef area(r):\n    return 1\n",
        ),
        (
            "```\nx = 1\n```\n```\ndef area(r): pass\n```",
            "from typing import List\nimport math\nx = 1\n\n\ndef area(r): pass\n",
        ),
        (
            "```python\ndef area(r):\n    return 2",
            "from typing import List\nimport math\ndef area(r):\n    return 2",
        ),
    ],
)
def test_code_is_taken_out_of_an_answer(answer: str, expected: str) -> None:
    one = case("tests", tests="def check(f):\n    assert f(1)", entry_point="area", prefix=PREFIX)
    assert candidate(one, answer) == expected
    text = program(one, answer, "word")
    assert text.startswith(expected) and text.endswith("check(area)\nprint('word')\n")


def test_bare_asserts_need_no_call() -> None:
    one = case("tests", tests=["assert f(1) == 2", "assert f(2) == 3"])
    assert "check(" not in program(one, "def f(x): return x + 1", "w")
