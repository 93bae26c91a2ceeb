"""A run's vocabulary cut down to what its task needs, and checkpoints cut down to that vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gguf
import msgspec
import torch
from torch import nn

from wicket.errors import EngineFault
from wicket.lab.llama import Llama
from wicket.lab.techniques.trim_tokens import NORMAL, Words, kept_tokens, trimmed

TOKENS, KINDS, MERGES = (f"tokenizer.ggml.{part}" for part in ("tokens", "token_type", "merges"))


def trim_vocabulary(path: Path, whole: Path, seen: Iterable[int], size: int) -> None:
    """Write the vocabulary of the GGUF file `whole` with about `size` tokens, all of `seen` among them.

    Raises `EngineFault` for one that is not byte-level BPE.
    """
    fields = gguf.GGUFReader(whole).fields
    words = _words(fields, whole)
    kept = kept_tokens(words, seen, size)
    place = {number: index for index, number in enumerate(kept)}
    small = trimmed(words, kept)
    lists: dict[str, Any] = {TOKENS: small.tokens, KINDS: small.kinds, MERGES: small.merges}
    draft = path.with_name(f"{path.name}.new")
    writer = gguf.GGUFWriter(draft, "llama")
    for key, field in fields.items():
        if not key.startswith("tokenizer."):
            continue
        value = lists.get(key, field.contents())
        if key.endswith("_token_id"):
            if value not in place:
                continue
            value = place[value]
        inner_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, value, field.types[0], inner_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    draft.replace(path)


def rows_kept(whole: Path, small: Path) -> list[int]:
    """Of each token of the GGUF file `small` its number in `whole`."""
    number = {token: index for index, token in enumerate(_words(gguf.GGUFReader(whole).fields, whole).tokens)}
    return [number[token] for token in _words(gguf.GGUFReader(small).fields, small).tokens]


def keep_rows(model: Llama, rows: list[int]) -> None:
    """Leave all other tokens out of a model, in place. Raises `EngineFault` where it has not got them."""
    if max(rows) >= model.shape.vocab_size:
        raise EngineFault("bad_vocabulary", f"The checkpoint has only {model.shape.vocab_size:,} tokens.")
    index = torch.tensor(rows)
    for name in ("embed", "head"):
        if name in model.top:
            model.top[name] = nn.Parameter(model.top[name].detach()[index].clone())
    model.shape = msgspec.structs.replace(model.shape, vocab_size=len(rows))


def _words(fields: dict[str, Any], path: Path) -> Words:
    lists = [fields[key].contents() if key in fields else None for key in (TOKENS, KINDS, MERGES)]
    tokens, kinds, merges = lists
    if not tokens or not merges or len(set(tokens)) != len(tokens):
        message = f"{path.name}: only a vocabulary of byte-level BPE, no token twice, can be trimmed."
        raise EngineFault("bad_vocabulary", message)
    return Words(tokens, kinds or [NORMAL] * len(tokens), merges)
