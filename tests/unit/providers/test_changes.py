from typing import Any

import msgspec
import pytest

from wicket.providers.changes import MIN_PRICED, check, compare
from wicket.providers.facts import Fact, Facts, Tier

ROWS = {"p", "q"}


def fact(model: str, provider: str = "p", **fields: Any) -> Fact:
    prices = {"input_pico": 1_000_000, "output_pico": 2_000_000}
    return Fact(provider=provider, model=model, date="2026-11-27", sources=("litellm",), **prices | fields)


def facts(*models: Fact, num: int = MIN_PRICED) -> Facts:
    filler = tuple(fact(f"m{place}") for place in range(num))
    return Facts(generated="2026-11-27", sources={}, models={"p": (*filler, *models)})


def test_a_sound_catalogue_has_no_faults() -> None:
    assert check(facts(), ROWS) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (fact("m0"), "twice"),
        (fact("x", provider="q"), "q's"),
        (fact("x", cached_pico=3_000_000), "cached input costs more"),
        (fact("x", context_tokens=5, max_output_tokens=6), "beyond its context"),
        (fact("x", tiers=(Tier(above_tokens=9), Tier(above_tokens=5))), "not in order"),
        (msgspec.structs.replace(fact("x"), sources=()), "no source"),
    ],
)
def test_faults_are_told(wrong: Fact, says: str) -> None:
    (fault,) = check(facts(wrong), ROWS)
    assert says in fault


def test_too_few_prices_are_a_fault() -> None:
    assert "only 3 models have a price" in check(facts(num=3), ROWS)[0]


def test_rows_of_a_newer_version_are_let_be() -> None:
    new = msgspec.structs.replace(facts(), models={**facts().models, "new": (fact("a"),)})
    assert check(new, ROWS) == []


def test_what_changes_is_told() -> None:
    changes = compare(
        facts(fact("old"), fact("same")), facts(fact("new"), fact("same", input_pico=2_000_000))
    )
    assert (changes.added, changes.removed, changes.absurd) == (("p/new",), ("p/old",), ())
    assert changes.repriced == ("p/same: input $1 → $2",)
    assert changes.lines() == ["+ p/new", "- p/old", "~ p/same: input $1 → $2"]


def test_long_lists_are_cut() -> None:
    lines = compare(facts(num=0), facts()).lines(most=2)
    assert lines == ["+ p/m0", "+ p/m1", f"+ … and {MIN_PRICED - 2} more"]


@pytest.mark.parametrize(
    ("now", "is_absurd"),
    [
        ({"input_pico": 9_000_000}, False),
        ({"input_pico": 11_000_000}, True),
        ({"output_pico": 100_000}, True),
        ({"output_pico": 250_000}, False),
        ({"input_pico": 0}, True),
        ({"input_pico": None}, True),
        ({"cached_pico": 500_000}, False),
    ],
)
def test_a_slip_of_the_decimal_point_is_absurd(now: dict[str, Any], is_absurd: bool) -> None:
    changes = compare(facts(fact("x")), facts(fact("x", **now)))
    assert bool(changes.absurd) is is_absurd and changes.repriced


def test_a_price_where_there_was_none_is_news() -> None:
    changes = compare(facts(fact("x", input_pico=None, output_pico=0)), facts(fact("x")))
    assert changes.absurd == ()


def test_the_loss_of_many_models_is_absurd() -> None:
    few = facts(num=MIN_PRICED // 2)
    assert any("would be gone" in line for line in compare(facts(), few).absurd)
    assert compare(facts(), facts(num=MIN_PRICED - 5)).absurd == ()
    with_q = msgspec.structs.replace(
        facts(), models={**facts().models, "q": tuple(fact(f"q{n}", "q") for n in range(8))}
    )
    assert compare(with_q, facts()).absurd == ("8 of 8 priced models of q would be gone",)
