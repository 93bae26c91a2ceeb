"""A run's vocabulary: a GGUF file without tensors, whatever it was made from. Exports copy it key by key.

Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (`tokenizer.ggml.*`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gguf

from wicket.engines.checkpoints.tokenizer_folder import read_json
from wicket.engines.checkpoints.tokenizer_gguf import BY_EXPRESSION
from wicket.errors import EngineFault
from wicket.lab.llama2c import read_pieces
from wicket.wire import json

LEAST_TRAINED = 260  # 256 bytes, the end of a text, two markers, and one merge
ENDING = "<|endoftext|>"
MARKERS = (ENDING, "<|im_start|>", "<|im_end|>")
_NORMAL, _UNKNOWN, _CONTROL, _USER, _BYTE = 1, 2, 3, 4, 6


def train_vocabulary(path: Path, texts: Iterable[str], size: int) -> None:
    """Byte-level BPE (Sennrich et al. 2016; Radford et al. 2019) of `size` tokens with ChatML's markers.

    Raises `EngineFault` for a size that does not hold the bytes.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    if size < LEAST_TRAINED:
        raise EngineFault("bad_vocabulary", f"A vocabulary has at least {LEAST_TRAINED} tokens, not {size}.")
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(MARKERS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    model = json.decode(inner.to_str().encode())["model"]
    _write_bpe(path, model, dict.fromkeys(MARKERS, _CONTROL), "gpt-2", end=ENDING, start="")


def copy_vocabulary(path: Path, source: Path) -> None:
    """That of a GGUF file or of a Hugging Face folder with byte-level BPE."""
    if source.is_dir():
        _from_folder(path, source)
        return
    writer = _writer(path)
    for key, field in gguf.GGUFReader(source).fields.items():
        if key.startswith("tokenizer."):
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(key, field.contents(), field.types[0], inner)
    _close(writer, path)


def pieces_vocabulary(path: Path, source: Path) -> None:
    """That of llama2.c: pieces with scores, bytes at their places 3 to 258."""
    pieces = read_pieces(source)
    if len(pieces) < 259:
        raise EngineFault("bad_vocabulary", f"{source.name} has {len(pieces)} pieces, too few for all bytes.")
    texts = [piece.text.replace(" ", "\u2581") for piece in pieces]
    texts[:3] = ["<unk>", "<s>", "</s>"]
    texts[3:259] = [f"<0x{byte:02X}>" for byte in range(256)]
    writer = _writer(path)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(texts)
    writer.add_token_scores([piece.score for piece in pieces])
    kinds = [_NORMAL] * len(pieces)
    kinds[:259] = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256]
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(True)
    _close(writer, path)


def vocabulary_hash(path: Path) -> str:
    """SHA-256 of how it numbers tokens: two models with the same one can be distilled into each other."""
    fields = gguf.GGUFReader(path).fields
    digest = hashlib.sha256()
    for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.scores"):
        if key in fields:
            digest.update(json.encode(fields[key].contents()))
    return digest.hexdigest()


def _from_folder(path: Path, folder: Path) -> None:
    document = read_json(folder / "tokenizer.json")
    model = document.get("model") or {}
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise EngineFault("bad_vocabulary", f"{folder.name}: only byte-level BPE can be taken from a folder.")
    config = read_json(folder / "tokenizer_config.json")
    kinds = {}
    for token in document.get("added_tokens", []):
        model["vocab"].setdefault(token["content"], token["id"])
        kinds[token["content"]] = _CONTROL if token.get("special") else _USER

    def named(key: str) -> str:
        value = config.get(key)
        value = value.get("content") if isinstance(value, dict) else value
        return value if isinstance(value, str) and value in model["vocab"] else ""

    cutting = _cutting(document.get("pre_tokenizer") or {})
    _write_bpe(path, model, kinds, cutting, end=named("eos_token"), start=named("bos_token"))


def _cutting(document: dict[str, Any]) -> str:
    """The name that GGUF gives to a way of cutting text before the merges."""
    parts = document.get("pretokenizers", [document])
    kinds = [part.get("type") for part in parts]
    if kinds == ["ByteLevel"]:
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and parts[0].get("individual_digits"):
        return "smollm"
    if kinds == ["Split", "ByteLevel"]:
        expression = (parts[0].get("pattern") or {}).get("Regex")
        for name, known in BY_EXPRESSION.items():
            if expression == known:
                return name
    raise EngineFault("bad_vocabulary", "The folder's way of cutting text has no name in GGUF that is known.")


def _write_bpe(
    path: Path, model: dict[str, Any], kinds: dict[str, int], cutting: str, *, end: str, start: str
) -> None:
    numbers: dict[str, int] = model["vocab"]
    tokens = [f"<unused{place}>" for place in range(max(numbers.values()) + 1)]
    for text, number in numbers.items():
        tokens[number] = text
    writer = _writer(path)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cutting)
    writer.add_token_list(tokens)
    writer.add_token_types([kinds.get(text, _NORMAL) for text in tokens])
    writer.add_token_merges(
        [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    )
    if end:
        writer.add_eos_token_id(numbers[end])
    if start or end:
        writer.add_bos_token_id(numbers[start or end])
    writer.add_add_bos_token(False)
    _close(writer, path)


def _writer(path: Path) -> gguf.GGUFWriter:
    return gguf.GGUFWriter(path.with_name(f"{path.name}.new"), "llama")


def _close(writer: gguf.GGUFWriter, path: Path) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    path.with_name(f"{path.name}.new").replace(path)
