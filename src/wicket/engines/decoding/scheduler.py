"""Which tokens of which sequences the next forward pass computes. Pure: no model, no clock.

Continuous batching with chunked prefill: every step decodes one token of each running sequence and fills
up with at most `max_prefill` prompt tokens. Blocks are taken as sequences grow; when none is left, the
youngest sequence gives its blocks back and is computed again later (what it had named in the prefix cache
and is still there is found again). One sequence alone always fits, because `add` refuses what never could.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from wicket.engines.decoding.blocks import BlockPool, Digest, block_digest, root_digest


@dataclass(slots=True, eq=False)
class Sequence:
    """One command's tokens: prompt first, then what was drawn. `num_computed` of them are in the cache."""

    id: int
    tokens: list[int]
    max_tokens: int
    salt: str = ""
    is_scored: bool = False
    num_prompt: int = 0
    num_computed: int = 0
    num_cached: int = 0
    blocks: list[int] = field(default_factory=list)
    digests: list[Digest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.num_prompt = len(self.tokens)

    @property
    def num_output(self) -> int:
        """Tokens drawn so far."""
        return len(self.tokens) - self.num_prompt

    @property
    def is_decoding(self) -> bool:
        """Whether only the newest token is left to compute."""
        return self.num_computed > 0 and self.num_computed == len(self.tokens) - 1


@dataclass(slots=True, frozen=True)
class Slice:
    """`count` tokens of a sequence from `start` on, to be computed in this step."""

    sequence: Sequence
    start: int
    count: int

    @property
    def is_last(self) -> bool:
        """Whether the logits after it decide the sequence's next token."""
        return self.start + self.count == len(self.sequence.tokens)


class Scheduler:
    """Sequences waiting and running over one pool of blocks."""

    def __init__(self, pool: BlockPool, max_batch: int, max_prefill: int, max_scored: int = 64) -> None:
        self.pool = pool
        self.max_batch = max_batch
        self.max_prefill = max_prefill
        self.max_scored = max_scored
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence; the caller made sure with `fits` that it can run alone."""
        self.waiting.append(sequence)

    def fits(self, num_tokens: int) -> bool:
        """Whether a sequence of this final length can run when it is alone."""
        return self.pool.blocks_for(num_tokens) <= self.pool.num_blocks

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence and give its blocks back."""
        if sequence in self.running:
            self.running.remove(sequence)
        elif sequence in self.waiting:
            self.waiting.remove(sequence)
        self._give_back(sequence)

    def is_idle(self) -> bool:
        """Whether there is nothing to compute."""
        return not self.running and not self.waiting

    def plan(self) -> list[Slice]:
        """The next step's slices, decoding sequences first. Empty only when idle."""
        decoding = [sequence for sequence in self.running if sequence.is_decoding]
        grown = [sequence for sequence in decoding if sequence in self.running and self._grow(sequence, 1)]
        # One that had grown may have been suspended for a later one.
        slices = [Slice(one, one.num_computed, 1) for one in grown if one in self.running]
        budget = self.max_prefill
        for sequence in list(self.running):
            if sequence not in self.running:  # suspended for one before it
                continue
            if not sequence.is_decoding and budget > 0:
                budget -= self._prefill(sequence, budget, slices)
        while self.waiting and budget > 0 and len(self.running) < self.max_batch:
            if not self._admit(self.waiting[0]):
                break
            budget -= self._prefill(self.running[-1], budget, slices)
        return slices

    def advance(self, slices: list[Slice]) -> None:
        """Note that the slices were computed, and name the blocks that became full."""
        for piece in slices:
            sequence = piece.sequence
            sequence.num_computed = piece.start + piece.count
            size = self.pool.block_tokens
            for index in range(len(sequence.digests), sequence.num_computed // size):
                parent = sequence.digests[-1] if sequence.digests else root_digest(sequence.salt)
                digest = block_digest(parent, sequence.tokens[index * size : (index + 1) * size])
                sequence.digests.append(digest)
                self.pool.name(sequence.blocks[index], digest)

    def _admit(self, sequence: Sequence) -> bool:
        """Move the first waiting sequence to the running ones, if its tokens find room right now."""
        found = [] if sequence.is_scored else self._find_prefix(sequence)
        missing = self.pool.blocks_for(len(sequence.tokens)) - len(found)
        if missing > self.pool.num_free:
            self.pool.release([block for block, _ in found])
            return False
        self.waiting.popleft()
        sequence.blocks = [block for block, _ in found]
        sequence.digests = [digest for _, digest in found]
        sequence.num_computed = len(found) * self.pool.block_tokens
        if sequence.num_output == 0:
            sequence.num_cached = sequence.num_computed
        self.running.append(sequence)
        return True

    def _find_prefix(self, sequence: Sequence) -> list[tuple[int, Digest]]:
        """Held blocks for the longest known prefix; at least one token is left to compute."""
        size = self.pool.block_tokens
        found: list[tuple[int, Digest]] = []
        digest = root_digest(sequence.salt)
        for start in range(0, len(sequence.tokens) - size, size):
            digest = block_digest(digest, sequence.tokens[start : start + size])
            block = self.pool.find(digest)
            if block is None:
                break
            found.append((block, digest))
        return found

    def _prefill(self, sequence: Sequence, budget: int, slices: list[Slice]) -> int:
        """Plan the next chunk of a prompt; returns how many tokens it has."""
        count = min(budget, len(sequence.tokens) - sequence.num_computed)
        if sequence.is_scored:
            count = min(count, self.max_scored)
        # Prompts don't push others out: what finds no room waits for the next step.
        room = (len(sequence.blocks) + self.pool.num_free) * self.pool.block_tokens - sequence.num_computed
        count = min(count, room)
        if count <= 0 and not slices:
            count = 1
        if count <= 0 or not self._grow(sequence, count):
            return 0
        slices.append(Slice(sequence, sequence.num_computed, count))
        return count

    def _grow(self, sequence: Sequence, count: int) -> bool:
        """Blocks for `count` more tokens, taken from the youngest others if need be."""
        while len(sequence.blocks) < self.pool.blocks_for(sequence.num_computed + count):
            block = self.pool.take()
            if block is not None:
                sequence.blocks.append(block)
                continue
            youngest = self.running[-1]
            self._suspend(youngest)
            if youngest is sequence:
                return False
        return True

    def _suspend(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self._give_back(sequence)
        self.waiting.appendleft(sequence)

    def _give_back(self, sequence: Sequence) -> None:
        self.pool.release(sequence.blocks)
        sequence.blocks = []
        sequence.digests = []
        sequence.num_computed = 0
