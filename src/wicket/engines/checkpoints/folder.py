"""A Hugging Face folder as a Llama-like checkpoint: `config.json` and `*.safetensors`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from wicket.engines.checkpoints.gguf import broken
from wicket.engines.checkpoints.llama import Floats, LlamaShape, check_shape, expected_shape
from wicket.engines.checkpoints.safetensors_file import SafetensorsFile
from wicket.engines.checkpoints.tokenizer_folder import read_json
from wicket.errors import EngineFault

MAX_FILES = 256
LAYER_NAMES = {
    "attn_norm": "input_layernorm.weight",
    "q": "self_attn.q_proj.weight",
    "k": "self_attn.k_proj.weight",
    "v": "self_attn.v_proj.weight",
    "o": "self_attn.o_proj.weight",
    "ffn_norm": "post_attention_layernorm.weight",
    "gate": "mlp.gate_proj.weight",
    "up": "mlp.up_proj.weight",
    "down": "mlp.down_proj.weight",
    "q_bias": "self_attn.q_proj.bias",
    "k_bias": "self_attn.k_proj.bias",
    "v_bias": "self_attn.v_proj.bias",
}
TOP_NAMES = {"embed": "model.embed_tokens.weight", "norm": "model.norm.weight", "head": "lm_head.weight"}


class FolderCheckpoint:
    """A Llama-like checkpoint in a folder."""

    def __init__(self, folder: Path) -> None:
        config = read_json(folder / "config.json")
        self.shape = folder_shape(config)
        self._is_tied = config.get("tie_word_embeddings") is True
        paths = sorted(folder.glob("*.safetensors"))
        if not 0 < len(paths) <= MAX_FILES:
            raise EngineFault("bad_checkpoint", f"{folder.name} has no .safetensors file to read.")
        files = [SafetensorsFile(path) for path in paths]
        self._file_of = {name: file for file in files for name in file.names()}

    def has(self, name: str) -> bool:
        """Whether the folder has the matrix; a tied `head` counts as missing."""
        return self._tensor_name(name) in self._file_of and not (name == "head" and self._is_tied)

    def matrix(self, name: str) -> Floats:
        """The matrix as float32."""
        tensor_name = self._tensor_name(name)
        if tensor_name not in self._file_of:
            raise broken(f"has no tensor '{tensor_name}'")
        matrix = self._file_of[tensor_name].tensor(tensor_name)
        expected = expected_shape(self.shape, name)
        if matrix.shape != expected:
            raise broken(f"gives '{tensor_name}' the shape {list(matrix.shape)} instead of {list(expected)}")
        return matrix

    def _tensor_name(self, name: str) -> str:
        layer, _, part = name.rpartition(".")
        return f"model.layers.{layer}.{LAYER_NAMES[part]}" if layer else TOP_NAMES[name]


def folder_shape(config: dict[str, Any]) -> LlamaShape:
    """The decoder's sizes out of `config.json`. Raises `EngineFault` when one is missing or impossible."""

    def integer(key: str, default: int | None = None) -> int:
        value = config.get(key)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise broken(f"has no usable '{key}' in config.json")
        return value

    def real(key: str, default: float) -> float:
        value = config.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise broken(f"has no usable '{key}' in config.json")
        return float(value)

    hidden, heads = integer("hidden_size"), integer("num_attention_heads")
    head_size = integer("head_dim", hidden // heads)
    # Newer configurations keep both in one place.
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = rope.get("rope_theta") if isinstance(rope, dict) else None
    theta = float(theta) if isinstance(theta, int | float) else real("rope_theta", 10000.0)
    return check_shape(
        LlamaShape(
            architecture=str(config.get("model_type")),
            num_layers=integer("num_hidden_layers"),
            hidden=hidden,
            num_heads=heads,
            num_kv_heads=integer("num_key_value_heads", heads),
            head_size=head_size,
            ffn=integer("intermediate_size"),
            vocab_size=integer("vocab_size"),
            context_tokens=integer("max_position_embeddings"),
            rope_theta=theta,
            norm_epsilon=real("rms_norm_eps", 1e-6),
            rope_factors=rope_factors(rope, theta, head_size),
        )
    )


def rope_factors(rope: Any, theta: float, head_size: int) -> list[float] | None:
    """By what each rotation frequency is divided; None for plain rotation.

    "linear" divides all, "llama3" the slow ones (https://arxiv.org/abs/2407.21783, and the checkpoint's
    own configuration). Raises `EngineFault` for other kinds.
    """
    kind = rope.get("rope_type", rope.get("type", "default")) if isinstance(rope, dict) else None
    if kind == "default":
        return None
    try:
        factor = float(rope["factor"])
        if kind == "linear" and factor > 0:
            return [factor] * (head_size // 2)
        if kind == "llama3":
            low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
            original = float(rope["original_max_position_embeddings"])
            lengths = [2 * math.pi * theta ** (2 * pair / head_size) for pair in range(head_size // 2)]
            return [_llama3_factor(original / length, factor, low, high) for length in lengths]
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise broken("has broken rotation parameters in config.json") from None
    raise EngineFault("bad_checkpoint", f"The rotation scaling {kind!r} is not known here.")


def _llama3_factor(turns: float, factor: float, low: float, high: float) -> float:
    """`turns`: how often a pair turns within the original context."""
    if turns < low:
        return factor
    if turns > high:
        return 1.0
    smooth = (turns - low) / (high - low)
    return 1.0 / ((1.0 - smooth) / factor + smooth)
