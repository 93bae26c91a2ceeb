"""The reception: nobody costs as much as somebody, few hashes at a time, a clock that never runs back."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from wicket.accounts import passwords
from wicket.accounts.passwords import Hardness
from wicket.config.schema import Accounts
from wicket.errors import BusyFault
from wicket.supervisor.reception import MAX_WAITING, ForwardClock, Reception, new_setup_code

QUICK = Hardness(4, 8, 1)


@pytest.fixture
def reception() -> Iterator[Reception]:
    made = Reception(Accounts(), QUICK)
    yield made
    made.close()


def test_nobody_costs_as_much_as_somebody(reception: Reception, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = passwords.hashed(b"correct horse", QUICK)
    work: list[Hardness] = []
    scrypt = passwords._scrypt

    def counted(password: bytes, salt: bytes, hardness: Hardness) -> bytes:
        work.append(hardness)
        return scrypt(password, salt, hardness)

    monkeypatch.setattr(passwords, "_scrypt", counted)
    for against, is_right in ((kept, True), ("", False)):
        work.clear()
        assert asyncio.run(reception.matches("correct horse", against)) == is_right
        assert work == [QUICK]


def test_hashing_is_off_the_loop_and_bounded(reception: Reception, monkeypatch: pytest.MonkeyPatch) -> None:
    go, threads = threading.Event(), set()

    def slow(password: bytes, hardness: Hardness) -> str:
        threads.add(threading.current_thread().name)
        go.wait(30)
        return "kept"

    monkeypatch.setattr(passwords, "hashed", slow)

    async def crowd() -> list[object]:
        waiting = [asyncio.create_task(reception.hashed(b"x")) for _ in range(MAX_WAITING + 3)]
        await asyncio.sleep(0)  # all have come in, and the loop still runs
        go.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    answers = asyncio.run(crowd())
    assert answers.count("kept") == MAX_WAITING
    assert [type(each) for each in answers if each != "kept"] == [BusyFault] * 3
    assert threads and all(name.startswith("passwords") for name in threads)
    assert asyncio.run(reception.hashed(b"x")) == "kept"  # there is room again


def test_the_clock_never_runs_back() -> None:
    wall, steady = [1_000.0], [5.0]
    clock = ForwardClock(lambda: wall[0], lambda: steady[0])
    assert clock.now_ms() == 1_000_000
    wall[0], steady[0] = 400.0, 15.0  # set back, while ten seconds went by
    assert clock.now_ms() == 1_010_000
    wall[0], steady[0] = 1_005.0, 16.0
    assert clock.now_ms() == 1_011_000
    wall[0] = 2_000.0
    assert clock.now_ms() == 2_000_000
    clock.start_at(3_000_000)
    steady[0] = 17.0
    assert clock.now_ms() == 3_001_000
    clock.start_at(1)
    assert clock.now_ms() == 3_001_000


def test_setup_codes_are_long_and_new() -> None:
    codes = {new_setup_code() for _ in range(50)}
    assert len(codes) == 50 and all(len(code) == 19 and code.count("-") == 3 for code in codes)
