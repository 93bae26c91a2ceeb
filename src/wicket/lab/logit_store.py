"""A teacher's likeliest tokens on disk, so that it need not be asked twice: a few bytes per token.

One safetensors file: `ids` (places, k) as 16 or 32 bits and `logprobs` (places, k) in float16, places in the
order of the batches, with where each batch begins. What is stored belongs to these very batches: their
tokens' hash is kept and checked.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from wicket.errors import OperatorFault
from wicket.lab.material import Batch
from wicket.lab.techniques.distil import Likeliest, Teaching
from wicket.wire import json


class Contents(msgspec.Struct, frozen=True):
    """What a store says of itself. `starts` has one entry more than there are batches."""

    k: int
    temperature: float
    tokens_sha256: str
    starts: list[int]


class Store:
    """A store that was read. Raises `OperatorFault` for one that is damaged."""

    def __init__(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt") as file:
                self.contents = json.decode((file.metadata() or {})["contents"], type=Contents)
                self._ids: Tensor = file.get_tensor("ids")
                self._logprobs: Tensor = file.get_tensor("logprobs")
        except (OSError, SafetensorError, KeyError, json.DecodeError) as error:
            raise OperatorFault("bad_store", f"The stored logits in {path} can't be read: {error}.") from None

    @property
    def num_batches(self) -> int:
        """How many batches it has."""
        return len(self.contents.starts) - 1

    @property
    def bytes_per_token(self) -> float:
        """Of the learned tokens."""
        size: int = self._ids.nbytes + self._logprobs.nbytes
        return size / max(1, len(self._ids))

    def check(self, batches: Sequence[Batch]) -> None:
        """Raise `OperatorFault` unless these are the batches that were stored."""
        if self.contents.tokens_sha256 != _hash(batches):
            message = "The stored logits belong to other data: store them again for this recipe."
            raise OperatorFault("other_store", message)

    def says(self, number: int, batch: Batch) -> Likeliest:
        """See `techniques.distil.Teaching`; batches come round again."""
        number %= self.num_batches
        start, end = self.contents.starts[number : number + 2]
        ids = self._ids[start:end]
        whole = ids.view(torch.int16).long() & 0xFFFF if ids.dtype == torch.uint16 else ids.long()
        return Likeliest(whole, self._logprobs[start:end].float())


def write_store(
    path: Path, teaching: Teaching, batches: Sequence[Batch], *, k: int, temperature: float = 1.0
) -> Store:
    """Ask the teacher about `batches` once and keep its `k` likeliest tokens of each learned place."""
    ids, logprobs, starts = [], [], [0]
    for number, batch in enumerate(batches):
        said = teaching.says(number, batch)
        assert isinstance(said, Tensor)
        top = (said / temperature).log_softmax(-1).topk(min(k, said.shape[-1]), dim=-1)
        is_short = said.shape[-1] <= 1 << 16
        ids.append(top.indices.to(torch.uint16 if is_short else torch.int32))
        logprobs.append(top.values.half())
        starts.append(starts[-1] + len(said))
    contents = Contents(k, temperature, _hash(batches), starts)
    draft = path.with_name(f"{path.name}.new")
    tensors = {"ids": torch.cat(ids), "logprobs": torch.cat(logprobs)}
    try:
        save_file(tensors, draft, metadata={"contents": json.encode(contents).decode()})
        os.replace(draft, path)
    except (OSError, SafetensorError) as error:
        draft.unlink(missing_ok=True)
        raise OperatorFault("disk", f"The logits can't be stored in {path}: {error}.") from None
    return Store(path)


def _hash(batches: Sequence[Batch]) -> str:
    digest = hashlib.sha256()
    for batch in batches:
        digest.update(batch.ids.numpy().tobytes())
        digest.update(batch.targets.numpy().tobytes())
    return digest.hexdigest()
