"""How a provider's `max_concurrent` is divided between workers, so that their sum never exceeds it. Pure.

A share grows only by what nobody holds. One that is to shrink counts in full until its worker says that no
more than the smaller number runs there. So the sum holds at every moment, also while workers come and go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec


class Member(msgspec.Struct):
    """A worker as the division sees it. `held` is what it may have running until it says otherwise."""

    held: int = 0
    told: int = -1  # the limit it was last sent; -1: none
    serial: int = 0
    demand: int = 0  # runs or waits there, as it last said
    is_leaving: bool = False
    served_at: int = 0  # the last round in which it had a share


class Order(msgspec.Struct, frozen=True):
    """A worker is to be told its limit."""

    worker: int
    limit: int
    serial: int


class Shares:
    """One provider's lane over all workers."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.members: dict[int, Member] = {}
        self._round = 0
        self._chosen: frozenset[int] = frozenset()  # who has one of too few places

    @property
    def num_held(self) -> int:
        """What all workers together may have running now."""
        return sum(member.held for member in self.members.values())

    def set_workers(self, leaving: Mapping[int, bool]) -> None:
        """Who lives: worker → whether it drains. The places of the dead are free."""
        for index in [index for index in self.members if index not in leaving]:
            del self.members[index]
        for index, is_leaving in leaving.items():
            self.members.setdefault(index, Member()).is_leaving = is_leaving

    def note_demand(self, worker: int, demand: int) -> None:
        """What runs and waits at a worker."""
        member = self.members.get(worker)
        if member is not None:
            member.demand = demand

    def confirm(self, worker: int, held: int, serial: int) -> None:
        """A worker says what it has left of a smaller share; old news are passed over."""
        member = self.members.get(worker)
        if member is not None and serial == member.serial:
            member.held = min(member.held, max(held, member.told, 0))

    def rotate(self) -> None:
        """Once a second: where there are fewer places than workers, who waits longest comes next."""
        self._round += 1
        stay = self._staying()
        for member in stay.values():
            if member.told > 0:
                member.served_at = self._round
        order = sorted(stay, key=lambda index: (not stay[index].demand, stay[index].served_at, index))
        self._chosen = frozenset(order[: self.limit])

    def divide(self) -> list[Order]:
        """Who is to be told what now."""
        targets = self._targets()
        orders: list[Order] = []
        for index, member in self.members.items():
            target = targets[index]
            if target > member.held:
                spare = self.limit - self.num_held
                target = member.held + max(0, min(target - member.held, spare))
            if target != member.told:
                member.held = max(member.held, target)
                member.told = target
                member.serial += 1
                orders.append(Order(index, target, member.serial))
        return orders

    def _staying(self) -> dict[int, Member]:
        """Who gets a share anew: not those that drain, unless they have none and somebody waits there."""
        return {
            index: member
            for index, member in self.members.items()
            if not member.is_leaving or (member.demand and not member.held)
        }

    def _targets(self) -> dict[int, int]:
        """Each worker's share once everything has come about."""
        targets = {index: min(member.held, max(1, member.demand)) for index, member in self.members.items()}
        stay = self._staying()
        for index in stay:
            del targets[index]
        left = max(0, self.limit - sum(targets.values()))
        if left < len(stay):
            order = sorted(stay, key=lambda index: (index not in self._chosen, index))
            return targets | {index: int(place < left) for place, index in enumerate(order)}
        wanted = {index: max(1, member.demand) for index, member in stay.items()}
        return targets | _spread(left, wanted)


def _spread(left: int, wanted: Mapping[int, int]) -> dict[int, int]:
    """`left` places: one for each at least, then by what is wanted, evenly; what is over, evenly too."""
    given = dict.fromkeys(wanted, 0)
    hungry: Sequence[int] = list(wanted)
    while left and hungry:
        each = max(1, left // len(hungry))
        for index in hungry:
            more = min(each, wanted[index] - given[index], left)
            given[index] += more
            left -= more
        hungry = [index for index in hungry if given[index] < wanted[index]]
    if given:
        for place, index in enumerate(given):
            given[index] += left // len(given) + (place < left % len(given))
    return given
