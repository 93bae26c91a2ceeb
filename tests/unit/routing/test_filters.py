"""What keeps a deployment out, and that nothing is lost or invented on the way."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.routing.sample import Told, deployment
from wicket.routing.deployment import FEATURES, Deployment, Limits, Route
from wicket.routing.filters import NO_NEEDS, Needs, questions, sieve, with_questions
from wicket.routing.plan import POLICIES, Facts, choose
from wicket.routing.preferences import Preferences

FACTS = st.fixed_dictionaries(
    {
        "lacks": st.lists(st.sampled_from(FEATURES), unique=True).map(tuple),
        "region": st.sampled_from(["", "eu", "eu-west-1", "us"]),
        "data_collection": st.sampled_from(["", "allow", "deny"]),
        "prices": st.none()
        | st.tuples(st.integers(0, 9), st.integers(0, 9), st.none(), st.none(), st.just(0)),
        "context_tokens": st.sampled_from([0, 100, 9_000]),
        "max_output_tokens": st.sampled_from([0, 50]),
        "credential": st.integers(0, 2),
    }
)
PROVIDERS = ("a", "b", "c", "d")
# A machine that is busy with other work draws slowly.
BUSY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DEPLOYMENTS = st.lists(st.tuples(st.sampled_from(PROVIDERS), FACTS), min_size=1, max_size=7)
LIMITS = st.builds(
    Limits,
    param=st.just("provider"),
    max_input_pico=st.none() | st.integers(0, 9),
    regions=st.sampled_from([(), ("eu",), ("us",)]),
    no_collection=st.booleans(),
    require=st.lists(st.sampled_from(FEATURES), max_size=1).map(tuple),
)
NAMES = st.lists(st.sampled_from(PROVIDERS), unique=True, max_size=3).map(tuple)
PREFERENCES = st.builds(
    Preferences,
    order=NAMES,
    only=st.none() | NAMES,
    ignore=NAMES,
    policy=st.sampled_from(["", *POLICIES]),
    allow_fallbacks=st.booleans(),
    limits=st.none() | LIMITS,
)
NEEDS = st.builds(
    Needs,
    features=st.lists(st.sampled_from(FEATURES), max_size=2).map(tuple),
    least_input_tokens=st.sampled_from([0, 500]),
    output_tokens=st.sampled_from([0, 60]),
)


@BUSY
@given(DEPLOYMENTS, DEPLOYMENTS, NEEDS, st.none() | PREFERENCES, st.none() | LIMITS, st.integers(0, 99))
def test_a_plan_and_what_was_filtered_are_the_candidates(
    first: Any, second: Any, needs: Needs, wanted: Preferences | None, limits: Limits | None, seed: int
) -> None:
    routes = [
        Route(
            name=str(number),
            deployments=tuple(
                deployment(f"{name}/m{number}-{place}", **facts) for place, (name, facts) in enumerate(found)
            ),
            policy="weighted",
            limits=limits,
        )
        for number, found in enumerate((first, second))
    ]
    everyone = tuple(one for route in routes for one in route.deployments)
    both = Route(name="0", deployments=everyone, parts=tuple(routes))
    facts = Facts(now_us=10, seed=seed, health=Told(b={"reopens_us": 99}))
    for route in (routes[0], both):
        found = choose(route, facts, needs, wanted)
        identities = [id(one) for one in (*found.order, *(gone.deployment for gone in found.removed))]
        assert sorted(identities) == sorted(map(id, route.deployments))
        assert all(gone.reason for gone in found.removed)
        cools = [one.provider == "b" for one in found.order]
        assert cools == sorted(cools)


@BUSY
@given(DEPLOYMENTS, NEEDS, st.lists(LIMITS, max_size=2))
def test_who_is_left_keeps_to_every_limit(found: Any, needs: Needs, limits: list[Limits]) -> None:
    candidates = [deployment(f"{name}/m", **facts) for name, facts in found]
    kept, removed = sieve(candidates, needs, limits)
    assert kept == [one for one in candidates if one in kept] and len(kept) + len(removed) == len(candidates)
    for one in kept:
        for limit in limits:
            if limit.max_input_pico is not None:
                assert one.prices is not None and one.prices[0] <= limit.max_input_pico
            assert not limit.regions or one.region.split("-")[0] in limit.regions
            assert not limit.no_collection or one.data_collection == "deny"
        assert not set(needs.features) & set(one.lacks)
        assert not one.context_tokens or one.context_tokens >= needs.least_input_tokens


def why(one: Deployment, needs: Needs = NO_NEEDS, **limits: Any) -> str:
    """Why it is not asked, "" if it is."""
    removed = sieve([one], needs, [Limits(**limits)])[1]
    return removed[0].reason if removed else ""


PRICED = deployment("a/m", prices=(2_500_000, 10_000_000, None, None, 5_000_000))


@pytest.mark.parametrize(
    ("one", "limits", "reason"),
    [
        (PRICED, {"max_input_pico": 2_500_000}, ""),
        (PRICED, {"max_input_pico": 1_000_000}, "input costs 2.5 USD, above 1"),
        (PRICED, {"max_output_pico": 9_000_000}, "output costs 10 USD, above 9"),
        (PRICED, {"max_request_nanos": 1_000_000}, "request costs 0.005 USD, above 0.001"),
        (deployment("a/m"), {"max_input_pico": 1}, "price unknown"),
        (deployment("a/m", region="EU-west-1"), {"regions": ("us", "eu")}, ""),
        (deployment("a/m", region="europe"), {"regions": ("eu",)}, "runs in europe, not eu"),
        (deployment("a/m"), {"regions": ("us", "eu")}, "region unknown, not us or eu"),
        (deployment("a/m", data_collection="allow"), {"no_collection": True}, "may collect data"),
        (deployment("a/m"), {"no_collection": True}, "data collection unknown"),
        (deployment("a/m", lacks=("vision",)), {"require": ("vision",)}, "sees no images"),
        (deployment("a/m"), {"require": ("vision",)}, ""),
        (deployment("e/m", engine="e"), {"regions": ("eu",), "no_collection": True}, ""),
    ],
)
def test_limits_are_kept_to_the_letter(one: Deployment, limits: dict[str, Any], reason: str) -> None:
    assert why(one, **limits) == reason


@pytest.mark.parametrize(
    ("facts", "needs", "reason"),
    [
        ({}, Needs(("vision", "tools"), 10**9, 10**9), ""),
        ({"lacks": ("tools",)}, Needs(("vision", "tools")), "calls no tools"),
        (
            {"context_tokens": 4_096},
            Needs(least_input_tokens=5_000),
            "has a context of 4,096 tokens, which the request surely exceeds",
        ),
        ({"max_output_tokens": 512}, Needs(output_tokens=1_000), "writes at most 512 tokens, not 1,000"),
        ({"remove": ("seed",)}, Needs(parameters=("seed",)), "takes no 'seed'"),
    ],
)
def test_what_is_unknown_keeps_nobody_out(facts: dict[str, Any], needs: Needs, reason: str) -> None:
    assert why(deployment("a/m", **facts), needs) == reason


def test_only_what_somebody_is_known_to_lack_is_a_question() -> None:
    unknown, some = (
        deployment("a/m"),
        deployment("b/m", features=("tools",), lacks=("vision",), context_tokens=9),
    )
    assert questions([unknown]) == ()
    assert questions([unknown, some]) == ("vision",)
    route = with_questions(Route(name="r", deployments=(unknown, some)))
    assert (route.least_context_tokens, route.least_output_tokens) == (9, 0)
    alone = Route(name="r", deployments=(some,))
    assert with_questions(alone) is alone, "one deployment is asked whatever it lacks"


def test_without_fallbacks_only_the_list_or_the_first_deployment_is_asked() -> None:
    found = (deployment("a/m"), deployment("a/m", credential=1), deployment("b/m"), deployment("c/m"))
    route = Route(name="r", deployments=found)

    def left(**wanted: Any) -> list[str]:
        plan = choose(route, Facts(), NO_NEEDS, Preferences(**wanted))
        return [one.provider for one in plan.order]

    assert left(order=("c", "a")) == ["c", "a", "a", "b"]
    assert left(order=("c", "b"), allow_fallbacks=False) == ["c", "b"]
    assert left(allow_fallbacks=False) == ["a", "a"]
    assert left(order=("d",), allow_fallbacks=False) == []
