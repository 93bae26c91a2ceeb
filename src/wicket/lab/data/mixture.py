"""Several tasks in one stream of training examples: how often each, and in which order. Pure.

A task with n examples is drawn in proportion to min(n, limit)^(1/T) (Raffel et al. 2020, section 3.5.2;
Arivazhagan et al. 2019): T = 1 is the tasks as large as they are, a large T makes them equal, so that small
tasks are not drowned. The order spreads every task evenly over the whole and is the same for the same sizes
and seed.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from fractions import Fraction

import msgspec

from wicket.errors import CallerFault


class Task(msgspec.Struct, frozen=True):
    """How many examples a task has, how many were chosen, and how often each stands there on average."""

    size: int
    drawn: int
    share: float
    epochs: float


def shares(sizes: Mapping[str, int], temperature: float, limit: int = 0) -> dict[str, float]:
    """Each task's share of the examples; they sum to 1. `limit` 0 is none. Raises `CallerFault`."""
    if not sizes or min(sizes.values()) < 1:
        raise CallerFault("empty_task", "A mixture needs tasks with at least one example each.")
    if not 0.1 <= temperature <= 1000 or limit < 0:
        raise CallerFault("bad_temperature", "The temperature of a mixture is from 0.1 to 1000.")
    largest = max(sizes.values())
    weights = {
        name: ((min(size, limit) if limit else size) / largest) ** (1 / temperature)
        for name, size in sizes.items()
    }
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def quotas(wanted: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers that sum to `total`, by largest remainder; every task gets one if there is room."""
    exact = {name: Fraction(share) * total for name, share in wanted.items()}
    scale = Fraction(total) / sum(exact.values()) if total else Fraction(0)
    exact = {name: value * scale for name, value in exact.items()}
    found = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (found[name] - exact[name], name))
    for name in by_remainder[: total - sum(found.values())]:
        found[name] += 1
    for name in sorted(found):
        if not found[name] and total >= len(found):
            found[max(sorted(found), key=lambda other: found[other])] -= 1
            found[name] = 1
    return found


def order(numbers: Mapping[str, int], sizes: Mapping[str, int], seed: int = 0) -> Iterator[tuple[str, int]]:
    """(task, index of its example), `numbers[task]` of each; no example twice before all were there once."""
    places = [
        ((2 * turn + 1) / (2 * number), name, turn)
        for name, number in numbers.items()
        for turn in range(number)
    ]
    places.sort()
    epochs: dict[tuple[str, int], list[int]] = {}
    for _, name, turn in places:
        epoch, place = divmod(turn, sizes[name])
        if (name, epoch) not in epochs:
            epochs.pop((name, epoch - 1), None)
            epochs[name, epoch] = _shuffled(sizes[name], f"{seed}/{name}/{epoch}")
        yield name, epochs[name, epoch][place]


def plan(sizes: Mapping[str, int], temperature: float, total: int, limit: int = 0) -> dict[str, Task]:
    """What a mixture of `total` examples comes to."""
    wanted = shares(sizes, temperature, limit)
    numbers = quotas(wanted, total)
    return {
        name: Task(size, numbers[name], numbers[name] / max(1, total), numbers[name] / size)
        for name, size in sizes.items()
    }


def _shuffled(size: int, seed: str) -> list[int]:
    places = list(range(size))
    random.Random(hashlib.sha256(seed.encode()).digest()).shuffle(places)  # noqa: S311 - not a secret
    return places
