"""Linear-time patterns find what Python's own `re` finds, and can't be made to run for ever."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wicket.errors import CallerFault
from wicket.suites.pattern import MAX_CHARACTERS, compiled

CASES = [
    ("abc", ["abc", "xxabcxx", "ab"]),
    ("^a|b$", ["a", "xb", "xa", "bx", "b\n"]),
    (r"\bcat\b", ["cat", "a cat!", "concat", "cat_"]),
    (r"\Bcat", ["concat", "cat"]),
    ("a{2,3}b", ["ab", "aab", "aaab", "aaaaab"]),
    ("(ab)*c{2}$", ["cc", "ababcc", "abc"]),
    ("[^0-9]+", ["123", "12a3"]),
    (r"[\w.-]+@[\w-]+\.\w{2,}", ["a.b@c-d.io", "@x.io"]),
    (r"[]a-c\]-]", ["]", "-", "b", "d"]),
    ("(?i)straSSe", ["STRASSE", "strasse", "x"]),
    ("(?s)a.b", ["a\nb", "ab"]),
    ("a.b", ["a\nb", "axb"]),
    ("(?m)^b$", ["a\nb\nc", "ab"]),
    (r"\Ab\Z", ["b", "b\n"]),
    ("(a|b|)c", ["c", "ac", "x"]),
    ("x{,2}y", ["y", "xxxy"]),
    ("x{a}", ["x{a}", "xa"]),
    (r"\d+\s?\u00b0|\x41", ["12\u00b0", "A", "12"]),
    ("(?:a(?P<name>b)?)+?$", ["abab", "aab", "b"]),
    ("", ["", "x"]),
]


@pytest.mark.parametrize(("pattern", "texts"), CASES, ids=[pattern for pattern, _ in CASES])
def test_it_is_pythons_own_answer(pattern: str, texts: list[str]) -> None:
    found = [compiled(pattern).found_in(text) for text in texts]
    assert found == [re.search(pattern, text) is not None for text in texts]


ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", r"\w", r"\s", r"\b", "^", "$", " "])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join).map("({})".format),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{1,2}", "{2}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.text("abc \n", max_size=8))
def test_any_pattern_of_the_kind_is_pythons_own_answer(pattern: str, text: str) -> None:
    assert compiled(pattern).found_in(text) == (re.search(pattern, text) is not None)


def test_what_makes_other_engines_run_for_ever_ends() -> None:
    for pattern in ("(a+)+$", "(a|a)*b", "(.*)*x", "(a?){25}a{25}b"):
        assert not compiled(pattern).found_in("a" * 2_000 + "!")
    assert compiled("x$").found_in(
        "a" * (MAX_CHARACTERS - 1) + "x" + "b" * 99
    )  # what lies behind is not read


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        (r"(a)\1", "not supported"),
        ("(?=a)", "look-around"),
        ("(?<!a)b", "look-around"),
        ("a++", "possessive"),
        ("a**", "repeat of a repeat"),
        ("*a", "repeat of nothing"),
        ("^*", "condition"),
        ("(a", "without its ')'"),
        ("a)", "without its '('"),
        ("[a", "end"),
        ("[z-a]", "out of order"),
        ("a{3,2}", "out of order"),
        ("a{5000}", "1000"),
        ("\\", "end"),
        (r"\xzz", "character code"),
        ("(" * 50 + ")" * 50, "deeper"),
        ("a" * 1_001, "1000 characters"),
    ],
)
def test_what_it_can_not_do_is_refused_by_name(pattern: str, word: str) -> None:
    with pytest.raises(CallerFault) as refused:
        compiled(pattern)
    assert word in refused.value.message and refused.value.code == "bad_pattern"


def test_repeats_of_repeats_are_bounded_before_they_are_written_out() -> None:
    with pytest.raises(CallerFault) as refused:
        compiled("((((a{1000}){1000}){1000}){1000})")
    assert refused.value.code == "pattern_too_large"
