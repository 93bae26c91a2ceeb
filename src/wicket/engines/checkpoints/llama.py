"""What a Llama-like checkpoint is, whatever file it comes in: its shape and its matrices by one set of names.

Names: `embed`, `norm`, `head`; per layer N `N.attn_norm`, `N.q`, `N.k`, `N.v`, `N.o`, `N.ffn_norm`, `N.gate`,
`N.up`, `N.down`, and `N.q_bias`, `N.k_bias`, `N.v_bias` where the architecture has them. Matrices are
(outputs, inputs); queries and keys are in the order that rotates halves (Hugging Face's).
"""

from __future__ import annotations

import math
from typing import Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.engines.checkpoints.gguf import GgufFile, Value, broken
from wicket.errors import EngineFault

Floats = NDArray[np.float32]
Weights = dict[str, Floats]
Number = TypeVar("Number", int, float)

MAX_LAYERS = 512
MAX_WIDTH = 1 << 20

GGUF_LAYER_NAMES = {
    "attn_norm": "attn_norm.weight",
    "q": "attn_q.weight",
    "k": "attn_k.weight",
    "v": "attn_v.weight",
    "o": "attn_output.weight",
    "ffn_norm": "ffn_norm.weight",
    "gate": "ffn_gate.weight",
    "up": "ffn_up.weight",
    "down": "ffn_down.weight",
    "q_bias": "attn_q.bias",
    "k_bias": "attn_k.bias",
    "v_bias": "attn_v.bias",
}
GGUF_TOP_NAMES = {"embed": "token_embd.weight", "norm": "output_norm.weight", "head": "output.weight"}


class LlamaShape(msgspec.Struct, frozen=True):
    """Sizes of a Llama-like decoder; `rope_factors` divide the rotation frequencies, one per pair."""

    architecture: str
    num_layers: int
    hidden: int
    num_heads: int
    num_kv_heads: int
    head_size: int
    ffn: int
    vocab_size: int
    context_tokens: int
    rope_theta: float
    norm_epsilon: float
    rope_factors: list[float] | None = None

    def inverse_frequencies(self) -> Floats:
        """Rotation speed of each pair of a head, in radians per position."""
        exponents = np.arange(0, self.head_size, 2, dtype=np.float64) / self.head_size
        speeds = self.rope_theta**-exponents
        if self.rope_factors is not None:
            speeds = speeds / np.asarray(self.rope_factors, dtype=np.float64)
        return speeds.astype(np.float32)


class LlamaCheckpoint(Protocol):
    """A readable checkpoint."""

    shape: LlamaShape

    def has(self, name: str) -> bool:
        """Whether there is such a matrix; `head` is missing where the embedding is used twice."""
        ...

    def matrix(self, name: str) -> Floats:
        """A matrix or vector as float32. Raises `EngineFault` when it is missing or has a wrong shape."""
        ...


def check_shape(shape: LlamaShape) -> LlamaShape:
    """The shape itself, if a decoder can have it. Raises `EngineFault` otherwise."""
    sizes = [shape.hidden, shape.num_heads, shape.num_kv_heads, shape.head_size, shape.ffn, shape.vocab_size]
    if shape.architecture not in ("llama", "qwen2"):
        raise EngineFault(
            "bad_checkpoint",
            f"The architecture '{shape.architecture}' is not served here; llama and qwen2 are.",
        )
    if not 1 <= shape.num_layers <= MAX_LAYERS or not all(1 <= size <= MAX_WIDTH for size in sizes):
        raise broken("has impossible sizes")
    if shape.num_heads % shape.num_kv_heads or shape.head_size % 2 or shape.context_tokens < 1:
        raise broken("has heads that don't divide")
    if not (shape.rope_theta > 0 and math.isfinite(shape.rope_theta) and 0 <= shape.norm_epsilon < 1):
        raise broken("has impossible constants")
    if shape.rope_factors is not None and len(shape.rope_factors) != shape.head_size // 2:
        raise broken("has the wrong number of rotation factors")
    return shape


def expected_shape(shape: LlamaShape, name: str) -> tuple[int, ...]:
    """The sizes that the matrix `name` must have."""
    q, kv = shape.num_heads * shape.head_size, shape.num_kv_heads * shape.head_size
    table: dict[str, tuple[int, ...]] = {
        "embed": (shape.vocab_size, shape.hidden),
        "head": (shape.vocab_size, shape.hidden),
        "norm": (shape.hidden,),
        "attn_norm": (shape.hidden,),
        "ffn_norm": (shape.hidden,),
        "q": (q, shape.hidden),
        "k": (kv, shape.hidden),
        "v": (kv, shape.hidden),
        "o": (shape.hidden, q),
        "gate": (shape.ffn, shape.hidden),
        "up": (shape.ffn, shape.hidden),
        "down": (shape.hidden, shape.ffn),
        "q_bias": (q,),
        "k_bias": (kv,),
        "v_bias": (kv,),
    }
    return table[name.rpartition(".")[2]]


LAYER_PARTS = ("attn_norm", "q", "k", "v", "o", "ffn_norm", "gate", "up", "down")
LAYER_BIASES = ("q_bias", "k_bias", "v_bias")


def layer_weights(checkpoint: LlamaCheckpoint, layer: int) -> Weights:
    """All matrices of one layer by their short names."""
    present = [part for part in LAYER_BIASES if checkpoint.has(f"{layer}.{part}")]
    return {part: checkpoint.matrix(f"{layer}.{part}") for part in (*LAYER_PARTS, *present)}


class GgufCheckpoint:
    """A Llama-like checkpoint in a GGUF file."""

    def __init__(self, file: GgufFile) -> None:
        self.file = file
        self.shape = gguf_shape(file)

    def has(self, name: str) -> bool:
        """Whether the file has the matrix."""
        return self._tensor_name(name) in self.file.tensors

    def matrix(self, name: str) -> Floats:
        """The matrix, dequantised, queries and keys put back into halves."""
        matrix = self.file.tensor(self._tensor_name(name))
        expected = expected_shape(self.shape, name)
        if matrix.shape != expected:
            raise broken(f"gives '{name}' the shape {list(matrix.shape)} instead of {list(expected)}")
        if self.shape.architecture == "llama" and name.rpartition(".")[2] in ("q", "k"):
            return halves_from_pairs(matrix, self.shape.head_size)
        return matrix

    def _tensor_name(self, name: str) -> str:
        layer, _, part = name.rpartition(".")
        return f"blk.{layer}.{GGUF_LAYER_NAMES.get(part, part)}" if layer else GGUF_TOP_NAMES[name]


def halves_from_pairs(matrix: Floats, head_size: int) -> Floats:
    """Rows of each head from the order 0,h/2,1,h/2+1,… (neighbours rotate) to 0,1,… (halves rotate)."""
    rows, columns = matrix.shape
    paired = matrix.reshape(rows // head_size, head_size // 2, 2, columns)
    return np.ascontiguousarray(paired.swapaxes(1, 2)).reshape(rows, columns)


def gguf_shape(file: GgufFile) -> LlamaShape:
    """The decoder's sizes out of GGUF metadata. Raises `EngineFault` when one is missing or impossible."""
    data = file.metadata
    architecture = str(data.get("general.architecture"))

    def integer(key: str, default: int | None = None) -> int:
        return _number(data, f"{architecture}.{key}", default, int)

    hidden, heads = integer("embedding_length"), integer("attention.head_count")
    head_size = integer("attention.key_length", hidden // heads if heads else 0)
    factors = file.tensor("rope_freqs.weight").tolist() if "rope_freqs.weight" in file.tensors else None
    embedding = file.entry("token_embd.weight").shape
    return check_shape(
        LlamaShape(
            architecture=architecture,
            num_layers=integer("block_count"),
            hidden=hidden,
            num_heads=heads,
            num_kv_heads=integer("attention.head_count_kv", heads),
            head_size=head_size,
            ffn=integer("feed_forward_length"),
            vocab_size=embedding[0],
            context_tokens=integer("context_length"),
            rope_theta=_number(data, f"{architecture}.rope.freq_base", 10000.0, float),
            norm_epsilon=_number(data, f"{architecture}.attention.layer_norm_rms_epsilon", None, float),
            rope_factors=factors,
        )
    )


def _number(data: dict[str, Value], key: str, default: Number | None, kind: type[Number]) -> Number:
    value = data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise broken(f"has no usable '{key}'")
    return kind(value)
