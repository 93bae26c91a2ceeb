"""Cases: what a line may say, and which line is wrong."""

import json
from importlib.resources import files
from typing import Any

import pytest

from wicket.errors import CallerFault
from wicket.suites.case import Case, expected_text, read_cases, require_possible, suite_hash, text_of
from wicket.suites.checks import CHECKS, judge


def read(*lines: Any, check: str = "exact") -> list[Case]:
    data = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return read_cases(data, "cases.jsonl", check)


def test_a_prompt_and_a_conversation() -> None:
    short, long = read(
        {"prompt": "2+2?", "system": "Be brief.", "expected": "4", "check": "number", "kind": "maths"},
        {
            "messages": [{"role": "user", "content": "hi"}],
            "expected": ["a", "b"],
            "check": "contains",
            "id": 7,
        },
    )
    assert [message["role"] for message in short.messages] == ["system", "user"]
    assert (short.id, short.kind, short.check) == ("1", "maths", "number") and long.id == "7"
    assert expected_text(long) == '["a","b"]' and text_of(long.messages) == "hi"
    assert text_of(short.messages) == "system: Be brief.\n\nuser: 2+2?"


def test_an_exported_line_expects_what_was_answered() -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "the answer"}]
    plain, corrected = read(
        {"messages": turns, "task": "slots", "confidence": 0.5, "id": "x"},
        {"messages": turns, "expected": "better", "id": "y"},
    )
    assert plain.expected == "the answer" and plain.messages == ({"role": "user", "content": "q"},)
    assert corrected.expected == "better"


def test_a_check_of_the_command_serves_lines_without_one() -> None:
    first, second = read(
        {"prompt": "p", "expected": "x"}, {"prompt": "p", "expected": "x", "check": "exact"}, check="contains"
    )
    assert (first.check, second.check) == ("contains", "exact")


GOOD = {"prompt": "p", "expected": "x"}


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"{not json", "no case"),
        (b"[1]", "no case"),
        ({"prompt": 3, "expected": "x"}, "$.prompt"),
        ({"expected": "x"}, "`prompt` or `messages`"),
        ({**GOOD, "messages": []}, "`prompt` or `messages`"),
        ({"messages": [], "expected": "x"}, "asks nothing"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "`role`"),
        ({"messages": [{"role": "assistant", "content": None}]}, "without a text"),
        ({"prompt": "p"}, "needs `expected`"),
        ({**GOOD, "check": "vibes"}, "no check 'vibes'"),
        ({**GOOD, "check": "number"}, "must be a number"),
        ({**GOOD, "check": "regex", "expected": "(a"}, "without its ')'"),
        ({**GOOD, "check": "regex", "expected": 5}, "must be a string"),
        ({**GOOD, "check": "label", "expected": [1]}, "list of strings"),
        ({**GOOD, "check": "contains", "expected": []}, "list of strings"),
        ({**GOOD, "check": "schema"}, "needs `schema`"),
        ({**GOOD, "check": "schema", "schema": {"if": {}}}, "'if'"),
        ({**GOOD, "check": "tests"}, "needs `tests`"),
        ({**GOOD, "check": "tests", "tests": "x", "entry_point": "a b"}, "must be a name"),
        ({**GOOD, "tolerance": -1}, "negative"),
        ({**GOOD, "request": {"model": "other", "stream": False}}, "model, stream"),
    ],
    ids=str,
)
def test_a_broken_line_is_named_by_its_number(line: Any, word: str) -> None:
    with pytest.raises(CallerFault) as refused:
        read({**GOOD, "id": "fine"}, b"", line)
    assert refused.value.message.startswith("cases.jsonl:3: ") and word in refused.value.message


def test_all_broken_lines_are_told_up_to_a_number() -> None:
    with pytest.raises(CallerFault) as refused:
        read(*[b"x"] * 14)
    assert refused.value.message.count("\n") == 10 and "4 more lines" in refused.value.message
    with pytest.raises(CallerFault, match="is that of line 1"):
        read({**GOOD, "id": "a"}, {**GOOD, "id": "a"})
    with pytest.raises(CallerFault, match="holds no case"):
        read(b"")
    with pytest.raises(CallerFault, match="no case"):
        read(b'{"prompt": "\xff", "expected": "x"}')


def test_hashes_tell_what_matters_apart() -> None:
    one, same, other_check, other_text = (
        read(line)[0]
        for line in (
            {**GOOD, "id": "a"},
            {**GOOD, "id": "b", "kind": "k"},
            {**GOOD, "check": "contains"},
            {**GOOD, "prompt": "q"},
        )
    )
    assert one.asked == same.asked == other_check.asked != other_text.asked
    assert one.judged == same.judged == other_text.judged != other_check.judged
    assert suite_hash([one, other_text]) == suite_hash([other_text, one]) != suite_hash([one])
    assert suite_hash([one]) != suite_hash([same])  # a score by kind belongs to its kinds


def test_checks_that_need_more_say_so_before_anything_is_asked() -> None:
    graded = read({"prompt": "p", "check": "judge"})
    tested = read({"prompt": "p", "check": "tests", "tests": ["assert f()", "assert g()"]})
    assert tested[0].tests == "assert f()\nassert g()"
    with pytest.raises(CallerFault, match="--judge"):
        require_possible(graded, has_judge=False, allows_code=True)
    with pytest.raises(CallerFault, match="--allow-code"):
        require_possible(tested, has_judge=True, allows_code=False)
    require_possible([*graded, *tested], has_judge=True, allows_code=True)


def test_the_suite_that_ships_can_be_judged_without_asking_anybody() -> None:
    cases = read_cases((files("wicket.suites") / "compact.jsonl").read_bytes(), "compact")
    kinds = {case.kind for case in cases}
    names = "chat extraction classification code maths reasoning knowledge translation long"
    assert kinds == set(names.split())
    assert len(cases) >= 60 and all(case.check in CHECKS for case in cases)
    assert len({case.asked for case in cases}) == len(cases)
    for case in cases:
        assert not judge(case, "I am not sure about that.").is_right, case.id
        if case.check in ("json", "number", "label", "contains"):
            texts = case.expected if isinstance(case.expected, list) and case.check == "contains" else None
            assert judge(case, " and ".join(texts) if texts else expected_text(case)).is_right, case.id
