"""Tiny checkpoints for tests: written as GGUF or as a Hugging Face folder, from plain numpy."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Weights = dict[str, Floats]

DATA = Path(__file__).resolve().parents[2] / "data"
HIDDEN, HEADS, KV_HEADS, FFN, LAYERS = 64, 4, 2, 128, 2


def letters() -> list[str]:
    """The 256 byte letters of GPT-2's alphabet, in byte order."""
    from wicket.engines.checkpoints.vocabulary_bytes import byte_letters

    return [letter for letter, _ in sorted(byte_letters().items(), key=lambda item: item[1])]


def vocabulary() -> list[str]:
    """Bytes, a few merges, and two control tokens: ids 0-255, 256-259, 260 (begin) and 261 (end)."""
    return [*letters(), "he", "ll", "hell", "hello", "<|start|>", "<|end|>"]


MERGES = ["h e", "l l", "he ll", "hell o"]


def random_weights(seed: int = 0, vocab_size: int = 262) -> Weights:
    """A random decoder's matrices by their Hugging Face names, queries and keys in halves."""
    random = np.random.default_rng(seed)
    size = HIDDEN // HEADS

    def matrix(*shape: int) -> Floats:
        return (random.standard_normal(shape) * 0.15).astype(np.float32)

    weights = {
        "model.embed_tokens.weight": matrix(vocab_size, HIDDEN) * 4,
        "model.norm.weight": 1 + matrix(HIDDEN),
    }
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        weights |= {
            f"{name}.input_layernorm.weight": 1 + matrix(HIDDEN),
            f"{name}.post_attention_layernorm.weight": 1 + matrix(HIDDEN),
            f"{name}.self_attn.q_proj.weight": matrix(HEADS * size, HIDDEN),
            f"{name}.self_attn.k_proj.weight": matrix(KV_HEADS * size, HIDDEN),
            f"{name}.self_attn.v_proj.weight": matrix(KV_HEADS * size, HIDDEN),
            f"{name}.self_attn.o_proj.weight": matrix(HIDDEN, HEADS * size),
            f"{name}.mlp.gate_proj.weight": matrix(FFN, HIDDEN),
            f"{name}.mlp.up_proj.weight": matrix(FFN, HIDDEN),
            f"{name}.mlp.down_proj.weight": matrix(HIDDEN, FFN),
        }
    return weights


def safetensors(tensors: Weights) -> bytes:
    """A safetensors file with float32 tensors."""
    header: dict[str, object] = {}
    data = b""
    for name, tensor in tensors.items():
        raw = np.ascontiguousarray(tensor, dtype=np.float32).tobytes()
        shape, offsets = list(tensor.shape), [len(data), len(data) + len(raw)]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def text_value(text: str | bytes) -> bytes:
    """A GGUF string."""
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def value(item: object) -> bytes:
    """A GGUF value with its type in front."""
    if isinstance(item, bool):
        return struct.pack("<I?", 7, item)
    if isinstance(item, int):
        return struct.pack("<II", 4, item)
    if isinstance(item, float):
        return struct.pack("<If", 6, item)
    if isinstance(item, str):
        return struct.pack("<I", 8) + text_value(item)
    assert isinstance(item, list)
    kinds = {int: 5, float: 6, str: 8}
    kind = kinds[type(item[0])]
    forms = {5: "<i", 6: "<f"}
    parts = [text_value(part) if kind == 8 else struct.pack(forms[kind], part) for part in item]
    return struct.pack("<IIQ", 9, kind, len(item)) + b"".join(parts)


def gguf(metadata: dict[str, object], tensors: Weights) -> bytes:
    """A GGUF file with float32 tensors."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(text_value(key) + value(item) for key, item in metadata.items())
    data = b""
    for name, tensor in tensors.items():
        data += b"\0" * (-len(data) % 32)
        shape = tensor.shape[::-1]
        head += text_value(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += np.ascontiguousarray(tensor, dtype=np.float32).tobytes()
    return head + b"\0" * (-len(head) % 32) + data


def gguf_metadata() -> dict[str, object]:
    """Metadata of the tiny decoder with its vocabulary."""
    return {
        "general.architecture": "llama",
        "llama.block_count": LAYERS,
        "llama.context_length": 512,
        "llama.embedding_length": HIDDEN,
        "llama.feed_forward_length": FFN,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KV_HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.freq_base": 10000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": vocabulary(),
        "tokenizer.ggml.token_type": [1] * 260 + [3, 3],
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.bos_token_id": 260,
        "tokenizer.ggml.eos_token_id": 261,
        "tokenizer.chat_template": "{{ messages }}",
    }


def pairs_from_halves(matrix: Floats, size: int) -> Floats:
    """Rows of queries or keys in the order GGUF keeps them."""
    return matrix.reshape(-1, 2, size // 2, matrix.shape[1]).swapaxes(1, 2).reshape(matrix.shape)


def write_gguf(path: Path, weights: Weights) -> Path:
    """The tiny decoder as a GGUF file."""
    names = {
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    tensors = {
        "token_embd.weight": weights["model.embed_tokens.weight"],
        "output_norm.weight": weights["model.norm.weight"],
    }
    for layer in range(LAYERS):
        for ours, theirs in names.items():
            matrix = weights[f"model.layers.{layer}.{ours}.weight"]
            if theirs in ("attn_q", "attn_k"):
                matrix = pairs_from_halves(matrix, HIDDEN // HEADS)
            tensors[f"blk.{layer}.{theirs}.weight"] = matrix
    path.write_bytes(gguf(gguf_metadata(), tensors))
    return path


def config(vocab_size: int, **changes: object) -> dict[str, object]:
    """A Hugging Face configuration of the tiny decoder."""
    return {
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": FFN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "vocab_size": vocab_size,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "eos_token_id": 261,
    } | changes


def write_folder(folder: Path, weights: Weights, settings: dict[str, object], inner: object) -> Path:
    """A decoder as a Hugging Face folder; `inner` is a `tokenizers` tokenizer."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "model.safetensors").write_bytes(safetensors(weights))
    inner.save(str(folder / "tokenizer.json"))  # type: ignore[attr-defined]
    return folder


def write_stories(folder: Path) -> Path:
    """stories260K as a Hugging Face folder.

    The `.bin` holds seven integers and then the matrices as float32, layer after layer of one kind
    (llama2.c, export.py, version 0); its queries and keys rotate neighbours.
    """
    from tokenizers import AddedToken, Tokenizer, models

    raw = (DATA / "stories260K" / "stories260K.bin").read_bytes()
    dim, ffn, layers, heads, kv_heads, vocab, length = struct.unpack("<7i", raw[:28])
    numbers = np.frombuffer(raw, dtype=np.float32, offset=28)
    size = dim // heads
    at = 0

    def take(*shape: int) -> Floats:
        nonlocal at
        count = int(np.prod(shape))
        at += count
        return numbers[at - count : at].reshape(shape)

    def halves(matrix: Floats) -> Floats:
        return matrix.reshape(-1, size // 2, 2, dim).swapaxes(1, 2).reshape(matrix.shape)

    weights = {"model.embed_tokens.weight": take(vocab, dim)}
    kinds = {
        "input_layernorm": (dim,),
        "self_attn.q_proj": (dim, dim),
        "self_attn.k_proj": (kv_heads * size, dim),
        "self_attn.v_proj": (kv_heads * size, dim),
        "self_attn.o_proj": (dim, dim),
        "post_attention_layernorm": (dim,),
        "mlp.gate_proj": (ffn, dim),
        "mlp.down_proj": (dim, ffn),
        "mlp.up_proj": (ffn, dim),
    }
    for name, shape in kinds.items():
        for layer in range(layers):
            matrix = take(*shape)
            turned = halves(matrix) if "q_proj" in name or "k_proj" in name else matrix
            weights[f"model.layers.{layer}.{name}.weight"] = turned
    weights["model.norm.weight"] = take(dim)
    pieces = stories_pieces()
    # Bytes 0-255 are pieces 3-258, spelled <0xNN>.
    inner = Tokenizer(models.BPE(vocab={piece: n for n, piece in enumerate(pieces)}, merges=[]))
    inner.add_special_tokens([AddedToken(piece, special=True) for piece in pieces[:3]])
    settings = config(
        vocab,
        hidden_size=dim,
        intermediate_size=ffn,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=length,
        eos_token_id=1,
    )
    return write_folder(folder, weights, settings, inner)


def stories_pieces() -> list[str]:
    """The 512 pieces of tok512.bin: a score, a length and that many bytes each, after one integer."""
    raw = (DATA / "stories260K" / "tok512.bin").read_bytes()
    at, pieces = 4, []
    while at < len(raw):
        _, length = struct.unpack_from("<fi", raw, at)
        text = raw[at + 8 : at + 8 + length].decode()
        at += 8 + length
        pieces.append(text.replace(" ", "\u2581") if text != "\n" else text)
    pieces[:3] = ["<unk>", "<s>", "</s>"]
    return pieces
