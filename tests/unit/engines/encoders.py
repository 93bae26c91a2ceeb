"""Tiny BERT encoders with a head for tests, from plain numpy, and their forward pass."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from tests.unit.engines.checkpoints import Floats, Weights, safetensors

HIDDEN, HEADS, INNER, LAYERS, PLACES = 32, 4, 48, 2, 64
CONTROL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = ["my", "card", "is", "lost", "open", "a", "account", "##s", "ha", "loan", "bank"]
PIECES = [*CONTROL, *WORDS, *"bcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghijklmnop")]
LABELS = ["card_lost", "account_open", "something else"]
_norm = np.linalg.norm


def random_weights(seed: int = 0, labels: int = len(LABELS)) -> Weights:
    """A random encoder's tensors by their Hugging Face names, with a head."""
    random = np.random.default_rng(seed)

    def matrix(*shape: int, scale: float = 0.2) -> Floats:
        return (random.standard_normal(shape) * scale).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": matrix(len(PIECES), HIDDEN, scale=1.0),
        "embeddings.position_embeddings.weight": matrix(PLACES, HIDDEN),
        "embeddings.token_type_embeddings.weight": matrix(2, HIDDEN),
        "embeddings.LayerNorm.weight": 1 + matrix(HIDDEN),
        "embeddings.LayerNorm.bias": matrix(HIDDEN),
    }
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        sizes = {
            "attention.self.query": (HIDDEN, HIDDEN),
            "attention.self.key": (HIDDEN, HIDDEN),
            "attention.self.value": (HIDDEN, HIDDEN),
            "attention.output.dense": (HIDDEN, HIDDEN),
            "intermediate.dense": (INNER, HIDDEN),
            "output.dense": (HIDDEN, INNER),
        }
        for part, shape in sizes.items():
            weights[f"{name}.{part}.weight"] = matrix(*shape)
            weights[f"{name}.{part}.bias"] = matrix(shape[0])
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights[f"{name}.{part}.weight"] = 1 + matrix(HIDDEN)
            weights[f"{name}.{part}.bias"] = matrix(HIDDEN)
    centroids = matrix(labels, HIDDEN, scale=1.0)
    return weights | {
        "classifier.weight": matrix(labels, HIDDEN, scale=3.0),
        "classifier.bias": matrix(labels),
        "classifier.centroids": centroids / _norm(centroids, axis=1, keepdims=True),
    }


def config(**changes: Any) -> dict[str, Any]:
    """The encoder's configuration."""
    return {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
        "max_position_embeddings": PLACES,
        "vocab_size": len(PIECES),
        "layer_norm_eps": 1e-12,
        "classifier_pooling": "mean",
        "id2label": {str(index): label for index, label in enumerate(LABELS)},
    } | changes


def write_encoder(folder: Path, weights: Weights, max_tokens: int = 24, **changes: Any) -> Path:
    """The encoder as a folder with a tokenizer of word pieces."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    folder.mkdir(parents=True, exist_ok=True)
    inner = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.add_special_tokens(CONTROL)
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    inner.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(config(**changes)))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": max_tokens}))
    (folder / "model.safetensors").write_bytes(safetensors(weights))
    return folder


def forward(weights: Weights, ids: list[int]) -> Floats:
    """The unit vector of one text."""

    def linear(x: Floats, name: str) -> Floats:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def normed(x: Floats, name: str) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    x = weights["embeddings.word_embeddings.weight"][ids].astype(np.float64)
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = normed(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    size = HIDDEN // HEADS
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        q, k, v = (linear(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
        heads = []
        for at in range(0, HIDDEN, size):
            one = slice(at, at + size)
            scores = np.exp(q[:, one] @ k[:, one].T / math.sqrt(size))
            heads.append(scores / scores.sum(-1, keepdims=True) @ v[:, one])
        x = normed(
            x + linear(np.hstack(heads), f"{name}.attention.output.dense"),
            f"{name}.attention.output.LayerNorm",
        )
        inner = linear(x, f"{name}.intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = normed(x + linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    mean = x.mean(0)
    unit: Floats = mean / _norm(mean)
    return unit
