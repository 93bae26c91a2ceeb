"""Random histories of the walk, each of which must keep the promises; `make test-faults` runs many more."""

from __future__ import annotations

from collections import Counter

from tests.unit.gateway.simulator import check, crowd, random_run
from wicket.gateway.events import Join


def survey(seeds: range) -> Counter[str]:
    """What histories came to; fails with the seed of one that broke a promise."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        try:
            run = random_run(seed)
            check(run)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        seen[run.settled[0] if run.settled[0] in ("ok", "client_gone") else "fault"] += 1
        seen["hedged"] += run.num_hedges
        seen["continued"] += bool(run.joined)
        seen["joined and ended"] += run.settled == ["ok"] and any(isinstance(one, Join) for one in run.log)
        seen["many"] += len(run.sends) > 3
    return seen


def test_random_histories_keep_the_promises() -> None:
    seen = survey(range(5_000))
    least = {"ok": 1_000, "client_gone": 200, "fault": 1_000, "hedged": 50, "many": 200}
    assert all(seen[name] >= number for name, number in least.items()), seen
    assert seen["continued"] > 20 and seen["joined and ended"] > 5, seen


def test_hedges_of_many_requests_at_once_stay_within_their_share() -> None:
    hedges = 0
    for seed in range(12):
        over, hedge = crowd(seed, 150)
        for one in over:
            check(one)
        num_hedges = sum(one.num_hedges for one in over)
        assert num_hedges * 1_000_000 <= len(over) * hedge.max_share_ppm
        hedges += num_hedges
    assert hedges > 30
