"""The oracle: a Llama checkpoint out of a GGUF file, run in float32 by plain torch.

Written to be read, not to be fast. Nothing is quantised at run time: stored blocks are expanded to
float32 once, so what differs between an engine and this is the engine's own arithmetic.
Architecture: pre-norm RMSNorm and SwiGLU (Touvron et al. 2023), rotary positions (Su et al. 2021), grouped
queries (Ainslie et al. 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


@dataclass(frozen=True)
class LlamaShape:
    layers: int
    width: int
    ffn: int
    heads: int
    kv_heads: int
    vocab: int
    context: int
    rope_base: float
    norm_epsilon: float

    @property
    def head_width(self) -> int:
        return self.width // self.heads


class TorchLlama:
    """One checkpoint in float32. `weights` has the GGUF names; matrices are (outputs, inputs)."""

    def __init__(self, shape: LlamaShape, weights: dict[str, Tensor]) -> None:
        self.shape = shape
        self.weights = weights

    @torch.inference_mode()
    def forward(self, ids: list[int], cache: list[tuple[Tensor, Tensor]] | None = None) -> Tensor:
        """Logits (len(ids), vocab). A `cache` (one pair per layer, or empty) is read and extended."""
        past = cache[0][0].shape[1] if cache else 0
        w = self.weights
        x = w["token_embd.weight"][torch.tensor(ids)]
        angles = self._angles(past, len(ids))
        kept = []
        for layer in range(self.shape.layers):
            p = f"blk.{layer}."
            old = cache[layer] if cache else None
            out, pair = self._attention(p, self._norm(x, w[p + "attn_norm.weight"]), angles, old)
            kept.append(pair)
            x = x + out
            h = self._norm(x, w[p + "ffn_norm.weight"])
            x = x + (F.silu(h @ w[p + "ffn_gate.weight"].T) * (h @ w[p + "ffn_up.weight"].T)) @ (
                w[p + "ffn_down.weight"].T
            )
        if cache is not None:
            cache[:] = kept
        return self._norm(x, w["output_norm.weight"]) @ w["output.weight"].T

    def greedy(self, ids: list[int], count: int) -> list[int]:
        """The next `count` tokens, the likeliest each time (the lowest id among equals)."""
        cache: list[tuple[Tensor, Tensor]] = []
        logits, out = self.forward(ids, cache), []
        for _ in range(count):
            out.append(int(logits[-1].argmax()))
            logits = self.forward(out[-1:], cache)
        return out

    def next_logprobs(self, ids: list[int]) -> Tensor:
        """Natural-log probabilities (vocab,) of the token after `ids`."""
        return torch.log_softmax(self.forward(ids)[-1], dim=-1)

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.shape.norm_epsilon) * weight

    def _angles(self, start: int, count: int) -> Tensor:
        half = self.shape.head_width // 2
        rates = self.shape.rope_base ** (-torch.arange(half, dtype=torch.float64) / half)
        turns = torch.outer(torch.arange(start, start + count, dtype=torch.float64), rates)
        return torch.polar(torch.ones_like(turns), turns).to(torch.complex64)

    def _rotated(self, x: Tensor, angles: Tensor) -> Tensor:
        # GGUF stores q and k rows permuted, so that each rotated pair is two neighbours (2i, 2i+1).
        pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
        return torch.view_as_real(pairs * angles).flatten(-2)

    def _attention(
        self, p: str, x: Tensor, angles: Tensor, old: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        n, d = x.shape[0], self.shape.head_width

        def heads(kind: str, count: int) -> Tensor:
            return (x @ self.weights[f"{p}attn_{kind}.weight"].T).view(n, count, d).transpose(0, 1)

        q = self._rotated(heads("q", self.shape.heads), angles)
        k = self._rotated(heads("k", self.shape.kv_heads), angles)
        v = heads("v", self.shape.kv_heads)
        if old is not None:
            k, v = torch.cat([old[0], k], dim=1), torch.cat([old[1], v], dim=1)
        group = self.shape.heads // self.shape.kv_heads
        scores = q @ k.repeat_interleave(group, dim=0).transpose(1, 2) * d**-0.5
        behind = torch.ones(n, k.shape[1], dtype=torch.bool).tril(k.shape[1] - n)
        mixed = scores.masked_fill(~behind, float("-inf")).softmax(-1) @ v.repeat_interleave(group, dim=0)
        out = mixed.transpose(0, 1).reshape(n, -1) @ self.weights[p + "attn_output.weight"].T
        return out, (k, v)


def load(path: Path) -> TorchLlama:
    """Read a GGUF file of the llama architecture; every stored type is expanded to float32."""
    reader = gguf.GGUFReader(path)

    def field(name: str) -> Any:
        return reader.fields[f"llama.{name}"].contents()

    weights = {
        t.name: torch.from_numpy(np.array(gguf.quants.dequantize(t.data, t.tensor_type), dtype=np.float32))
        for t in reader.tensors
    }
    # A checkpoint with tied embeddings stores the matrix once.
    weights.setdefault("output.weight", weights["token_embd.weight"])
    shape = LlamaShape(
        layers=field("block_count"),
        width=field("embedding_length"),
        ffn=field("feed_forward_length"),
        heads=field("attention.head_count"),
        kv_heads=field("attention.head_count_kv"),
        vocab=weights["token_embd.weight"].shape[0],
        context=field("context_length"),
        rope_base=field("rope.freq_base"),
        norm_epsilon=field("attention.layer_norm_rms_epsilon"),
    )
    return TorchLlama(shape, weights)


def as_transformers(model: TorchLlama) -> Any:
    """The same weights in transformers' LlamaForCausalLM (float32, eager), with q and k put back in order."""
    from transformers import LlamaConfig, LlamaForCausalLM

    s = model.shape
    config = LlamaConfig(
        vocab_size=s.vocab,
        hidden_size=s.width,
        intermediate_size=s.ffn,
        num_hidden_layers=s.layers,
        num_attention_heads=s.heads,
        num_key_value_heads=s.kv_heads,
        max_position_embeddings=s.context,
        rms_norm_eps=s.norm_epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": s.rope_base},
        tie_word_embeddings=False,
        attn_implementation="eager",
    )
    names = {
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    state = {
        "model.embed_tokens.weight": model.weights["token_embd.weight"],
        "model.norm.weight": model.weights["output_norm.weight"],
        "lm_head.weight": model.weights["output.weight"],
    }
    for name, weight in model.weights.items():
        if name.startswith("blk."):
            _, layer, kind, _ = name.split(".")
            if kind in ("attn_q", "attn_k"):
                weight = weight.unflatten(0, (-1, s.head_width // 2, 2)).transpose(1, 2).flatten(0, 2)
            state[f"model.layers.{layer}.{names[kind]}.weight"] = weight
    other = LlamaForCausalLM(config)
    other.load_state_dict(state, strict=True)
    return other.eval()
