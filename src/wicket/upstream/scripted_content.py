"""What an answer of the scripted upstream says, before it is written in anybody's form."""

from __future__ import annotations

from typing import Any, Protocol

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


class Refused(msgspec.Struct, frozen=True):
    """An error as one dialect tells it."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = {}


class Form(Protocol):
    """A dialect other than OpenAI's: how it gives answers. A module of its own each."""

    STREAM_TYPE: str
    END: bytes  # the stream's own end mark

    def answer(self, content: Content) -> dict[str, Any]:
        """A whole answer."""
        ...

    def frames(self, content: Content) -> list[Frame]:
        """A stream's frames, up to the end mark."""
        ...

    def fault(self, status: int, message: str) -> Refused:
        """An error, by the status that OpenAI gives it."""
        ...

    def fault_frame(self, message: str) -> bytes:
        """An error inside a stream."""
        ...

    def broken_frame(self) -> bytes:
        """A frame that can't be read."""
        ...

    def models(self, names: tuple[str, ...]) -> dict[str, Any]:
        """The list of models."""
        ...
