"""A Llama-like forward pass in plain numpy: slow, obvious, and independent of the engine's runtime.

It is fed layer by layer while the graph is built, so the weights are read once. Its answer to a short,
fixed prompt tells whether what the runtime compiled still computes this model.
"""

from __future__ import annotations

import numpy as np

from wicket.engines.checkpoints.llama import Floats, LlamaShape, Weights


class ReferenceForward:
    """The logits after the last of `tokens` (a few), in float32."""

    def __init__(self, shape: LlamaShape, tokens: list[int]) -> None:
        self.shape = shape
        self.tokens = [token % shape.vocab_size for token in tokens]
        angles = np.outer(np.arange(len(tokens), dtype=np.float32), shape.inverse_frequencies())
        self._cosine, self._sine = np.cos(angles), np.sin(angles)
        self._hidden: Floats = np.zeros((len(tokens), shape.hidden), dtype=np.float32)
        self.logits: Floats = np.zeros(shape.vocab_size, dtype=np.float32)

    def embed(self, table: Floats) -> None:
        """Begin with the rows of the tokens."""
        self._hidden = table[self.tokens]

    def layer(self, weights: Weights) -> None:
        """One attention and one feed-forward block."""
        x = self._norm(self._hidden, weights["attn_norm"])
        self._hidden = self._hidden + self._attention(x, weights) @ weights["o"].T
        x = self._norm(self._hidden, weights["ffn_norm"])
        gate = x @ weights["gate"].T
        gated = gate / (1.0 + np.exp(-gate)) * (x @ weights["up"].T)
        self._hidden = self._hidden + gated @ weights["down"].T

    def head(self, norm: Floats, head: Floats) -> None:
        """The logits of the last token."""
        self.logits = self._norm(self._hidden[-1:], norm)[0] @ head.T

    def _norm(self, x: Floats, weight: Floats) -> Floats:
        mean = np.mean(x * x, axis=-1, keepdims=True)
        normed: Floats = x / np.sqrt(mean + np.float32(self.shape.norm_epsilon)) * weight
        return normed

    def _heads(self, x: Floats, weights: Weights, name: str) -> Floats:
        """(heads, tokens, head size)."""
        product = x @ weights[name].T + weights.get(f"{name}_bias", np.float32(0.0))
        return product.reshape(len(x), -1, self.shape.head_size).swapaxes(0, 1)

    def _rotate(self, x: Floats) -> Floats:
        left, right = np.split(x, 2, axis=-1)
        turned = [left * self._cosine - right * self._sine, right * self._cosine + left * self._sine]
        return np.concatenate(turned, axis=-1)

    def _attention(self, x: Floats, weights: Weights) -> Floats:
        times = self.shape.num_heads // self.shape.num_kv_heads
        query = self._rotate(self._heads(x, weights, "q"))
        key = np.repeat(self._rotate(self._heads(x, weights, "k")), times, axis=0)
        value = np.repeat(self._heads(x, weights, "v"), times, axis=0)
        scores = query @ key.swapaxes(1, 2) * np.float32(self.shape.head_size**-0.5)
        scores = np.where(np.tri(len(x), dtype=np.bool_), scores, -np.inf)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores = scores / scores.sum(axis=-1, keepdims=True)
        merged: Floats = (scores @ value).swapaxes(0, 1).reshape(len(x), -1)
        return merged
