"""What becomes of the logits: a generation draws tokens and shows text, a scoring reads probabilities off."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from wicket.engines.contract import Done, Event, Generate, Piece, Refused, Score, Scored, TokenLogprob
from wicket.engines.decoding.constrain import Constraint, InvalidSchema
from wicket.engines.decoding.sampler import Sampler, logprob_of
from wicket.engines.decoding.scheduler import Sequence as Tokens
from wicket.engines.decoding.scheduler import Slice
from wicket.engines.decoding.text_stream import TextStream

Rows = NDArray[np.float32]


class Generation:
    """One `Generate` under way."""

    def __init__(self, command: Generate, eos_ids: Collection[int], shown: Sequence[bytes]) -> None:
        self.command = command
        self.sequence = Tokens(command.id, list(command.prompt), command.max_tokens, command.salt)
        self.constraint: Constraint | None = None
        self.is_finished = False
        self._sampler = Sampler(command.sampling, command.prompt)
        self._stream = TextStream(command.stop)
        self._ends = frozenset(command.stop_token_ids) | (frozenset() if command.ignore_eos else {*eos_ids})
        self._shown = shown
        self._held_ids: list[int] = []
        self._held_logprobs: list[TokenLogprob] = []

    def wanted(self, piece: Slice) -> int:
        """How many of the slice's last tokens need logits: one, when they decide the next token."""
        return 1 if piece.is_last else 0

    def take(self, piece: Slice, rows: Rows) -> list[Event]:
        """Draw from the slice's logits (none for an inner chunk of the prompt)."""
        if len(rows) == 0:
            return []
        try:
            return self._draw(rows[-1])
        except InvalidSchema as error:
            self.is_finished = True
            message = f"The output can't be held to the schema any longer: {error}."
            return [Refused(self.command.id, "invalid_schema", message)]

    def end(self, reason: str, token: TokenLogprob | None = None) -> list[Event]:
        """Show what is held back and say why it ends, and with which token if one was drawn for that."""
        self.is_finished = True
        events = self._piece(self._stream.finish(), flush=True)
        sequence = self.sequence
        counts = (sequence.num_prompt, sequence.num_cached, sequence.num_output)
        return [*events, Done(self.command.id, reason, *counts, token)]

    def _draw(self, row: Rows) -> list[Event]:
        allowed = self.constraint.allowed() if self.constraint is not None else None
        token = self._sampler.draw(row, allowed)
        self._sampler.note(token)
        self.sequence.tokens.append(token)
        top = self.command.logprobs
        logprob = None if top is None else logprob_of(row, token, top)
        if token in self._ends:
            return self.end("stop", logprob)
        if self.constraint is not None:
            self.constraint.consume(token)
        self._held_ids.append(token)
        if logprob is not None:
            self._held_logprobs.append(logprob)
        text, is_stopped = self._stream.feed(self._shown[token] if token < len(self._shown) else b"")
        events = self._piece(text, flush=is_stopped)
        if is_stopped or (self.constraint is not None and self.constraint.is_complete):
            return events + self.end("stop")
        if self.sequence.num_output >= self.command.max_tokens:
            return events + self.end("length")
        return events

    def _piece(self, text: str, flush: bool) -> list[Event]:
        """A piece for the text with all tokens drawn since the last one."""
        if not text and not (flush and self._held_ids):
            return []
        piece = Piece(self.command.id, text, self._held_ids, self._held_logprobs)
        self._held_ids, self._held_logprobs = [], []
        return [piece]


class Scoring:
    """One `Score` under way."""

    def __init__(self, command: Score) -> None:
        self.command = command
        self.sequence = Tokens(command.id, list(command.tokens), 0, is_scored=True)
        self.is_finished = False
        self._scores = [TokenLogprob(command.tokens[0], 0.0)]

    def wanted(self, piece: Slice) -> int:
        """Every token's logits tell the probability of the next."""
        return piece.count

    def take(self, piece: Slice, rows: Rows) -> list[Event]:
        """Read the probabilities of the tokens after those of the slice."""
        tokens = self.command.tokens
        for row, token in zip(rows, tokens[piece.start + 1 : piece.start + 1 + piece.count], strict=False):
            self._scores.append(logprob_of(row, token, self.command.top))
        if not piece.is_last:
            return []
        self.is_finished = True
        return [Scored(self.command.id, self._scores)]

    def end(self, reason: str) -> list[Event]:
        """A cancelled scoring answers with an end like a generation's."""
        self.is_finished = True
        return [Done(self.command.id, reason, len(self.command.tokens), 0, 0)]
