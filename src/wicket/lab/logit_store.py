"""A teacher's likeliest tokens on disk, so that it need not be asked twice: a few bytes per token.

A folder with parts of many rows and `index.json`, which has each part's SHA-256. A part is one safetensors
file: `ids` (places, k) as 16 or 32 bits and `logprobs` (places, k) in float16. A row is known by the hash of
its tokens and of what is learned of them: it is found in whatever batch it comes again, and what is there is
not asked again, so a store that was interrupted goes on and one of fewer steps can be enlarged.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from wicket.errors import OperatorFault
from wicket.lab.material import Batch
from wicket.lab.run import write_whole
from wicket.lab.teaching import Likeliest, Teaching
from wicket.wire import json

INDEX = "index.json"
PART_PLACES = 1 << 18
_HASH_DIGITS = 32
_CHUNK = 1 << 20


class Wanted(msgspec.Struct, frozen=True):
    """What a store keeps: the `k` likeliest tokens at a temperature, of the teacher with this fingerprint. An
    interruption costs at most `save_every_s` of asking."""

    k: int = 32
    temperature: float = 1.0
    teacher: str = ""
    save_every_s: float = 120.0


class Part(msgspec.Struct, frozen=True):
    """One file of the store."""

    name: str
    sha256: str


class Index(msgspec.Struct):
    """What a store says of itself."""

    k: int
    temperature: float
    teacher: str
    parts: list[Part]


class Rows(msgspec.Struct, frozen=True):
    """A part's own: the hash of each row, and where it begins; `starts` has one entry more."""

    hashes: list[str]
    starts: list[int]


class Store:
    """A store that was read. Raises `OperatorFault` for one that is damaged."""

    def __init__(self, folder: Path) -> None:
        self._where: dict[str, tuple[int, int, int]] = {}
        self._tensors: list[tuple[Tensor, Tensor]] = []
        try:
            self.index = json.decode((folder / INDEX).read_bytes(), type=Index)
            for part in self.index.parts:
                if _hash_of(folder / part.name) != part.sha256:
                    raise ValueError(f"{part.name} is not what was written")
                self._open(folder / part.name)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise OperatorFault(
                "bad_store", f"The stored logits in {folder} can't be read: {error}."
            ) from None

    def _open(self, path: Path) -> None:
        with safe_open(path, framework="pt") as file:  # mapped into memory: only what is asked for is read
            rows = json.decode((file.metadata() or {})["rows"], type=Rows)
            for row, start, end in zip(rows.hashes, rows.starts, rows.starts[1:], strict=False):
                self._where[row] = (len(self._tensors), start, end)
            self._tensors.append((file.get_tensor("ids"), file.get_tensor("logprobs")))

    @property
    def num_places(self) -> int:
        """How many learned tokens it has."""
        return sum(len(ids) for ids, _ in self._tensors)

    @property
    def bytes_per_token(self) -> float:
        """Of the learned tokens."""
        size = sum(ids.nbytes + logprobs.nbytes for ids, logprobs in self._tensors)
        return float(size) / max(1, self.num_places)

    @property
    def sha256(self) -> str:
        """Over all parts."""
        return hashlib.sha256("".join(part.sha256 for part in self.index.parts).encode()).hexdigest()

    def says(self, number: int, batch: Batch) -> Likeliest:
        """See `teaching.Teaching`. Raises `OperatorFault` for a row that was never stored."""
        ids, logprobs = [], []
        for row, _ in rows_of(batch):
            if row not in self._where:
                message = "The stored logits belong to other data: store them again for this recipe."
                raise OperatorFault("other_store", message)
            part, start, end = self._where[row]
            some = self._tensors[part][0][start:end]
            ids.append(some.view(torch.int16).long() & 0xFFFF if some.dtype == torch.uint16 else some.long())
            logprobs.append(self._tensors[part][1][start:end].float())
        return Likeliest(torch.cat(ids), torch.cat(logprobs))

    def has(self, row: str) -> bool:
        """Whether a row is there, by its hash."""
        return row in self._where


def rows_of(batch: Batch) -> list[tuple[str, int]]:
    """Of each row with something to learn its hash, whatever it was padded to, and its place in the batch."""
    found = []
    learned = batch.learned
    for place in range(len(batch.ids)):
        places = learned[place].nonzero()
        if not len(places):
            continue
        end = int(places[-1]) + 1
        digest = hashlib.sha256(batch.ids[place, :end].contiguous().numpy().data)
        digest.update(batch.targets[place, :end].contiguous().numpy().data)
        found.append((digest.hexdigest()[:_HASH_DIGITS], place))
    return found


def write_store(
    folder: Path,
    teaching: Teaching,
    batches: Iterable[Batch],
    wanted: Wanted,
    tell: Callable[[int], None] = lambda number: None,
) -> Store:
    """Ask the teacher about every row of `batches` that `folder` has not got, and keep its likeliest tokens.

    `tell` is called with the number of batches done. Raises `OperatorFault` for a full disk; what is written
    stays, and the next call goes on from there.
    """
    writer = _Writer(folder, wanted)
    for number, batch in enumerate(batches):
        new = {row: place for row, place in rows_of(batch) if not writer.has(row)}
        if new:
            places = list(new.values())
            asked = Batch(batch.ids[places], batch.targets[places])
            said = teaching.says(number, asked)
            assert isinstance(said, Tensor)
            writer.add(list(new), asked.learned.sum(1).tolist(), said)
        tell(number + 1)
    writer.flush()
    return Store(folder)


class _Writer:
    """A store that grows."""

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self._folder = folder
        self._wanted = wanted
        self._index = Index(wanted.k, wanted.temperature, wanted.teacher, [])
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._take_up()
        except OSError as error:
            raise _disk(folder, error) from None
        write_whole(folder / INDEX, json.encode(self._index))
        self._known = Store(folder)
        self._written = set[str]()
        self._begin()

    def _take_up(self) -> None:
        """What earlier runs left and is still what they wrote."""
        path = self._folder / INDEX
        if not path.exists():
            return
        try:
            found = json.decode(path.read_bytes(), type=Index)
        except json.DecodeError:
            return
        mine = (self._index.k, self._index.temperature, self._index.teacher)
        if (found.k, found.temperature, found.teacher) == mine:
            self._index.parts = [
                part
                for part in found.parts
                if (self._folder / part.name).is_file() and _hash_of(self._folder / part.name) == part.sha256
            ]

    def _begin(self) -> None:
        self._hashes: list[str] = []
        self._starts = [0]
        self._ids: list[Tensor] = []
        self._logprobs: list[Tensor] = []
        self._since_s = time.monotonic()

    def has(self, row: str) -> bool:
        return row in self._written or self._known.has(row)

    def add(self, hashes: list[str], sizes: list[int], said: Tensor) -> None:
        wanted = self._wanted
        top = (said / wanted.temperature).log_softmax(-1).topk(min(wanted.k, said.shape[-1]), dim=-1)
        self._ids.append(top.indices.to(torch.uint16 if said.shape[-1] <= 1 << 16 else torch.int32))
        self._logprobs.append(top.values.half())
        self._hashes += hashes
        for size in sizes:
            self._starts.append(self._starts[-1] + size)
        self._written |= set(hashes)
        if self._starts[-1] >= PART_PLACES or time.monotonic() - self._since_s >= wanted.save_every_s:
            self.flush()

    def flush(self) -> None:
        """What was gathered becomes a part. Raises `OperatorFault` for a full disk."""
        if not self._hashes:
            return
        taken = {part.name for part in self._index.parts}
        number = next(n for n in range(len(taken) + 1) if f"part-{n:05}.safetensors" not in taken)
        path = self._folder / f"part-{number:05}.safetensors"
        draft = path.with_name(f"{path.name}.new")
        tensors = {"ids": torch.cat(self._ids), "logprobs": torch.cat(self._logprobs)}
        rows = json.encode(Rows(self._hashes, self._starts)).decode()
        try:
            save_file(tensors, draft, metadata={"rows": rows})
            os.replace(draft, path)
            self._index.parts.append(Part(path.name, _hash_of(path)))
        except (OSError, SafetensorError) as error:
            draft.unlink(missing_ok=True)
            raise _disk(self._folder, error) from None
        write_whole(self._folder / INDEX, json.encode(self._index))
        self._begin()


def _hash_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            digest.update(data)
    return digest.hexdigest()


def _disk(folder: Path, error: Exception) -> OperatorFault:
    return OperatorFault("disk", f"The logits can't be stored in {folder}: {error}.")
