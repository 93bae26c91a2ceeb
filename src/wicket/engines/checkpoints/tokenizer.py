"""A checkpoint's tokenizer: text to token ids and back. Needs `tokenizers`, never the engine's runtime."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from wicket.engines.checkpoints.vocabulary_bytes import byte_level_bytes, sentencepiece_bytes

# What BPE may do with one text in one call; longer ones are the caller's to cut.
MAX_TEXT_CHARACTERS = 4_000_000


class Tokenizer:
    """One vocabulary.

    `special_tokens` maps the spelling of control tokens to ids. `eos_ids` end an answer. `adds_bos` says
    whether a plain prompt begins with `bos_id`. `chat_template` is Jinja source from the checkpoint:
    code from strangers.
    """

    def __init__(
        self,
        inner: Any,
        *,
        eos_ids: list[int],
        bos_id: int | None,
        adds_bos: bool = False,
        chat_template: str | None = None,
    ) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._bytes: list[bytes] | None = None
        self.eos_ids = eos_ids
        self.bos_id = bos_id
        self.adds_bos = adds_bos
        self.chat_template = chat_template
        self.vocab_size: int = inner.get_vocab_size(with_added_tokens=True)
        added = inner.get_added_tokens_decoder().items()
        self.special_tokens: dict[str, int] = {
            token.content: index for index, token in added if token.special
        }
        self._silent = frozenset(self.special_tokens.values())

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        """Token ids of `text`, nothing added in front.

        With `special`, the spelling of a control token becomes that token; without, it is plain text, as
        it must be for anything a user wrote.
        """
        with self._lock:
            self._inner.encode_special_tokens = not special
            ids: list[int] = self._inner.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these tokens, without control tokens; broken UTF-8 becomes U+FFFD."""
        table = self.token_bytes()
        shown = [table[index] for index in ids if index not in self._silent and 0 <= index < len(table)]
        return b"".join(shown).decode(errors="replace")

    def document(self) -> str:
        """The whole of it as the text of a `tokenizer.json`."""
        text: str = self._inner.to_str()
        return text

    def token_bytes(self) -> list[bytes]:
        """The bytes of every token, by id; those of a control token are its spelling."""
        if self._bytes is None:
            self._bytes = self._table()
        return self._bytes

    def shown_bytes(self) -> list[bytes]:
        """The bytes of every token as an answer shows them: nothing for control tokens."""
        return [b"" if index in self._silent else raw for index, raw in enumerate(self.token_bytes())]

    def _table(self) -> list[bytes]:
        vocabulary = self._inner.get_vocab(with_added_tokens=True)
        added = {token.content for token in self._inner.get_added_tokens_decoder().values()}
        plain = sentencepiece_bytes if _is_sentencepiece(vocabulary) else byte_level_bytes
        table = [b""] * (max(vocabulary.values(), default=-1) + 1)
        for text, index in vocabulary.items():
            table[index] = text.encode() if text in added else plain(text)
        return table


def _is_sentencepiece(vocabulary: dict[str, int]) -> bool:
    return "<0x0A>" in vocabulary or ("\u2581" in vocabulary and "\u0120" not in vocabulary)
