"""Holds that outlive their request: bounded in time and number, given back once."""

from __future__ import annotations

from typing import Any, cast

import pytest

from wicket.gateway import pledges as module
from wicket.gateway.pledges import HELD_US, Pledges


class Lease:
    def __init__(self) -> None:
        self.put_back: list[tuple[int, int]] = []

    def put(self, need: int, actual: int) -> None:
        self.put_back.append((need, actual))


class Hold:
    def __init__(self, *parts: tuple[Lease, int]) -> None:
        self.parts = list(parts)

    def handed_over(self) -> list[tuple[Lease, int]]:
        parts, self.parts = self.parts, []
        return parts


class Metering:
    def __init__(self) -> None:
        self.freed: list[Any] = []

    def settled(self, leases: Any) -> None:
        self.freed += leases


def made() -> tuple[Pledges, Metering]:
    metering = Metering()
    return Pledges(cast(Any, metering)), metering


def test_it_is_given_back_once_and_whole() -> None:
    pledges, metering = made()
    lease = Lease()
    pledges.take(1, cast(Any, Hold((lease, 400))), 0)
    pledges.take(2, cast(Any, Hold()), 0)  # nothing was held of it
    assert len(pledges) == 1 and lease.put_back == []
    pledges.release([1, 2, 3])
    pledges.release([1])
    assert lease.put_back == [(400, 0)] and metering.freed == [lease] and len(pledges) == 0


def test_it_ends_with_its_time_and_the_oldest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD", 2)
    pledges, _ = made()
    leases = [Lease() for _ in range(3)]
    for number, lease in enumerate(leases):
        pledges.take(number, cast(Any, Hold((lease, 1))), number)
    assert leases[0].put_back == [(1, 0)] and len(pledges) == 2
    pledges.tick(HELD_US)
    assert leases[1].put_back == []
    pledges.tick(HELD_US + 1)
    assert leases[1].put_back == [(1, 0)] and leases[2].put_back == []
