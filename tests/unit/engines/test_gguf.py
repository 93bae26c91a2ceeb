"""The GGUF and safetensors readers: what is right is read, what is hostile is refused."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.engines import checkpoints
from wicket.engines.checkpoints.gguf import parse_gguf, read_gguf
from wicket.engines.checkpoints.safetensors_file import SafetensorsFile
from wicket.errors import EngineFault

MATRIX = np.arange(64, dtype=np.float32).reshape(2, 32)
GOOD = checkpoints.gguf({"a.number": 7, "a.text": "ü", "a.list": ["x", "y"]}, {"m": MATRIX, "v": MATRIX[0]})


def test_metadata_and_tensors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(GOOD)
    file = read_gguf(path)
    assert file.metadata == {"a.number": 7, "a.text": "ü", "a.list": ["x", "y"]}
    assert file.tensor("m").tolist() == MATRIX.tolist()
    assert file.tensor("v").tolist() == MATRIX[0].tolist()


def test_every_cut_is_refused() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(EngineFault):
            parse_gguf(memoryview(GOOD[:length]))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8))
def test_damage_is_refused_or_harmless(at: int, junk: bytes) -> None:
    damaged = GOOD[:at] + junk + GOOD[at + len(junk) :]
    # Nothing but the fault may come out; the fault itself is the expected end of most of these.
    with contextlib.suppress(EngineFault):
        file = parse_gguf(memoryview(damaged))
        assert all(file.tensor(name).size * 4 <= len(damaged) for name in file.tensors)


def one_entry(rest: bytes) -> bytes:
    """A header with one metadata entry whose value is `rest`."""
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + checkpoints.text_value("k") + rest


IMPOSSIBLE = {
    "tensors": b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0),
    "metadata": b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60),
    "key": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 60),
    "string": one_entry(struct.pack("<IQ", 8, 1 << 60)),
    "texts": one_entry(struct.pack("<IIQ", 9, 8, 1 << 60)),
    "numbers": one_entry(struct.pack("<IIQ", 9, 4, 1 << 40)),
    "nesting": one_entry(struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 50),
    "version": b"GGUF" + struct.pack("<IQQ", 9, 0, 0),
    "magic": b"GGML" + struct.pack("<IQQ", 3, 0, 0),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_impossible_counts_are_refused(what: str) -> None:
    with pytest.raises(EngineFault, match="checkpoint"):
        parse_gguf(memoryview(IMPOSSIBLE[what]))


def tensor_head(shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + checkpoints.text_value("t")
    return head + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset) + b"\0" * 64


@pytest.mark.parametrize(
    ("shape", "kind", "offset"),
    [
        ((1 << 40, 1 << 40), 0, 0),
        ((0,), 0, 0),
        ((33,), 2, 0),
        ((1,), 0, 1 << 62),
        ((1,), 99, 0),
        ((1, 1, 1, 1, 1), 0, 0),
        ((), 0, 0),
    ],
)
def test_impossible_tensors_are_refused(shape: tuple[int, ...], kind: int, offset: int) -> None:
    with pytest.raises(EngineFault):
        parse_gguf(memoryview(tensor_head(shape, kind, offset)))


def test_safetensors_are_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    good = checkpoints.safetensors({"m": MATRIX})
    path.write_bytes(good)
    assert SafetensorsFile(path).tensor("m").tolist() == MATRIX.tolist()
    path.write_bytes(good[:-4])
    with pytest.raises(EngineFault):
        SafetensorsFile(path).tensor("m")
    for header in (
        b"{",
        b"[]",
        b'{"m": 1}',
        b'{"m": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}}',
    ):
        path.write_bytes(struct.pack("<Q", len(header)) + header)
        with pytest.raises(EngineFault):
            SafetensorsFile(path).tensor("m")
    path.write_bytes(struct.pack("<Q", 1 << 60))
    with pytest.raises(EngineFault):
        SafetensorsFile(path)


def test_brain_floats_in_safetensors(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0], dtype=np.float32)
    raw = (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    header = b'{"b": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}'
    path = tmp_path / "b.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + raw)
    assert SafetensorsFile(path).tensor("b").tolist() == [1.5, -2.0]
