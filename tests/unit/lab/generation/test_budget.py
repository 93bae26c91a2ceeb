"""Money and tokens can't be overrun, whatever ends in which order."""

import asyncio
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wicket.lab.generation.budget import Budget
from wicket.lab.generation.plan import Spending


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 50), max_size=40), st.integers(0, 300), st.integers(1, 8), st.integers(0, 99))
def test_it_is_never_overrun(bounds: list[int], most: int, workers: int, seed: int) -> None:
    draw = random.Random(seed)
    budget = Budget(most, None, Spending())
    left = list(bounds)

    async def work() -> None:
        while left:
            bound = left.pop()
            if not await budget.hold(Spending(bound, bound)):
                continue
            assert budget.spent.nanos + budget.held.nanos <= most
            for _ in range(draw.randrange(3)):
                await asyncio.sleep(0)
            budget.settle(Spending(bound, bound), Spending(draw.randint(0, bound), 0))

    async def all_of_them() -> None:
        await asyncio.gather(*(work() for _ in range(workers)))

    asyncio.run(all_of_them())
    assert budget.spent.nanos <= most and budget.held == Spending()
    if sum(bounds) <= most:
        assert not left


def test_it_waits_for_what_is_under_way_and_no_longer() -> None:
    async def play() -> None:
        budget = Budget(None, 100, Spending(0, 20))
        assert await budget.hold(Spending(5, 60))
        waiting = asyncio.create_task(budget.hold(Spending(5, 40)))
        await asyncio.sleep(0)
        assert not waiting.done()  # it may fit when the first turns out cheap
        budget.settle(Spending(5, 60), Spending(1, 10))
        assert await waiting
        assert not await budget.hold(Spending(0, 100))  # would not fit if all were free

    asyncio.run(play())


@pytest.mark.parametrize("most", [None, 0])
def test_no_bound_and_nothing_left(most: int | None) -> None:
    async def play() -> bool:
        return await Budget(most, None, Spending()).hold(Spending(1, 10**9))

    assert asyncio.run(play()) is (most is None)
