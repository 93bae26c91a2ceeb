"""Every policy file: a permutation of its candidates, the same for the same facts."""

from pathlib import Path

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


def test_there_are_policies() -> None:
    assert "ordered" in NAMES


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100, deadline=None)
@given(
    count=st.integers(0, 9),
    seed=st.integers(0, 1 << 62),
    unready=st.sets(st.sampled_from(["e2", "e5", "e8"])),
)
def test_it_is_a_permutation_and_deterministic(name: str, count: int, seed: int, unready: set[str]) -> None:
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


def test_an_unknown_policy_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        policy("no-such-policy")
