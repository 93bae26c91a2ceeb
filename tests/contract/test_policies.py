"""Every policy file: an order of its candidates, the same for the same facts; only a mini may be left out."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wicket.routing.policies
from wicket.routing.deployment import Deployment, Route
from wicket.routing.plan import Facts, plan, policy
from wicket.wire.origin import Origin

FOLDER = Path(wicket.routing.policies.__file__).parent
NAMES = [path.stem for path in sorted(FOLDER.glob("*.py")) if path.stem != "__init__"]


def candidates(count: int) -> tuple[Deployment, ...]:
    return tuple(
        Deployment(
            id=f"p{i}/m",
            provider=f"p{i}",
            model="m",
            origin=Origin("http", f"up{i}", 80),
            engine=f"e{i}" if i % 3 == 2 else "",
        )
        for i in range(count)
    )


MINI = Deployment(
    id="mini/t",
    provider="mini",
    model="t",
    origin=Origin("unix", "/run/t", 0),
    engine="mini:t",
    task="t",
)


def after_mini(name: str, **facts: Any) -> list[str]:
    route = Route(name="r", deployments=(MINI, *candidates(4)), policy=name)
    return [one.id for one in plan(route, Facts(**facts))]


def test_there_are_policies() -> None:
    assert "ordered" in NAMES


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100, deadline=None)
@given(
    count=st.integers(0, 9),
    seed=st.integers(0, 1 << 62),
    unready=st.sets(st.sampled_from(["e2", "e5", "e8"])),
)
def test_without_a_mini_it_is_a_permutation_and_deterministic(
    name: str, count: int, seed: int, unready: set[str]
) -> None:
    given_ones = candidates(count)
    facts = Facts(now_us=1, seed=seed, unready=frozenset(unready))
    ordered = list(policy(name).order(given_ones, facts))
    assert sorted(one.id for one in ordered) == sorted(one.id for one in given_ones)
    assert list(policy(name).order(given_ones, facts)) == ordered


def test_ordered_keeps_the_order_and_puts_the_unready_last() -> None:
    route = Route(name="r", deployments=candidates(4))
    assert [one.id for one in plan(route, Facts())] == ["p0/m", "p1/m", "p2/m", "p3/m"]
    assert [one.id for one in plan(route, Facts(unready=frozenset({"e2"})))] == [
        "p0/m",
        "p1/m",
        "p3/m",
        "p2/m",
    ]


def test_a_cascade_asks_its_mini_first_or_not_at_all() -> None:
    all_of_them = ["mini/t", "p0/m", "p1/m", "p2/m", "p3/m"]
    assert after_mini("cascade", floor=0.97) == all_of_them
    assert after_mini("cascade", floor=1.0) == all_of_them
    assert after_mini("cascade", floor=2.0) == all_of_them[1:]
    assert after_mini("cascade", unready=frozenset({"mini:t"})) == all_of_them[1:]
    assert after_mini("cascade", unready=frozenset({"e2"})) == ["mini/t", "p0/m", "p1/m", "p3/m", "p2/m"]
    assert after_mini("cascade", floor=2.0, unready=frozenset({"e2"})) == ["p0/m", "p1/m", "p3/m", "p2/m"]


def test_a_cascade_in_its_usual_order_is_the_routes_own_tuple() -> None:
    route = Route(name="r", deployments=(MINI, *candidates(2)), policy="cascade")
    assert plan(route, Facts(floor=0.9)) is route.deployments, "so that what is remembered of it is found"


def test_an_unknown_policy_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        policy("no-such-policy")
