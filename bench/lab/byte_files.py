"""Byte decoders of 128 tokens as the files that an engine serves, for the benches of the lab."""

from __future__ import annotations

from pathlib import Path

import gguf

from wicket.engines.checkpoints.opening import open_checkpoint
from wicket.lab.encode import PLAIN
from wicket.lab.export_gguf import export_gguf
from wicket.lab.llama import Llama, from_checkpoint

TOKENS = 128


def vocabulary(path: Path) -> None:
    """ASCII, a token each, in the letters of byte-level BPE (Radford et al. 2019); 0 ends a text.

    Readers ask for at least one merge: it makes a token that no source has, 1. Only token ids are scored.
    """
    tokens, hidden = [], 0
    for byte in range(TOKENS):
        is_visible = ord("!") <= byte <= ord("~")
        tokens.append(chr(byte) if is_visible else chr(256 + hidden))
        hidden += not is_visible
    tokens[1] = "er"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if byte == 0 else 1 for byte in range(TOKENS)])
    writer.add_token_merges(["e r"])
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)
    writer.add_add_bos_token(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write(model: Llama, path: Path, scheme: str) -> None:
    """A GGUF file in a format of the lab's exports."""
    base = path.with_suffix(".vocabulary")
    if not base.exists():
        vocabulary(base)
    export_gguf(model, base, path, scheme=scheme, template=PLAIN, name=path.stem)


def read(path: Path) -> Llama:
    """What the file's numbers are, in float32."""
    return from_checkpoint(open_checkpoint(path)).eval()
