"""Every policy file: an order of its candidates, the same for the same facts; only a mini may be left out."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.routing.sample import Told

import wicket.routing.policies
from wicket.routing.deployment import Deployment, Route
from wicket.routing.plan import POLICIES, Facts, last_resorts_last, plan, policy
from wicket.wire.origin import Origin

FOLDER = Path(wicket.routing.policies.__file__).parent
NAMES = [path.stem for path in sorted(FOLDER.glob("*.py")) if path.stem != "__init__"]
SEEDS = st.integers(0, (1 << 63) - 1)
VITALS = st.fixed_dictionaries(
    {
        "reopens_us": st.sampled_from([0, 0, 5, 900, 2_000]),
        "has_room": st.booleans(),
        "num_running": st.integers(0, 4),
        "first_token_us": st.sampled_from([0, 300_000, 900_000]),
        "tokens_per_s": st.sampled_from([0.0, 40.0, 90.0]),
        "headroom": st.floats(0, 1),
    }
)
HEALTH = st.dictionaries(st.sampled_from([f"p{i}" for i in range(9)]), VITALS).map(lambda of: Told(**of))


def candidates(count: int) -> tuple[Deployment, ...]:
    return tuple(
        Deployment(
            id=f"p{i}/m",
            provider=f"p{i}",
            model="m",
            origin=Origin("http", f"up{i}", 80),
            engine=f"e{i}" if i % 3 == 2 else "",
            prices=(i * 7 % 5, i * 3 % 4, None, None, 0) if i % 4 else None,
            weight=float(i % 3),
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
    assert set(NAMES) == {*POLICIES, "cascade"}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    count=st.integers(0, 9),
    seed=SEEDS,
    unready=st.sets(st.sampled_from(["e2", "e5", "e8"])),
    health=st.none() | HEALTH,
)
def test_without_a_mini_it_is_a_permutation_and_deterministic(
    name: str, count: int, seed: int, unready: set[str], health: Told | None
) -> None:
    given_ones = candidates(count)
    facts = Facts(now_us=1_000, seed=seed, unready=frozenset(unready), health=health, input_tokens=9)
    ordered = list(policy(name).order(given_ones, facts))
    assert sorted(one.id for one in ordered) == sorted(one.id for one in given_ones)
    assert list(policy(name).order(given_ones, facts)) == ordered
    for one in ordered:
        said = policy(name).reason(one, facts)
        assert said and said.isprintable() and len(said) < 80


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(count=st.integers(2, 9), seed=SEEDS, health=HEALTH, unready=st.sets(st.sampled_from(["e2", "e5"])))
def test_in_a_plan_the_cooled_are_last_in_the_order_of_their_return(
    name: str, count: int, seed: int, health: Told, unready: set[str]
) -> None:
    facts = Facts(now_us=1_000, seed=seed, unready=frozenset(unready), health=health)
    found = plan(Route(name="r", deployments=candidates(count), policy=name), facts)
    assert sorted(one.id for one in found) == [f"p{i}/m" for i in range(count)]
    failed = [one.engine in unready for one in found]
    assert failed == sorted(failed)
    running = [one for one in found if one.engine not in unready]
    returns = [max(0, health.reopens_us(one) - facts.now_us) for one in running]
    assert returns == sorted(returns)
    is_full = [not health.has_room(one) for one, back in zip(running, returns, strict=True) if not back]
    assert is_full == sorted(is_full)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "cascade"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=SEEDS, cooled=st.integers(0, 3), health=HEALTH)
def test_credentials_of_a_deployment_stay_together_unless_one_cools(
    name: str, seed: int, cooled: int, health: Told
) -> None:
    found = [
        Deployment(id=f"p{i}/m", provider=f"p{i}", model="m", origin=Origin("http", "x", 80), credential=c)
        for i in range(3)
        for c in range(2)
    ]
    for vitals in health.facts.values():
        vitals |= {"reopens_us": 0, "has_room": True}  # type: ignore[operator]
    health.facts["p1.1"] = {"reopens_us": 5_000 if cooled == 1 else 0}
    route = Route(name="r", deployments=tuple(found), policy=name)
    order = plan(route, Facts(now_us=1_000, seed=seed, health=health))
    pairs = [(one.id, one.credential) for one in order]
    if cooled == 1:
        assert pairs.pop() == ("p1/m", 1)
        pairs.insert(pairs.index(("p1/m", 0)) + 1, ("p1/m", 1))
    assert [id for id, _ in pairs[::2]] == [id for id, _ in pairs[1::2]]
    assert [credential for _, credential in pairs] == [0, 1] * 3


def test_ordered_keeps_the_order_and_puts_the_unready_last() -> None:
    route = Route(name="r", deployments=candidates(4))
    assert [one.id for one in plan(route, Facts())] == ["p0/m", "p1/m", "p2/m", "p3/m"]
    assert [one.id for one in plan(route, Facts(unready=frozenset({"e2"})))] == [
        "p0/m",
        "p1/m",
        "p3/m",
        "p2/m",
    ]


def test_an_order_that_nothing_changes_is_the_routes_own_tuple() -> None:
    route = Route(name="r", deployments=candidates(4))
    facts = Facts(now_us=1_000, health=Told(p1={"reopens_us": 400}))
    assert plan(route, facts) is route.deployments
    assert last_resorts_last(route.deployments, facts) is route.deployments, "a cooldown that is over is none"


def test_a_cascade_asks_its_mini_first_or_not_at_all() -> None:
    all_of_them = ["mini/t", "p0/m", "p1/m", "p2/m", "p3/m"]
    assert after_mini("cascade", floor=0.97) == all_of_them
    assert after_mini("cascade", floor=1.0) == all_of_them
    assert after_mini("cascade", floor=2.0) == all_of_them[1:]
    assert after_mini("cascade", unready=frozenset({"mini:t"})) == all_of_them[1:]
    assert after_mini("cascade", unready=frozenset({"e2"})) == ["mini/t", "p0/m", "p1/m", "p3/m", "p2/m"]
    assert after_mini("cascade", floor=2.0, unready=frozenset({"e2"})) == ["p0/m", "p1/m", "p3/m", "p2/m"]


def test_a_mini_that_cools_or_is_full_is_left_out_and_not_put_last() -> None:
    route = Route(name="r", deployments=(MINI, *candidates(2)), policy="cascade", task="t")
    for vitals in ({"reopens_us": 5_000}, {"has_room": False}):
        facts = Facts(now_us=1_000, floor=0.9, health=Told(mini=vitals))
        assert [one.id for one in plan(route, facts)] == ["p0/m", "p1/m"]


def test_a_cascade_in_its_usual_order_is_the_routes_own_tuple() -> None:
    route = Route(name="r", deployments=(MINI, *candidates(2)), policy="cascade", task="t")
    assert plan(route, Facts(floor=0.9)) is route.deployments, "so that what is remembered of it is found"


def test_an_unknown_policy_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        policy("no-such-policy")
