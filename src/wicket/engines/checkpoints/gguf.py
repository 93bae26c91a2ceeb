"""The GGUF container: header, key-value pairs and tensor table, read without trusting the file.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
A checkpoint comes from strangers, so every count, length and offset is checked against the bytes that
are really there before anything is allocated.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wicket.engines.checkpoints.ggml_blocks import BLOCKS, dequantise
from wicket.errors import EngineFault

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_ENTRIES = 1 << 16
MAX_KEY_BYTES = 1 << 16
MAX_ARRAY_DEPTH = 2
MAX_DIMENSIONS = 4
MAX_ALIGNMENT = 1 << 20
DEFAULT_ALIGNMENT = 32

SCALARS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
STRING, ARRAY = 8, 9
U32, U64 = SCALARS[4], SCALARS[10]

Value = int | float | bool | str | list["Value"]


class TensorEntry(msgspec.Struct, frozen=True):
    """A tensor's place: `shape` in row-major order (rows first), `start` from the file's first byte."""

    name: str
    shape: tuple[int, ...]
    kind: int
    start: int
    num_bytes: int


class GgufFile:
    """An open GGUF file: `metadata` by key and `tensors` by name; the bytes stay on disk until asked for."""

    def __init__(self, data: memoryview, metadata: dict[str, Value], tensors: dict[str, TensorEntry]) -> None:
        self.metadata = metadata
        self.tensors = tensors
        self._data = data

    def raw(self, name: str) -> memoryview:
        """A tensor's bytes as they are in the file."""
        entry = self.entry(name)
        return self._data[entry.start : entry.start + entry.num_bytes]

    def entry(self, name: str) -> TensorEntry:
        """A tensor's place. Raises `EngineFault` when the file has no such tensor."""
        try:
            return self.tensors[name]
        except KeyError:
            raise broken(f"has no tensor '{name}'") from None

    def tensor(self, name: str) -> NDArray[np.float32]:
        """A tensor as float32, dequantised, in its row-major shape."""
        entry = self.entry(name)
        return dequantise(self.raw(name), entry.kind).reshape(entry.shape)


def broken(what: str) -> EngineFault:
    """The fault for a file that is not what it says it is."""
    return EngineFault("bad_checkpoint", f"The checkpoint {what}. Download or convert it again.")


class _Cursor:
    """Reads little-endian values forward; refuses to run past the end."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0

    def need(self, count: int) -> None:
        if count > len(self.data) - self.at:
            raise broken("ends in the middle of its header")

    def scalar(self, form: struct.Struct) -> int | float | bool:
        self.need(form.size)
        value: int | float | bool = form.unpack_from(self.data, self.at)[0]
        self.at += form.size
        return value

    def count(self, form: struct.Struct, limit: int, what: str) -> int:
        value = int(self.scalar(form))
        if value > limit:
            raise broken(f"claims {value} {what}; at most {limit} are accepted")
        return value

    def text(self, limit: int) -> str:
        size = self.count(U64, limit, "bytes in a string")
        self.need(size)
        raw = bytes(self.data[self.at : self.at + size])
        self.at += size
        try:
            return raw.decode()
        except UnicodeDecodeError:
            # Some vocabularies hold raw bytes; they are never looked up by this text.
            return raw.decode(errors="replace")

    def value(self, kind: int, depth: int = 0) -> Value:
        if kind == STRING:
            return self.text(len(self.data) - self.at)
        if kind == ARRAY:
            return self.array(depth)
        if kind not in SCALARS:
            raise broken(f"uses the unknown value type {kind}")
        return self.scalar(SCALARS[kind])

    def array(self, depth: int) -> list[Value]:
        if depth >= MAX_ARRAY_DEPTH:
            raise broken("nests arrays too deeply")
        kind = int(self.scalar(U32))
        num_bytes = SCALARS[kind].size if kind in SCALARS else 8
        limit = (len(self.data) - self.at) // num_bytes
        length = self.count(U64, limit, "array items")
        if kind in SCALARS:
            form = struct.Struct(f"<{length}{SCALARS[kind].format[-1]}")
            self.need(form.size)
            values = list(form.unpack_from(self.data, self.at))
            self.at += form.size
            return values
        return [self.value(kind, depth + 1) for _ in range(length)]


def read_gguf(path: Path) -> GgufFile:
    """Open a GGUF file. Raises `EngineFault` for a file that is missing, cut, or not GGUF."""
    try:
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise EngineFault("bad_checkpoint", f"Can't open the checkpoint {path.name}: {error}.") from error
    return parse_gguf(data)


def parse_gguf(data: memoryview) -> GgufFile:
    """Parse a GGUF file's bytes. Raises `EngineFault` when they are not well-formed."""
    if bytes(data[:4]) != b"GGUF":
        raise broken("is not a GGUF file")
    cursor = _Cursor(data)
    cursor.at = 4
    version = cursor.scalar(U32)
    if version not in (2, 3):
        raise broken(f"has GGUF version {version}; versions 2 and 3 are read")
    num_tensors = cursor.count(U64, MAX_ENTRIES, "tensors")
    num_values = cursor.count(U64, MAX_ENTRIES, "metadata entries")
    metadata: dict[str, Value] = {}
    for _ in range(num_values):
        key = cursor.text(MAX_KEY_BYTES)
        metadata[key] = cursor.value(int(cursor.scalar(U32)))
    heads = [_tensor_head(cursor) for _ in range(num_tensors)]
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= MAX_ALIGNMENT:
        raise broken(f"has the alignment {alignment!r}")
    base = -(-cursor.at // alignment) * alignment
    tensors = {head[0]: _place(head, base, len(data)) for head in heads}
    if len(tensors) != num_tensors:
        raise broken("names a tensor twice")
    return GgufFile(data, metadata, tensors)


_Head = tuple[str, tuple[int, ...], int, int]


def _tensor_head(cursor: _Cursor) -> _Head:
    name = cursor.text(MAX_KEY_BYTES)
    num_dimensions = cursor.count(U32, MAX_DIMENSIONS, "tensor dimensions")
    # Written fastest-moving first; we keep the row-major order.
    shape = tuple(int(cursor.scalar(U64)) for _ in range(num_dimensions))[::-1]
    kind = int(cursor.scalar(U32))
    return name, shape, kind, int(cursor.scalar(U64))


def _place(head: _Head, base: int, total: int) -> TensorEntry:
    name, shape, kind, offset = head
    if kind not in BLOCKS:
        raise broken(f"stores '{name}' in the GGML type {kind}, which is not read")
    elements, block_bytes, _ = BLOCKS[kind]
    if not shape or min(shape) < 1 or shape[-1] % elements:
        raise broken(f"gives '{name}' the shape {list(shape)}")
    count = 1
    for size in shape:
        count *= size
    num_bytes = count // elements * block_bytes
    if base + offset + num_bytes > total:
        raise broken(f"is cut: '{name}' lies behind its end")
    return TensorEntry(name, shape, kind, base + offset, num_bytes)
