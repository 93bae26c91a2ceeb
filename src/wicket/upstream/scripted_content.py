"""What an answer of the scripted upstream says, before it is written in anybody's form."""

from __future__ import annotations

from typing import Any

import msgspec

CREATED = 1_764_000_000
Frame = tuple[bytes, bool]  # a stream's frame, and whether it carries a token


class Call(msgspec.Struct, frozen=True):
    """A tool call; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


class Content(msgspec.Struct, frozen=True):
    """`finish_reason` is OpenAI's word, or any other, which every form then says as it is."""

    id: str
    model: str
    text: str
    reasoning: str
    signature: str
    refusal: str
    calls: tuple[Call, ...]
    finish_reason: str
    input_tokens: int
    output_tokens: int  # reasoning included
    reasoning_tokens: int
    is_counted: bool  # whether usage is reported

    @property
    def usage(self) -> dict[str, Any]:
        """As OpenAI reports it."""
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
        }
