"""What techniques work with: batches that follow from a seed and a step alone, so that any run can go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import msgspec
import torch
from torch import Tensor

from wicket.lab.encode import IGNORED, Encoded, batches, collate
from wicket.lab.llama import Llama

Tell = Callable[[float, str], None]


class Batch(msgspec.Struct, frozen=True):
    """Ids (rows, length) and, at each place, the token that should follow, or `IGNORED`."""

    ids: Tensor
    targets: Tensor

    @property
    def learned(self) -> Tensor:
        """Where there is something to learn."""
        return self.targets != IGNORED

    def whole(self) -> Batch:
        """The same rows with every token up to a row's last learned one to be foretold, requests too."""
        ends = self.learned.flip(1).cumsum(1).flip(1) > 0
        following = torch.cat((self.ids[:, 1:], self.targets[:, -1:]), dim=1)
        return Batch(self.ids, torch.where(self.learned, self.targets, torch.where(ends, following, IGNORED)))


class Source(Protocol):
    """Batches by number: the same number is always the same batch."""

    def batch(self, number: int) -> Batch:
        """Batch `number`, from 0 on, without end."""
        ...


class Windows:
    """Random windows of a long text's tokens."""

    def __init__(self, tokens: Tensor, *, length: int, rows: int, seed: int) -> None:
        if len(tokens) <= length + 1:
            raise ValueError(f"{len(tokens)} tokens are too few for windows of {length}")
        self._tokens = tokens
        self._length = length
        self._rows = rows
        self._seed = seed

    def batch(self, number: int) -> Batch:
        """See `Source`."""
        chance = torch.Generator().manual_seed(self._seed * 1_000_003 + number)
        starts = torch.randint(len(self._tokens) - self._length - 1, (self._rows, 1), generator=chance)
        both = self._tokens[starts + torch.arange(self._length + 1)]
        return Batch(both[:, :-1].contiguous(), both[:, 1:].contiguous())


class Samples:
    """Requests and answers; only the answers are learned. Each is seen once before any is seen twice, in
    batches of like lengths, so that little is padded."""

    def __init__(self, samples: Sequence[Encoded], *, rows: int, seed: int) -> None:
        if not samples:
            raise ValueError("there are no samples")
        self._samples = samples
        self._rows = min(rows, len(samples))
        self._seed = seed
        self._lengths = tuple(map(len, samples))
        self._num_batches = -(-len(samples) // self._rows)

    def batch(self, number: int) -> Batch:
        """See `Source`."""
        number_of_round, place = divmod(number, self._num_batches)
        chosen = _order(self._lengths, self._rows, self._seed * 1_000_003 + number_of_round)[place]
        return Batch(*collate([self._samples[index] for index in chosen]))


@lru_cache(maxsize=4)
def _order(lengths: tuple[int, ...], rows: int, seed: int) -> list[list[int]]:
    return batches(lengths, rows, seed=seed)


class Whole:
    """The batches of another source, everything in them to be foretold: see `Batch.whole`."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def batch(self, number: int) -> Batch:
        """See `Source`."""
        return self._source.batch(number).whole()


def consecutive(tokens: Tensor, *, length: int, rows: int, limit: int) -> list[Batch]:
    """A text from its beginning in at most `limit` batches, nothing twice: for measuring."""
    num = min((len(tokens) - 1) // length, limit * rows)
    ids = tokens[: num * length].reshape(num, length)
    targets = tokens[1 : num * length + 1].reshape(num, length)
    return [Batch(ids[at : at + rows], targets[at : at + rows]) for at in range(0, num, rows)]


class Material(msgspec.Struct, kw_only=True):
    """What a technique may use. `calibration` are batches that no evaluation sees; an interrupted training
    goes on in `folder`, and `stores` outlives it: what teachers said is kept there."""

    training: Source
    calibration: Sequence[Batch]
    teacher: Llama | None = None
    seed: int = 0
    tell: Tell = lambda share, words: None
    folder: Path | None = None
    stores: Path | None = None
