"""Encoders as Hugging Face folders: read to be trained, and written so that the engine says their labels.

What is written is what `BertModel` reads (config.json, model.safetensors, tokenizer.json), half precision but
for the head, with `classifier.*` and `id2label` besides; the mean pooling is named `classifier_pooling`, as
in ModernBERT's configuration.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from wicket.engines.checkpoints.safetensors_file import SafetensorsFile
from wicket.engines.checkpoints.tokenizer_folder import read_json
from wicket.engines.decoding.graph_bert import BertShape
from wicket.engines.decoding.label_head import BIAS, CENTROIDS, POOLING, WEIGHT
from wicket.errors import EngineFault, OperatorFault
from wicket.lab.bert import Bert, from_tensors, tensor_names
from wicket.wire import json

MAX_TOKENS = 256  # of a text are read, as sentence-transformers does for MiniLM
_COPIED = ("special_tokens_map.json", "tokenizer_config.json")


class Base(msgspec.Struct, frozen=True):
    """A folder to start from: its files as JSON values, and its weights on demand."""

    folder: Path
    config: dict[str, Any]
    tokenizer: dict[str, Any]
    shape: BertShape

    def encoder(self, labels: int = 0) -> Bert:
        """The encoder in float32. Raises `EngineFault` for a damaged file."""
        file = SafetensorsFile(self.folder / "model.safetensors")

        def tensor(name: str) -> Tensor:
            if name not in file:
                raise ValueError(f"'{name}' is missing")
            return torch.from_numpy(file.tensor(name).copy())

        try:
            return from_tensors(self.shape, tensor, labels)
        except ValueError as error:
            raise EngineFault("bad_checkpoint", f"{self.folder} can't be read: {error}.") from None


def read_base(folder: Path) -> Base:
    """What a folder holds. Raises `EngineFault` unless it is a BERT encoder with word pieces."""
    config, tokenizer = read_json(folder / "config.json"), read_json(folder / "tokenizer.json")
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu" or not tokenizer:
        raise EngineFault("bad_checkpoint", f"{folder} holds no BERT encoder with GELU and a tokenizer.json.")
    try:
        shape = msgspec.convert(config, BertShape)
    except msgspec.ValidationError as error:
        raise EngineFault(
            "bad_checkpoint", f"{folder} has a config.json that does not fit: {error}."
        ) from None
    return Base(folder, config, tokenizer, shape)


def word_pieces(tokenizer: dict[str, Any]) -> Tokenizer:
    """A tokenizer as the engine uses it: no padding, long texts cut."""
    made = Tokenizer.from_str(json.dumps(tokenizer))
    made.no_padding()
    made.enable_truncation(MAX_TOKENS)
    return made


class Made(msgspec.Struct, frozen=True):
    """What is written besides the encoder itself: its labels, their centroids and its tokenizer."""

    labels: Sequence[str]
    centroids: Tensor
    tokenizer: dict[str, Any]


def write_encoder(folder: Path, base: Base, model: Bert, made: Made) -> int:
    """Write the checkpoint and say how many bytes its weights have. Raises `OperatorFault` on a full disk."""
    tensors = {name: p.detach().to(torch.float16) for name, p in tensor_names(model)}
    assert model.head is not None
    tensors[WEIGHT], tensors[BIAS] = model.head.weight.detach(), model.head.bias.detach()
    tensors[CENTROIDS] = made.centroids
    shape = msgspec.structs.asdict(model.shape)
    numbered = {str(index): label for index, label in enumerate(made.labels)}
    config = {name: value for name, value in base.config.items() if name != "_name_or_path"} | shape
    config |= {
        "architectures": ["BertModel"],
        "classifier_pooling": POOLING,
        "id2label": numbered,
        "label2id": {label: int(index) for index, label in numbered.items()},
    }
    files = {
        "config.json": config,
        "tokenizer.json": made.tokenizer,
        "sentence_bert_config.json": {"max_seq_length": MAX_TOKENS, "do_lower_case": False},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, value in files.items():
            (folder / name).write_text(json.dumps(value), "utf-8")
        for name in _COPIED:
            if (base.folder / name).is_file():
                shutil.copyfile(base.folder / name, folder / name)
        ordered = sorted(made.tokenizer["model"]["vocab"].items(), key=lambda item: int(item[1]))
        (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece, _ in ordered), "utf-8")
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors"
        )
        return (folder / "model.safetensors").stat().st_size
    except (OSError, SafetensorError) as error:
        raise OperatorFault("disk", f"The encoder can't be written to {folder}: {error}.") from None
