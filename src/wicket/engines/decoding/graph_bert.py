"""A BERT sentence encoder as an OpenVINO graph: token ids in, unit-length vectors out.

The network: https://arxiv.org/abs/1810.04805; mean pooling over real tokens and normalisation as
sentence-transformers does (https://www.sbert.net).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset15 as ops

from wicket.engines.decoding.weights_openvino import linear_weights

Node = Any
Floats = NDArray[np.float32]


class BertShape(msgspec.Struct, frozen=True):
    """Sizes of the encoder, by the names of its `config.json`."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    vocab_size: int
    layer_norm_eps: float = 1e-12


def _ints(*values: int) -> Node:
    return ops.constant(np.array(values, dtype=np.int64))


def _floats(value: float) -> Node:
    return ops.constant(np.float32(value))


class _Writer:
    def __init__(self, shape: BertShape, tensor: Callable[[str], Floats], scheme: str) -> None:
        self.shape = shape
        self.tensor = tensor
        self.scheme = scheme

    def model(self) -> Any:
        ids = self._parameter("input_ids")
        mask = self._parameter("attention_mask")
        real = ops.convert(mask, "f32")
        # Padding gets a score no exponential survives; shape (texts, 1, 1, tokens).
        bias = ops.multiply(ops.subtract(real, _floats(1.0)), _floats(1e9))
        bias = ops.unsqueeze(bias, _ints(1, 2))
        hidden = self._embedding(ids)
        for layer in range(self.shape.num_hidden_layers):
            hidden = self._layer(hidden, bias, f"encoder.layer.{layer}")
        weights = ops.unsqueeze(real, _ints(-1))
        total = ops.reduce_sum(ops.multiply(hidden, weights), _ints(1), False)
        mean = ops.divide(total, ops.reduce_sum(weights, _ints(1), False))
        result = ops.result(ops.normalize_l2(mean, _ints(-1), 1e-12, "max"))
        result.output(0).set_names({"vectors"})
        return ov.Model([result], [ids, mask], "bert")

    @staticmethod
    def _parameter(name: str) -> Node:
        node = ops.parameter([-1, -1], ov.Type.i64, name=name)
        node.output(0).set_names({name})
        return node

    def _embedding(self, ids: Node) -> Node:
        words = ops.gather(self._constant("embeddings.word_embeddings.weight"), ids, _ints(0))
        # Every text is the first of its pair: one row of the token types is enough.
        first = self.tensor("embeddings.token_type_embeddings.weight")[0]
        places = ops.constant(self.tensor("embeddings.position_embeddings.weight") + first)
        length = ops.gather(ops.shape_of(ids), _ints(1), _ints(0))
        used = ops.slice(places, _ints(0), length, _ints(1), _ints(0))
        return self._norm(ops.add(words, used), "embeddings.LayerNorm")

    def _layer(self, x: Node, bias: Node, name: str) -> Node:
        attended = self._linear(self._attention(x, bias, name), f"{name}.attention.output.dense")
        x = self._norm(ops.add(x, attended), f"{name}.attention.output.LayerNorm")
        inner = ops.gelu(self._linear(x, f"{name}.intermediate.dense"), "erf")
        return self._norm(ops.add(x, self._linear(inner, f"{name}.output.dense")), f"{name}.output.LayerNorm")

    def _attention(self, x: Node, bias: Node, name: str) -> Node:
        query, key, value = (
            self._heads(self._linear(x, f"{name}.attention.self.{part}"))
            for part in ("query", "key", "value")
        )
        scale = _floats((self.shape.hidden_size // self.shape.num_attention_heads) ** -0.5)
        attended = ops.scaled_dot_product_attention(query, key, value, bias, scale)
        return ops.reshape(ops.transpose(attended, _ints(0, 2, 1, 3)), _ints(0, 0, -1), True)

    def _heads(self, x: Node) -> Node:
        heads = self.shape.num_attention_heads
        split = ops.reshape(x, _ints(0, 0, heads, self.shape.hidden_size // heads), True)
        return ops.transpose(split, _ints(0, 2, 1, 3))

    def _linear(self, x: Node, name: str) -> Node:
        product = ops.matmul(x, linear_weights(self.tensor(f"{name}.weight"), self.scheme), False, True)
        return ops.add(product, self._constant(f"{name}.bias"))

    def _norm(self, x: Node, name: str) -> Node:
        normed = ops.mvn(x, _ints(-1), True, self.shape.layer_norm_eps, "inside_sqrt")
        return ops.add(ops.multiply(normed, self._constant(f"{name}.weight")), self._constant(f"{name}.bias"))

    def _constant(self, name: str) -> Node:
        return ops.constant(self.tensor(name))


def build_encoder(shape: BertShape, tensor: Callable[[str], Floats], scheme: str = "f32") -> Any:
    """The graph: `input_ids` and `attention_mask` (texts, tokens) → `vectors` (texts, hidden).

    `scheme` is how the layers' matrices are stored (see `weights_openvino`).
    """
    return _Writer(shape, tensor, scheme).model()
