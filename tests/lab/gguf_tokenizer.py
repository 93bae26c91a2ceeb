"""The tokenizer a GGUF file describes, built in the form its publisher ships: the second opinion on ids.

Only byte-level BPE (`tokenizer.ggml.model = gpt2`) with the `smollm` and `gpt-2` pre-tokenizers.
transformers 5.17's own reading of a GGUF drops the digit splitting of `smollm` ("a  12" differs), so it
can't serve here.
"""

from __future__ import annotations

from pathlib import Path

import gguf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CONTROL_TOKEN = 3  # gguf's token type of markers such as <|im_start|>

DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def load(path: Path) -> Tokenizer:
    fields = gguf.GGUFReader(path).fields
    if fields["tokenizer.ggml.model"].contents() != "gpt2":
        raise ValueError("only byte-level BPE is read here")
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(pair.split(" ", 1)) for pair in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    by_name = {
        "smollm": [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ],
        "gpt-2": [pre_tokenizers.ByteLevel(add_prefix_space=False)],
    }
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(by_name[fields["tokenizer.ggml.pre"].contents()])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(t, special=True, normalized=False)
            for t, kind in zip(tokens, types, strict=True)
            if kind == CONTROL_TOKEN
        ]
    )
    return tokenizer


def chat_text(turns: list[str], system: str | None = None) -> str:
    """SmolLM2's chat template for turns that begin and end with the user, ready for the answer."""
    parts = [("system", DEFAULT_SYSTEM if system is None else system)]
    parts += [(("user", "assistant")[i % 2], text) for i, text in enumerate(turns)]
    return (
        "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in parts) + "<|im_start|>assistant\n"
    )
