"""What answers come to: counts, intervals, pairs, kinds; and the page that is made of them."""

import json

import pytest

from wicket.minis.confidence import interval
from wicket.pages.render import render
from wicket.suites.case import Case, read_cases
from wicket.suites.comparison import (
    Answered,
    Comparison,
    case_shares,
    kind_results,
    model_results,
    pair_results,
    worse,
)
from wicket.suites.comparison_page import MAX_SAMPLES, comparison_page, verdict


def answered(case: str, model: str, right: bool, **fields: object) -> Answered:
    given = {"total_ms": 100.0, "first_token_ms": 10.0, "cost_nanos": 1_000, "text": "t", **fields}
    return Answered(case=case, asked="", model=model, right=right, score=float(right), **given)  # type: ignore[arg-type]


def cases(num: int) -> list[Case]:
    lines = [
        {"prompt": f"<b>{n}</b>", "expected": "x", "id": f"c{n}", "kind": "even" if n % 2 == 0 else "odd"}
        for n in range(num)
    ]
    return read_cases("\n".join(map(json.dumps, lines)).encode(), "x")


ANSWERS = [
    *[answered(f"c{n}", "a", n != 0) for n in range(10)],
    *[answered(f"c{n}", "b", n < 2) for n in range(9)],
    answered("c9", "b", True, error="timeout", message="too late", cost_nanos=None),
]


def test_a_model_is_counted() -> None:
    a, b = model_results(["a", "b"], ANSWERS, 12)
    assert (a.right, a.num, a.share, a.errors, a.missing) == (9, 10, 0.9, 0, 2)
    assert a.interval == interval(9, 10) and a.cost_usd == pytest.approx(1e-5)
    assert (b.right, b.num, b.errors, b.error_codes) == (
        2,
        10,
        1,
        {"timeout": 1},
    )  # an error is wrong, whatever else
    assert b.cost_usd is None and b.total_ms.p50 == 100.0
    (nobody,) = model_results(["c"], ANSWERS, 3)
    assert (nobody.num, nobody.share, nobody.interval, nobody.missing) == (0, 0.0, (0.0, 1.0), 3)
    assert nobody.total_ms.p50 is None


def test_pairs_are_of_the_cases_that_both_answered() -> None:
    answers = [*ANSWERS, answered("only-a", "a", True)]
    (pair,) = pair_results(["a", "b"], answers)
    assert (pair.a, pair.b, pair.num, pair.only_a, pair.only_b) == ("a", "b", 10, 8, 1)
    assert pair.difference == pytest.approx(-0.7) and pair.interval[0] <= -0.7 <= pair.interval[1]
    assert pair.p_value == pytest.approx(20 / 512) and worse(pair)
    assert [(p.a, p.b) for p in pair_results(["a", "b", "c"], answers)] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]
    assert [(p.a, p.b) for p in pair_results(["a", "b", "c"], answers, "b")] == [("b", "a"), ("b", "c")]
    (back,) = pair_results(["b", "a"], answers)
    assert back.difference == pytest.approx(0.7) and not worse(back)


def test_repeats_make_a_case_more_exact_and_no_more_cases() -> None:
    once = [answered(f"c{n}", m, (n + (m == "b")) % 3 > 0) for n in range(12) for m in "ab"]
    thrice = [answered(one.case, one.model, one.right, repeat=r) for one in once for r in range(3)]
    first, again = pair_results(["a", "b"], once)[0], pair_results(["a", "b"], thrice)[0]
    assert first == again and first.num == 12
    (a,) = model_results(["a"], thrice, 36)
    (single,) = model_results(["a"], once, 12)
    assert a.num == 36 and a.share == single.share
    assert a.interval[1] - a.interval[0] > 0.8 * (single.interval[1] - single.interval[0])
    mixed = case_shares([answered("c", "a", r < 2, repeat=r) for r in range(3)], "a")
    assert mixed == {"c": pytest.approx(2 / 3)}


def test_kinds_are_apart() -> None:
    kinds = kind_results(["a", "b"], ANSWERS, cases(10))
    assert (kinds["even"]["a"].right, kinds["even"]["a"].num, kinds["odd"]["b"].right) == (4, 5, 1)


def comparison(answers: list[Answered], models: tuple[str, ...] = ("a", "b"), **fields: object) -> Comparison:
    given = {
        "created_ms": 1_700_000_000_000,
        "suite": "0123",
        "cases": 10,
        "repeats": 1,
        "settings": {"concurrency": 4, "temperature": 0.0, "max_tokens": 64},
        "spent_usd": 0.001,
        "judge_usd": 0.0,
        "models": model_results(models, answers, 10),
        "pairs": pair_results(models, answers),
        "kinds": kind_results(models, answers, cases(10)),
    }
    return Comparison(**{**given, **fields})  # type: ignore[arg-type]


def test_the_page_shows_what_came_out() -> None:
    page = render(comparison_page(comparison(ANSWERS), cases(10), ANSWERS))
    for words in (
        "b is worse than a",
        "90 %",
        "no answer: timeout",
        "too late",
        "&lt;b&gt;1&lt;/b&gt;",
        "2023-11-14",
    ):
        assert words in page, words
    assert "<b>" not in page and page.count("<svg") == 3 and "This is a part only" not in page
    assert page.index("c2 · even") < page.index("c1 · odd")  # where they differ comes first


def test_the_page_of_a_part_says_so() -> None:
    stopped = comparison(ANSWERS[:3], stopped="the budget ended. 17 answers are missing.")
    page = render(comparison_page(stopped, cases(10), ANSWERS[:3]))
    assert "This is a part only: the budget ended. 17 answers are missing." in page and "not asked" in page
    many = [answered(f"c{n}", "a", True) for n in range(100)]
    page = render(comparison_page(comparison(many, ("a",)), cases(100), many))
    assert page.count("<article>") == MAX_SAMPLES
    render(comparison_page(comparison([]), cases(10), []))


def test_a_pair_in_a_sentence() -> None:
    (pair,) = pair_results(["a", "b"], ANSWERS)
    assert verdict(pair)[1] == "bad" and "p = 0.039" in verdict(pair)[0]
    (even,) = pair_results(["a", "b"], [answered("c", "a", True), answered("c", "b", False)])
    assert "no clear difference on 1 cases" in verdict(even)[0]
