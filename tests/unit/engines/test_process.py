import asyncio

import pytest

from wicket.engines.contract import Describe, Done, Piece
from wicket.engines.core import CoreConfig, load
from wicket.engines.host.process import MAX_DELAY_S, CoreProcess, Mailbox, delay_s
from wicket.errors import EngineFault


def test_delays_double_up_to_a_bound() -> None:
    assert [delay_s(crashes) for crashes in (1, 2, 3)] == [0.2, 0.4, 0.8]
    assert delay_s(100) == MAX_DELAY_S


def test_a_mailbox_gives_what_came_before_its_fault() -> None:
    async def run() -> None:
        mailbox = Mailbox([1])
        reading = asyncio.create_task(mailbox.next())
        await asyncio.sleep(0)
        mailbox.put(Piece(1, "a", [1]))
        mailbox.put(Done(1, "stop", 1, 0, 1))
        mailbox.fail(EngineFault("engine_crashed", "gone"))
        assert isinstance(await reading, Piece)
        assert isinstance(mailbox.take(), Done) and mailbox.take() is None
        for _ in range(2):
            with pytest.raises(EngineFault, match="gone"):
                await mailbox.next()

    asyncio.run(run())


def test_nothing_is_sent_to_a_core_that_is_not_there() -> None:
    process = CoreProcess(lambda: CoreConfig("scripted", "none"))
    with pytest.raises(EngineFault) as caught:
        process.submit([Describe(1)])
    assert caught.value.code == "engine_crashed"


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (CoreConfig("../evil", "x"), "unknown_engine"),
        (CoreConfig("no_such_engine", "x"), "engine_missing"),
        (CoreConfig("scripted", "/no/such/file"), "bad_checkpoint"),
        (CoreConfig("scripted", "x", {"nonsense": 1}), "bad_checkpoint"),
    ],
)
def test_loading_faults_are_one_line(config: CoreConfig, code: str) -> None:
    with pytest.raises(EngineFault) as caught:
        load(config)
    assert caught.value.code == code and "\n" not in caught.value.message
