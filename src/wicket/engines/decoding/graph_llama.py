"""A Llama-like checkpoint as an OpenVINO graph with paged attention.

The graph is first written with a stateful key-value cache (ReadValue, Concat, ScaledDotProductAttention,
Assign), the form that OpenVINO's own transformation turns into paged attention; see
`openvino/pass/sdpa_to_paged_attention.hpp` of https://github.com/openvinotoolkit/openvino. Afterwards the
leading axis counts tokens of all sequences together, and the second axis is 1.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset15 as ops
from openvino._offline_transformations import paged_attention_transformation
from openvino.op.util import Variable, VariableInfo

from wicket.engines.checkpoints.llama import Floats, LlamaCheckpoint, LlamaShape, Weights, layer_weights
from wicket.engines.decoding.reference_llama import ReferenceForward
from wicket.engines.decoding.weights_openvino import GROUPS, linear_weights, symmetric_int8

Node = Any

# What int8 leaves in f16, with exact inputs. Measured on SmolLM2 as the share of 40 first tokens that agree
# with float32: 1.0 with, .95 without, at the same prefill speed. Exact `down` too: a third slower prefill.
EXACT_PRODUCTS = (("q", "k", "v"),)


def _ints(*values: int) -> Node:
    return ops.constant(np.array(values, dtype=np.int64))


def _scalar(value: float) -> Node:
    return ops.constant(np.float32(value))


class _Inputs:
    """Parameters of the graph before the transformation, by OpenVINO's names."""

    def __init__(self) -> None:
        self.input_ids = self._parameter("input_ids", [-1, -1], ov.Type.i64)
        self.position_ids = self._parameter("position_ids", [-1, -1], ov.Type.i64)
        self.beam_idx = self._parameter("beam_idx", [-1], ov.Type.i32)
        self.wanted = self._parameter("wanted", [-1], ov.Type.i64)

    @staticmethod
    def _parameter(name: str, shape: list[int], kind: Any) -> Node:
        node = ops.parameter(shape, kind, name=name)
        node.output(0).set_names({name})
        return node

    def all(self) -> list[Node]:
        return [self.input_ids, self.position_ids, self.beam_idx, self.wanted]


class _Writer:
    """Writes one decoder, layer by layer."""

    def __init__(self, checkpoint: LlamaCheckpoint, scheme: str, reference: ReferenceForward) -> None:
        self.checkpoint = checkpoint
        self.shape: LlamaShape = checkpoint.shape
        self.scheme = scheme
        self.reference = reference
        self.inputs = _Inputs()
        self.batch = ops.gather(ops.shape_of(self.inputs.input_ids), _ints(0), _ints(0))
        self.sinks: list[Node] = []
        self.rotation = self._rotation()

    def model(self) -> Any:
        table = self.checkpoint.matrix("embed")
        self.reference.embed(table)
        hidden = self._embedding(table)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="weights") as ahead:
            # The next layer's weights are read while this one is compressed.
            following = ahead.submit(layer_weights, self.checkpoint, 0)
            for layer in range(self.shape.num_layers):
                weights = following.result()
                if layer + 1 < self.shape.num_layers:
                    following = ahead.submit(layer_weights, self.checkpoint, layer + 1)
                self.reference.layer(weights)
                attended = self._attention(self._norm(hidden, weights["attn_norm"]), weights, layer)
                hidden = ops.add(hidden, attended)
                hidden = ops.add(hidden, self._feed_forward(self._norm(hidden, weights["ffn_norm"]), weights))
        return ov.Model([self._head(hidden, table)], self.sinks, self.inputs.all(), "llama")

    def _head(self, hidden: Node, table: Floats) -> Node:
        norm = self.checkpoint.matrix("norm")
        head = self.checkpoint.matrix("head") if self.checkpoint.has("head") else table
        self.reference.head(norm, head)
        flat = ops.reshape(hidden, _ints(-1, self.shape.hidden), False)
        rows = self._norm(ops.gather(flat, self.inputs.wanted, _ints(0)), norm)
        result = ops.result(ops.matmul(rows, linear_weights(head, self.scheme), False, True))
        result.output(0).set_names({"logits"})
        return result

    def _embedding(self, table: Floats) -> Node:
        ids = self.inputs.input_ids
        if self.scheme not in GROUPS:
            kind = np.float32 if self.scheme == "f32" else np.float16
            return ops.convert(ops.gather(ops.constant(table.astype(kind)), ids, _ints(0)), "f32")
        codes, scales = symmetric_int8(table, table.shape[1])
        rows = ops.convert(ops.gather(ops.constant(codes.reshape(table.shape)), ids, _ints(0)), "f32")
        return ops.multiply(rows, ops.gather(ops.constant(scales.reshape(-1, 1)), ids, _ints(0)))

    def _norm(self, x: Node, weight: Floats) -> Node:
        square = ops.power(x, _scalar(2.0))
        mean = ops.add(ops.reduce_mean(square, _ints(-1), True), _scalar(self.shape.norm_epsilon))
        scaled = ops.multiply(x, ops.divide(_scalar(1.0), ops.sqrt(mean)))
        return ops.multiply(scaled, ops.constant(weight))

    def _linear(self, x: Node, weights: Weights, *names: str) -> Node:
        """One product with several matrices stacked, so that the input is read once."""
        matrix = np.concatenate([weights[name] for name in names])
        scheme = "f16" if self.scheme == "int8" and names in EXACT_PRODUCTS else self.scheme
        product = ops.matmul(x, linear_weights(matrix, scheme), False, True)
        biases = [weights[f"{name}_bias"] for name in names if f"{name}_bias" in weights]
        return ops.add(product, ops.constant(np.concatenate(biases))) if biases else product

    def _rotation(self) -> tuple[Node, Node]:
        """Cosine and sine of every token's angles, repeated for both halves of a head."""
        positions = ops.convert(ops.unsqueeze(self.inputs.position_ids, _ints(-1)), "f32")
        speeds = ops.constant(self.shape.inverse_frequencies().reshape(1, 1, -1))
        angles = ops.multiply(positions, speeds)
        both = ops.unsqueeze(ops.concat([angles, angles], -1), _ints(1))
        return ops.cos(both), ops.sin(both)

    def _rotate(self, x: Node) -> Node:
        half = self.shape.head_size // 2
        left, right = ops.variadic_split(x, ops.constant(np.int64(3)), _ints(half, half)).outputs()
        turned = ops.concat([ops.multiply(right, _scalar(-1.0)), left], -1)
        cosine, sine = self.rotation
        return ops.add(ops.multiply(x, cosine), ops.multiply(turned, sine))

    def _heads(self, x: Node, count: int) -> Node:
        split = ops.reshape(x, _ints(0, 0, count, self.shape.head_size), True)
        return ops.transpose(split, _ints(0, 2, 1, 3))

    def _attention(self, x: Node, weights: Weights, layer: int) -> Node:
        shape = self.shape
        q_size, kv_size = shape.num_heads * shape.head_size, shape.num_kv_heads * shape.head_size
        joined = self._linear(x, weights, "q", "k", "v")
        q, k, v = ops.variadic_split(joined, _ints(-1), _ints(q_size, kv_size, kv_size)).outputs()
        query = self._rotate(self._heads(q, shape.num_heads))
        keys = self._cache(f"key.{layer}", self._rotate(self._heads(k, shape.num_kv_heads)))
        values = self._cache(f"value.{layer}", self._heads(v, shape.num_kv_heads))
        mask = ops.constant(np.zeros((1, 1, 1, 1), np.float32))
        attended = ops.scaled_dot_product_attention(
            query, self._repeat(keys), self._repeat(values), mask, _scalar(shape.head_size**-0.5)
        )
        merged = ops.reshape(ops.transpose(attended, _ints(0, 2, 1, 3)), _ints(0, 0, q_size), True)
        return self._linear(merged, weights, "o")

    def _cache(self, name: str, current: Node) -> Node:
        """The cache of one layer with the current tokens appended, the way the transformation knows it."""
        heads, size = self.shape.num_kv_heads, self.shape.head_size
        empty = ops.broadcast(_scalar(0.0), ops.concat([self.batch, _ints(heads, 0, size)], 0))
        info = VariableInfo()
        info.data_shape = ov.PartialShape([-1, heads, -1, size])
        info.data_type = ov.Type.f32
        info.variable_id = name
        variable = Variable(info)
        past = ops.gather(ops.read_value(empty, variable), self.inputs.beam_idx, _ints(0))
        whole = ops.concat([past, current], 2)
        self.sinks.append(ops.assign(whole, variable))
        return whole

    def _repeat(self, cache: Node) -> Node:
        """Each key-value head once for every query head that reads it."""
        times = self.shape.num_heads // self.shape.num_kv_heads
        if times == 1:
            return cache
        length = ops.gather(ops.shape_of(cache), _ints(2), _ints(0))
        groups = _ints(self.shape.num_kv_heads, times)
        sizes = ops.concat([self.batch, groups, length, _ints(self.shape.head_size)], 0)
        wide = ops.broadcast(ops.unsqueeze(cache, _ints(2)), sizes, "BIDIRECTIONAL")
        return ops.reshape(wide, _ints(0, self.shape.num_heads, -1, self.shape.head_size), True)

    def _feed_forward(self, x: Node, weights: Weights) -> Node:
        ffn = self.shape.ffn
        joined = self._linear(x, weights, "gate", "up")
        gate, up = ops.variadic_split(joined, _ints(-1), _ints(ffn, ffn)).outputs()
        return self._linear(ops.multiply(ops.swish(gate), up), weights, "down")


def build_model(checkpoint: LlamaCheckpoint, scheme: str, reference: ReferenceForward) -> Any:
    """The decoder with a stateful cache; `reference` is walked through the same weights on the way."""
    return _Writer(checkpoint, scheme, reference).model()


def use_paged_attention(model: Any) -> None:
    """Turn the stateful cache into paged attention, in place.

    Inputs afterwards: `input_ids`, `position_ids` (tokens of all sequences, one after the other), `wanted`
    (rows of which logits are computed), `past_lens`, `subsequence_begins`, `block_indices`,
    `block_indices_begins`, `max_context_len`, `key_cache.N`, `value_cache.N`.
    Output: `logits` (wanted rows, vocabulary).
    """
    paged_attention_transformation(model)
