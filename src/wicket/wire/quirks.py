"""How a provider of OpenAI's family differs from OpenAI: a value that a catalogue's row holds as data.

A deployment carries it and `dialects.openai_chat` acts on it: no code needs to know who the provider is.
"""

from __future__ import annotations

import functools
import re
from typing import Literal

import msgspec


class Quirks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider takes beyond, or short of, OpenAI's own chat API. The default is a plain clone.

    `limits`: models (a regular expression, searched for in the name) whose output limit is spelled
    `max_completion_tokens` alone. `refuses`: by such an expression, the settings that those models answer
    with an error; their neutral values are left out. `thoughts`: how earlier thoughts are sent back, as
    OpenRouter's `reasoning_details`, as `reasoning_content`, or not. `thinking`: the words that ask for
    thinking. `tool_ids`: "nine" where ids of calls are nine letters and digits (Mistral). `name_chars`: how
    long a function's name may be, of letters, digits, `_` and `-`; 0 for not known. `alternates`: turns of
    one role may not follow each other. `prefill`: "prefix" where a last message of the assistant's is gone on
    with if it says so.
    """

    limits: str = ""
    refuses: dict[str, tuple[str, ...]] = {}
    thoughts: Literal["", "details", "content"] = ""
    thinking: Literal["effort", "openrouter", "type", "enable", "groq"] = "effort"
    has_top_k: bool = True
    has_cache_marks: bool = False
    tool_ids: Literal["", "nine"] = ""
    name_chars: int = 0
    alternates: bool = False
    prefill: Literal["", "prefix"] = ""

    @property
    def edits_messages(self) -> bool:
        """Whether messages that pass as they came may need a change."""
        return bool(self.tool_ids) or self.alternates

    def refused(self, model: str) -> frozenset[str]:
        """The settings that `model` takes no value of but the neutral one."""
        return frozenset(
            name for words, names in self.refuses.items() if is_among(words, model) for name in names
        )

    def has_new_limit(self, model: str) -> bool:
        """Whether `model` knows its output limit as `max_completion_tokens` only."""
        return bool(self.limits) and is_among(self.limits, model)


@functools.lru_cache(maxsize=4096)
def is_among(words: str, model: str) -> bool:
    """Whether a model's name matches a row's expression."""
    return re.search(words, model, re.IGNORECASE) is not None
