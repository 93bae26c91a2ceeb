"""What is seen of a question: options, bounds, and the same numbers each time."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wicket.minis import router
from wicket.minis.kinds import KINDS, kind_of
from wicket.minis.question import HEAD_CHARACTERS, TAIL_CHARACTERS, question_of
from wicket.minis.signals import signals

CHOICE = "Which one of these is\nA. not a colour?\nA. Red\nB. Blue,\n  dark\nC. Seven\nAnswer:"
NAMES = list(signals(question_of("x")))


def test_the_last_run_of_marks_is_the_options() -> None:
    found = question_of(CHOICE)
    assert found.options == ["Red", "Blue,\n  dark", "Seven"]
    assert found.stem.endswith("A. not a colour?") and found.num_characters == len(CHOICE)
    assert question_of("Say\n(A) one\n(B) two").options == ["one", "two"]
    assert question_of("A list:\nB. second\nC. third").options == []
    assert question_of("Only\nA. one").options == []


def test_the_form_of_options_is_seen() -> None:
    combined = signals(question_of("Q?\nA. True, True\nB. True, False\nC. False, True\nD. False, False"))
    assert combined["option_combined"] == 1 and combined["option_true_false"] == 1
    numbers = signals(question_of("What is it?\nA. 2\nB. 4\nC. 8\nD. 16"))
    assert numbers["option_sorted"] == 1 and numbers["option_quantities"] == 1 and numbers["asks"] == 1
    last = signals(question_of("Which is NOT so?\nA. this\nB. that\nC. neither of them\nD. all of the above"))
    assert last["option_all"] == last["option_none"] == last["loudly_negated"] == last["says_which"] == 1
    assert signals(question_of("def f(x):\n  return x == 2"))["code"] == 1


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400) | st.text("AB. \nC)(:é1=", max_size=200))
def test_any_text_has_all_signals_and_a_kind(text: str) -> None:
    question = question_of(text)
    found = signals(question)
    assert list(found) == NAMES and all(map(math.isfinite, found.values()))
    assert found == signals(question_of(text)) and kind_of(question) in KINDS


def test_a_megabyte_is_cut_to_its_ends() -> None:
    text = "begin " + "x y = 3 " * 131_072 + " what is the end?"
    found = question_of(text)
    assert len(found.text) <= HEAD_CHARACTERS + TAIL_CHARACTERS + 1 and found.num_characters == len(text)
    assert found.text.startswith("begin") and signals(found)["asks"] == 1 and kind_of(found) == "long"


@pytest.mark.parametrize(
    "unit", ["a", "A. ", "\nA. b", "1,", "is this a ", "every ", "mention ", "{", "\n ", "9+"]
)
def test_a_megabyte_of_anything_is_read_within_the_bound(unit: str) -> None:
    question = question_of(unit * ((1 << 20) // len(unit)))
    assert len(question.text) <= HEAD_CHARACTERS + TAIL_CHARACTERS + 1
    assert all(map(math.isfinite, signals(question).values())) and kind_of(question) in KINDS


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Translate into German: Good morning!", "translation"),
        ("¿Dónde está la estación más próxima, por favor?", "translation"),
        ("Wo finde ich hier in der Stadt einen guten und günstigen Zahnarzt", "translation"),
        ("Write a Python function that adds two numbers.", "code"),
        ("Is this review positive or negative? It was dull.", "classification"),
        ("Which city is named in this sentence? Maria moved to Lisbon.", "extraction"),
        ("What is 17 + 25?", "maths"),
        ("Ada is taller than Ben. Who is taller?", "reasoning"),
        ("What is the capital of France?", "knowledge"),
        ("Hello there!", "chat"),
        ("Read this. " * 100 + "What does it say?", "long"),
        ("", "chat"),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    assert kind_of(question_of(text)) == kind


def test_the_shipped_router_knows_exactly_these_signals() -> None:
    assert router.shipped().names == NAMES
    assert all(re.fullmatch(r"[a-z_]+", name) for name in NAMES)
