"""JSON schemas as token masks, with llguidance (https://github.com/guidance-ai/llguidance).

A schema comes from a caller: its length, its grammar and the work per token are bounded, and it is
compiled on a thread of its own, so that a costly one delays only itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

MAX_SCHEMA_BYTES = 64 * 1024
# llguidance's units; about 20 ms to build a grammar and 4 ms for a token's mask at most.
INITIAL_LEXER_FUEL = 1_000_000
STEP_LEXER_FUEL = 100_000
STEP_MAX_ITEMS = 50_000
MAX_LEXER_STATES = 50_000
MAX_GRAMMAR_SIZE = 100_000


class InvalidSchema(Exception):
    """The schema can't be compiled, or costs too much; the message says why."""


class Vocabulary(Protocol):
    """What a constraint needs to know of a tokenizer."""

    eos_ids: list[int]
    special_tokens: dict[str, int]

    def token_bytes(self) -> Sequence[bytes]:
        """Each token's bytes, by id."""
        ...

    def encode(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text."""
        ...


class Constraint:
    """One generation's place in its grammar."""

    def __init__(self, matcher: Any, vocab_size: int) -> None:
        self._matcher = matcher
        self._vocab_size = vocab_size

    def allowed(self) -> NDArray[np.bool_]:
        """Which tokens may come next. Raises `InvalidSchema` when the grammar ran out of its bounds."""
        mask = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        return np.unpackbits(mask, bitorder="little")[: self._vocab_size].astype(np.bool_)

    def consume(self, token: int) -> None:
        """Move on past a drawn token."""
        self._matcher.consume_token(token)
        self._check()

    @property
    def is_complete(self) -> bool:
        """Whether nothing can follow any more."""
        return bool(self._matcher.is_stopped())

    def _check(self) -> None:
        if self._matcher.is_error():
            raise InvalidSchema(_first_line(self._matcher.get_error()))


class _Wrapped:
    """The tokenizer the way llguidance asks for it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.eos_token_id = vocabulary.eos_ids[0]
        self.bos_token_id = None
        self.tokens = vocabulary.token_bytes()
        self.special_token_ids = sorted(vocabulary.special_tokens.values())
        self._vocabulary = vocabulary

    def __call__(self, text: bytes | str) -> list[int]:
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        return self._vocabulary.encode(text, special=False)


class Constrainer:
    """Compiles schemas for one vocabulary."""

    def __init__(self, vocabulary: Vocabulary, vocab_size: int) -> None:
        self._vocabulary = vocabulary
        self._vocab_size = vocab_size
        self._tokenizer: Any = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="schema")

    def start(self, schema: str) -> Future[Constraint]:
        """Begin to compile; the future raises `InvalidSchema` for a schema that is refused."""
        return self._thread.submit(self._compile, schema)

    def close(self) -> None:
        """End the thread; schemas not begun are dropped."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _compile(self, schema: str) -> Constraint:
        from llguidance import LLMatcher, LLParserLimits

        if len(schema.encode()) > MAX_SCHEMA_BYTES:
            raise InvalidSchema(f"it is longer than {MAX_SCHEMA_BYTES} bytes")
        if self._tokenizer is None:
            self._tokenizer = self._wrap()
        limits = LLParserLimits(
            initial_lexer_fuel=INITIAL_LEXER_FUEL,
            step_lexer_fuel=STEP_LEXER_FUEL,
            step_max_items=STEP_MAX_ITEMS,
            max_lexer_states=MAX_LEXER_STATES,
            max_grammar_size=MAX_GRAMMAR_SIZE,
            verbose_errors=False,
        )
        try:
            grammar = LLMatcher.grammar_from_json_schema(schema)
        except ValueError as error:
            raise InvalidSchema(_first_line(str(error))) from None
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0, limits=limits)
        constraint = Constraint(matcher, self._vocab_size)
        constraint.allowed()
        return constraint

    def _wrap(self) -> Any:
        from llguidance import LLTokenizer, TokenizerWrapper

        wrapper = TokenizerWrapper(_Wrapped(self._vocabulary))
        return LLTokenizer(wrapper, n_vocab=self._vocab_size, slices=LLTokenizer.json_slices())


def _first_line(text: str) -> str:
    return (text.splitlines() or ["unknown"])[0][:300]
