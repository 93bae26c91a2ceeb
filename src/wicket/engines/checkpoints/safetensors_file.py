"""The safetensors container, read without trusting the file (https://github.com/huggingface/safetensors).

Eight bytes of header length, a JSON header (name → dtype, shape, data_offsets), then the tensors' bytes.
"""

from __future__ import annotations

import math
import mmap
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.engines.checkpoints.gguf import broken
from wicket.errors import EngineFault
from wicket.wire import json

MAX_HEADER_BYTES = 100_000_000
MAX_DIMENSIONS = 8
WIDTHS = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8}


class _Entry(msgspec.Struct, frozen=True):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class SafetensorsFile:
    """An open file; tensors come out as float32."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError) as error:
            raise EngineFault("bad_checkpoint", f"Can't open {path.name}: {error}.") from error
        length = int.from_bytes(self._data[:8], "little")
        if length > min(MAX_HEADER_BYTES, len(self._data) - 8):
            raise broken("has a safetensors header longer than the file")
        try:
            header = json.decode(self._data[8 : 8 + length], type=dict[str, Any])
            header.pop("__metadata__", None)
            self._entries = msgspec.convert(header, dict[str, _Entry])
        except (json.DecodeError, RecursionError):
            raise broken("has a broken safetensors header") from None
        self._base = 8 + length

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def names(self) -> list[str]:
        """The tensors' names."""
        return list(self._entries)

    def tensor(self, name: str) -> NDArray[np.float32]:
        """A tensor as float32. Raises `EngineFault` when its type or place is impossible."""
        entry = self._entries[name]
        begin, end = entry.data_offsets
        shape = entry.shape
        if entry.dtype not in WIDTHS:
            raise broken(f"stores '{name}' as {entry.dtype}, which is not read")
        if len(shape) > MAX_DIMENSIONS or any(size < 1 for size in shape):
            raise broken(f"gives '{name}' the shape {shape}")
        count = math.prod(shape)
        if (
            not 0 <= begin <= end <= len(self._data) - self._base
            or end - begin != count * WIDTHS[entry.dtype]
        ):
            raise broken(f"puts '{name}' in an impossible place")
        raw = np.frombuffer(self._data[self._base + begin : self._base + end], dtype=np.uint8)
        return _as_float32(raw, entry.dtype).reshape(shape)


def _as_float32(raw: NDArray[np.uint8], dtype: str) -> NDArray[np.float32]:
    # Offsets need not be aligned to the element, so copy before looking at it as one.
    aligned = raw.copy()
    if dtype == "BF16":
        return (aligned.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    kinds: dict[str, type[np.generic]] = {"F32": np.float32, "F16": np.float16, "F64": np.float64}
    return aligned.view(kinds[dtype]).astype(np.float32)
