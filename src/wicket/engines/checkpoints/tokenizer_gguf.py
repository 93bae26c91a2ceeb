"""The vocabulary inside a GGUF file as a `tokenizers` tokenizer.

Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (`tokenizer.ggml.*`). How text is cut
before the merges is only named in the file (`tokenizer.ggml.pre`); the rules behind the names are those
of the models' own `tokenizer.json`.
"""

from __future__ import annotations

from typing import Any

from wicket.engines.checkpoints.gguf import Value, broken
from wicket.engines.checkpoints.tokenizer import Tokenizer
from wicket.errors import EngineFault

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
MAX_VOCABULARY = 1 << 20

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# tokenizer.ggml.pre → how digits and words are cut: a regular expression, or GPT-2's own cutting.
DIGITS_THEN_GPT2 = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone")
GPT2 = ("gpt-2", "gpt2", "phi-2", "olmo", "jina-en", "default")
BY_EXPRESSION = {
    "llama-bpe": WORDS % r"\p{N}{1,3}",
    "llama3": WORDS % r"\p{N}{1,3}",
    "llama-v3": WORDS % r"\p{N}{1,3}",
    "qwen2": WORDS % r"\p{N}",
    "deepseek-r1-qwen": WORDS % r"\p{N}",
}


def gguf_tokenizer(metadata: dict[str, Value]) -> Tokenizer:
    """The tokenizer that GGUF metadata describes. Raises `EngineFault` for one that is not known."""
    tokens = _texts(metadata, "tokenizer.ggml.tokens")
    kinds = metadata.get("tokenizer.ggml.token_type", [NORMAL] * len(tokens))
    if not isinstance(kinds, list) or len(kinds) != len(tokens) or not 0 < len(tokens) <= MAX_VOCABULARY:
        raise broken("has a vocabulary of impossible size")
    model = metadata.get("tokenizer.ggml.model")
    if model == "gpt2":
        inner = _byte_level(tokens, metadata)
    elif model == "llama":
        inner = _sentencepiece(tokens, metadata)
    else:
        raise EngineFault("bad_checkpoint", f"The tokenizer model {model!r} is not known here.")
    _add_special(inner, tokens, kinds)
    template = metadata.get("tokenizer.chat_template")
    bos = _id(metadata, "bos_token_id", len(tokens))
    adds_bos = metadata.get("tokenizer.ggml.add_bos_token", model == "llama") is True
    return Tokenizer(
        inner,
        eos_ids=_eos_ids(metadata, tokens),
        bos_id=bos,
        adds_bos=adds_bos and bos is not None,
        chat_template=template if isinstance(template, str) else None,
    )


def _byte_level(tokens: list[str], metadata: dict[str, Value]) -> Any:
    from tokenizers import Tokenizer as Inner
    from tokenizers import models

    vocabulary = _numbered(tokens)
    merges: list[tuple[str, str]] = []
    for line in _texts(metadata, "tokenizer.ggml.merges"):
        left, space, right = line.partition(" ")
        if not space or left not in vocabulary or right not in vocabulary or left + right not in vocabulary:
            raise broken("has a merge of unknown tokens")
        merges.append((left, right))
    inner = Inner(models.BPE(vocab=vocabulary, merges=merges))
    inner.pre_tokenizer = _cutting(str(metadata.get("tokenizer.ggml.pre", "default")))
    return inner


def _cutting(name: str) -> Any:
    from tokenizers import Regex, pre_tokenizers

    if name in DIGITS_THEN_GPT2:
        digits = pre_tokenizers.Digits(individual_digits=True)
        return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    if name in GPT2:
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    if name in BY_EXPRESSION:
        words = pre_tokenizers.Split(Regex(BY_EXPRESSION[name]), "isolated")
        letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return pre_tokenizers.Sequence([words, letters])
    raise EngineFault("bad_checkpoint", f"The pre-tokenizer {name!r} is not known here.")


def _sentencepiece(tokens: list[str], metadata: dict[str, Value]) -> Any:
    """A vocabulary with scores: two pieces merge when their union is a piece, the best score first."""
    from tokenizers import Tokenizer as Inner
    from tokenizers import models, normalizers

    vocabulary = _numbered(tokens)
    scores = metadata.get("tokenizer.ggml.scores")
    if not isinstance(scores, list) or len(scores) != len(tokens):
        raise broken("has no scores for its vocabulary")
    ranked: list[tuple[float, int, str, str]] = []
    for index, (token, score) in enumerate(zip(tokens, scores, strict=True)):
        if not isinstance(score, int | float) or len(token) > 256:
            raise broken("has an impossible vocabulary")
        halves = ((token[:cut], token[cut:]) for cut in range(1, len(token)))
        ranked += [(-float(score), index, *pair) for pair in halves if vocabulary.keys() >= {*pair}]
    ranked.sort(key=lambda merge: merge[:2])
    merges = [(left, right) for _, _, left, right in ranked]
    unknown = _id(metadata, "unknown_token_id", len(tokens))
    inner = Inner(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            unk_token=tokens[unknown] if unknown is not None else None,
            fuse_unk=True,
            byte_fallback="<0x0A>" in vocabulary,
        )
    )
    spaces: list[Any] = [normalizers.Replace(" ", "\u2581")]
    if metadata.get("tokenizer.ggml.add_space_prefix", True) is True:
        spaces.insert(0, normalizers.Prepend("\u2581"))
    inner.normalizer = normalizers.Sequence(spaces)
    return inner


def _add_special(inner: Any, tokens: list[str], kinds: list[Value]) -> None:
    from tokenizers import AddedToken

    control = [t for t, kind in zip(tokens, kinds, strict=True) if kind in (UNKNOWN, CONTROL) and t]
    inner.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in control])
    own = [t for t, kind in zip(tokens, kinds, strict=True) if kind == USER_DEFINED and t]
    inner.add_tokens([AddedToken(text, special=False, normalized=False) for text in own])


def _numbered(tokens: list[str]) -> dict[str, int]:
    vocabulary = {token: index for index, token in enumerate(tokens)}
    if len(vocabulary) != len(tokens):
        # Two tokens of one spelling: the later ones can't be written, but keep their numbers.
        vocabulary = {}
        for index, token in enumerate(tokens):
            vocabulary[token if token not in vocabulary else f"<unused{index}>"] = index
    return vocabulary


def _texts(metadata: dict[str, Value], key: str) -> list[str]:
    value = metadata.get(key)
    if not isinstance(value, list):
        raise broken(f"has no '{key}'")
    texts = [item for item in value if isinstance(item, str)]
    if len(texts) != len(value):
        raise broken(f"holds something else than text in '{key}'")
    return texts


def _id(metadata: dict[str, Value], name: str, size: int) -> int | None:
    value = metadata.get(f"tokenizer.ggml.{name}")
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < size:
        return value
    return None


def _eos_ids(metadata: dict[str, Value], tokens: list[str]) -> list[int]:
    """The token that ends a text, that which ends a turn, and the chat markers that models end with."""
    named = [_id(metadata, name, len(tokens)) for name in ("eos_token_id", "eot_token_id")]
    found = [index for index in named if index is not None]
    markers = ("<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>", "</s>")
    where = {token: index for index, token in enumerate(tokens)}
    return list(dict.fromkeys(found + [where[marker] for marker in markers if marker in where]))
