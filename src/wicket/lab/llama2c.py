"""Files of llama2.c: a checkpoint (version 0) and its vocabulary, as others are read here.

A checkpoint is seven integers and then the matrices as float32, all layers of one kind after each other; its
queries and keys rotate neighbours (https://github.com/karpathy/llama2.c, export.py, run.c). A vocabulary is
one integer and then, for each piece, a score, a length and its bytes (tokenizer.py there).
"""

from __future__ import annotations

import struct
from pathlib import Path

import msgspec
import numpy as np

from wicket.engines.checkpoints.llama import (
    Floats,
    LlamaShape,
    check_shape,
    expected_shape,
    halves_from_pairs,
)
from wicket.errors import EngineFault

MAX_PIECES = 1 << 20
ORDER = ("attn_norm", "q", "k", "v", "o", "ffn_norm", "gate", "down", "up")
_HEADER = struct.Struct("<7i")
_PIECE = struct.Struct("<fi")


class Llama2cCheckpoint:
    """See `engines.checkpoints.llama.LlamaCheckpoint`."""

    def __init__(self, path: Path) -> None:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise _broken(path, "is too short")
        hidden, ffn, layers, heads, kv_heads, vocabulary, context = _HEADER.unpack(header)
        if min(hidden, ffn, layers, heads, kv_heads, context) < 1 or hidden % heads:
            raise _broken(path, "has impossible sizes")
        self.shape = check_shape(
            LlamaShape(
                architecture="llama",
                num_layers=layers,
                hidden=hidden,
                num_heads=heads,
                num_kv_heads=kv_heads,
                head_size=hidden // heads,
                ffn=ffn,
                vocab_size=abs(vocabulary),  # a negative one says that the head is a matrix of its own
                context_tokens=context,
                rope_theta=10_000.0,
                norm_epsilon=1e-5,
            )
        )
        self._places = self._layout(has_head=vocabulary < 0)
        count = max(at + num for at, num in self._places.values())
        if size < _HEADER.size + 4 * count:
            raise _broken(path, "ends in the middle of its matrices")
        self._numbers = np.memmap(path, dtype="<f4", mode="r", offset=_HEADER.size, shape=(count,))

    def has(self, name: str) -> bool:
        """Whether the file has the matrix."""
        return name in self._places

    def matrix(self, name: str) -> Floats:
        """The matrix as float32, queries and keys in the order that rotates halves."""
        if name not in self._places:
            raise EngineFault("bad_checkpoint", f"The checkpoint has no {name}.")
        at, num = self._places[name]
        matrix = np.array(self._numbers[at : at + num]).reshape(expected_shape(self.shape, name))
        if name.rpartition(".")[2] in ("q", "k"):
            return halves_from_pairs(matrix, self.shape.head_size)
        return matrix

    def _layout(self, *, has_head: bool) -> dict[str, tuple[int, int]]:
        shape, at = self.shape, 0
        places = {}

        def put(name: str) -> None:
            nonlocal at
            num = int(np.prod(expected_shape(shape, name)))
            places[name] = (at, num)
            at += num

        put("embed")
        for part in ORDER:
            for layer in range(shape.num_layers):
                put(f"{layer}.{part}")
        put("norm")
        if has_head:
            at += (
                shape.context_tokens * shape.head_size
            )  # tables of the rotation, which follow from the shape
            put("head")
        return places


class Piece(msgspec.Struct, frozen=True):
    """One piece of a vocabulary."""

    text: str
    score: float


def read_pieces(path: Path) -> list[Piece]:
    """A vocabulary. Raises `EngineFault` for a damaged one."""
    raw, at, pieces = path.read_bytes(), 4, list[Piece]()
    while at < len(raw):
        if at + _PIECE.size > len(raw) or len(pieces) >= MAX_PIECES:
            raise _broken(path, "is no vocabulary of llama2.c")
        score, length = _PIECE.unpack_from(raw, at)
        at += _PIECE.size
        if not 0 <= length <= len(raw) - at:
            raise _broken(path, "is no vocabulary of llama2.c")
        pieces.append(Piece(raw[at : at + length].decode("utf-8", "replace"), score))
        at += length
    return pieces


def _broken(path: Path, what: str) -> EngineFault:
    return EngineFault("bad_checkpoint", f"{path.name} {what}.")
