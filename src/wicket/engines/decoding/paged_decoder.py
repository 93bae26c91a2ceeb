"""A compiled decoder with its key-value cache: batches of token slices in, rows of logits out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import openvino as ov
from numpy.typing import NDArray

Rows = NDArray[np.float32]

ALIGNMENT = 64


class TokenSlice(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one sequence from position `start` on; `blocks` hold the sequence up to their end.

    `wanted` counts the tokens at the slice's end whose logits are computed.
    """

    tokens: list[int]
    start: int
    blocks: list[int]
    wanted: int


class PagedDecoder:
    """One compiled model with `num_blocks` cache blocks of its own."""

    def __init__(self, compiled: Any, num_tokens: int) -> None:
        self.compiled = compiled
        self._request = compiled.create_infer_request()
        caches = {name: port for port in compiled.inputs for name in port.get_names() if "_cache." in name}
        self.block_tokens = int(caches["value_cache.0"].partial_shape[2].get_length())
        self.num_blocks = max(1, -(-num_tokens // self.block_tokens))
        self.cache_bytes = 0
        self._caches = {name: self._cache(port) for name, port in caches.items()}
        for name, (_, tensor) in self._caches.items():
            self._request.set_tensor(name, tensor)

    def _cache(self, port: Any) -> tuple[NDArray[np.uint8], Any]:
        """Zeroed memory for one layer's keys or values; the system maps it only as it is used."""
        shape = [self.num_blocks, *(int(size.get_length()) for size in list(port.partial_shape)[1:])]
        num_bytes = int(np.prod(shape)) * port.element_type.bitwidth // 8
        self.cache_bytes += num_bytes
        memory = np.zeros(num_bytes + ALIGNMENT, dtype=np.uint8)
        skip = -memory.ctypes.data % ALIGNMENT
        return memory, ov.Tensor(memory[skip : skip + num_bytes], shape, port.element_type)

    def forward(self, batch: Sequence[TokenSlice]) -> Rows:
        """Logits of the wanted tokens, in the order of the batch: (rows, vocabulary), float32.

        The rows are the runtime's own memory: valid until the next call.
        """
        counts = np.array([len(piece.tokens) for piece in batch], dtype=np.int64)
        begins = np.concatenate([[0], np.cumsum(counts)])
        ends = [piece.start + len(piece.tokens) for piece in batch]
        wanted = [
            np.arange(end - piece.wanted, end) for piece, end in zip(batch, begins[1:].tolist(), strict=True)
        ]
        positions = [np.arange(piece.start, end) for piece, end in zip(batch, ends, strict=True)]
        tables = [
            piece.blocks[: -(-end // self.block_tokens)] for piece, end in zip(batch, ends, strict=True)
        ]
        table_begins = np.concatenate([[0], np.cumsum([len(table) for table in tables])])
        self._feed("input_ids", [token for piece in batch for token in piece.tokens], np.int64)
        self._feed("position_ids", np.concatenate(positions), np.int64)
        self._feed("wanted", np.concatenate(wanted), np.int64)
        self._feed("past_lens", [piece.start for piece in batch], np.int32)
        self._feed("subsequence_begins", begins, np.int32)
        self._feed("block_indices", [block for table in tables for block in table], np.int32)
        self._feed("block_indices_begins", table_begins, np.int32)
        self._feed("max_context_len", max(ends), np.int32)
        self._request.infer()
        rows: Rows = self._request.get_tensor("logits").data
        return rows

    def _feed(self, name: str, values: Any, kind: type[np.generic]) -> None:
        self._request.set_tensor(name, ov.Tensor(np.array(values, dtype=kind)))

    def close(self) -> None:
        """Let go of the model and the cache."""
        self._request = None
        self.compiled = None
        self._caches.clear()


def compile_model(model: Any, properties: dict[str, str]) -> Any:
    """Compile a graph for this machine's CPU."""
    return ov.Core().compile_model(model, "CPU", properties)
