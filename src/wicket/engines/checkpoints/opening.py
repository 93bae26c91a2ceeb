"""A checkpoint and its tokenizer by their path, whichever of the known forms they have."""

from __future__ import annotations

from pathlib import Path

from wicket.engines.checkpoints.folder import FolderCheckpoint
from wicket.engines.checkpoints.gguf import read_gguf
from wicket.engines.checkpoints.llama import GgufCheckpoint, LlamaCheckpoint
from wicket.engines.checkpoints.tokenizer import Tokenizer
from wicket.engines.checkpoints.tokenizer_folder import folder_tokenizer
from wicket.engines.checkpoints.tokenizer_gguf import gguf_tokenizer


def open_checkpoint(path: Path) -> LlamaCheckpoint:
    """A GGUF file or a Hugging Face folder. Raises `EngineFault` when it is neither, or hostile."""
    return FolderCheckpoint(path) if path.is_dir() else GgufCheckpoint(read_gguf(path))


def tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a GGUF file or a Hugging Face folder. Raises `EngineFault` when there is none."""
    return folder_tokenizer(path) if path.is_dir() else gguf_tokenizer(read_gguf(path).metadata)
