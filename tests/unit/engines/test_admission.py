import asyncio

import pytest

from wicket.engines.host.admission import Gate
from wicket.errors import BusyFault


def test_only_so_many_enter_and_the_rest_hear_when_to_return() -> None:
    gate = Gate(slots=1, queue=1)
    with gate.entered(), gate.entered():
        with pytest.raises(BusyFault) as caught, gate.entered():
            pass
        assert caught.value.status == 429 and (caught.value.retry_after_ms or 0) >= 1000
    with gate.entered():
        assert gate.num_inside == 1


def test_places_go_to_those_who_came_first() -> None:
    async def run() -> list[str]:
        gate = Gate(slots=2, queue=9)
        order: list[str] = []
        free = asyncio.Event()

        async def work(name: str, count: int) -> None:
            async with gate.places(count):
                order.append(name)
                await free.wait()

        tasks = [asyncio.create_task(work("first", 1))]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(work("wide", 8)))  # more than there are: all of them
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(work("late", 1)))
        await asyncio.sleep(0)
        assert order == ["first"]
        free.set()
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(run()) == ["first", "wide", "late"]


def test_one_who_leaves_the_queue_does_not_block_it() -> None:
    async def run() -> None:
        gate = Gate(slots=1, queue=9)
        async with gate.places(1):
            leaver = asyncio.create_task(gate.places(1).__aenter__())
            await asyncio.sleep(0)
            leaver.cancel()
            await asyncio.gather(leaver, return_exceptions=True)
        async with asyncio.timeout(5), gate.places(1):
            pass

    asyncio.run(run())


def test_one_who_leaves_as_his_turn_comes_gives_the_place_back() -> None:
    async def run() -> None:
        gate = Gate(slots=1, queue=9)
        async with gate.places(1):
            leaver = asyncio.create_task(gate.places(1).__aenter__())
            await asyncio.sleep(0)
        leaver.cancel()  # his turn has come, and he has not noticed yet
        await asyncio.gather(leaver, return_exceptions=True)
        async with asyncio.timeout(5), gate.places(1):
            pass

    asyncio.run(run())
