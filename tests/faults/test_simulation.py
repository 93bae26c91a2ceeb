"""The walk's promises over a hundred thousand random histories, and a plan's over random routes."""

import random
import time

import pytest

from tests.unit.gateway.simulator import check, crowd
from tests.unit.gateway.test_walk_simulation import survey
from wicket.routing.deployment import Deployment, Route
from wicket.routing.plan import POLICIES, Facts, plan
from wicket.wire.origin import Origin

pytestmark = pytest.mark.faults

NUM_HISTORIES = 100_000


def test_a_hundred_thousand_histories(capsys: pytest.CaptureFixture[str]) -> None:
    begun = time.monotonic()
    seen = survey(range(1_000_000, 1_000_000 + NUM_HISTORIES))
    with capsys.disabled():
        print(f"\n{NUM_HISTORIES} histories in {time.monotonic() - begun:.0f} s: {dict(seen)}")
    assert all(seen[name] > 100 for name in ("ok", "client_gone", "fault", "hedged", "continued", "many"))


def test_hedges_of_crowds_stay_within_their_share() -> None:
    for seed in range(100, 160):
        over, _ = crowd(seed, 300)
        for one in over:
            check(one)


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_a_plan_is_a_permutation(policy: str) -> None:
    rng = random.Random(policy)
    for _ in range(2_000):
        found = tuple(
            Deployment(
                id=f"p{number}/m",
                provider=f"p{number}",
                model="m",
                origin=Origin("http", "127.0.0.1", 80),
                credential=rng.randint(0, 2),
            )
            for number in range(rng.randint(1, 8))
        )
        order = plan(
            Route(name="r", deployments=found, policy=policy), Facts(now_us=1, seed=rng.getrandbits(60))
        )
        assert sorted(one.id for one in order) == sorted(one.id for one in found)
