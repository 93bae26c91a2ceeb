"""Key-value cache blocks: who holds which, and which finished ones may be shared.

Pure bookkeeping over block numbers. A full block is known by a digest of its tokens, all tokens before
it, and the tenant's salt, so equal prefixes are found again without comparing tokens, and never across
salts. A block that nobody holds keeps its digest until it is handed out for something else, oldest first
(the scheme of vLLM's automatic prefix caching, https://docs.vllm.ai/en/latest/design/prefix_caching.html).
"""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Sequence

Digest = bytes


def root_digest(salt: str) -> Digest:
    """Where the chain of one tenant's blocks begins."""
    return hashlib.blake2b(salt.encode(), digest_size=32, person=b"wicket-prefix").digest()


def block_digest(parent: Digest, tokens: Sequence[int]) -> Digest:
    """The name of a block that holds `tokens` after the block named `parent`."""
    return hashlib.blake2b(parent + array("I", tokens).tobytes(), digest_size=32).digest()


class BlockPool:
    """A fixed number of blocks of `block_tokens` tokens each."""

    def __init__(self, num_blocks: int, block_tokens: int) -> None:
        self.num_blocks = num_blocks
        self.block_tokens = block_tokens
        self._free: OrderedDict[int, None] = OrderedDict.fromkeys(range(num_blocks))
        self._holders = [0] * num_blocks
        self._digest_of: dict[int, Digest] = {}
        self._block_of: dict[Digest, int] = {}

    @property
    def num_free(self) -> int:
        """Blocks that nobody holds, those with reusable contents included."""
        return len(self._free)

    def blocks_for(self, num_tokens: int) -> int:
        """How many blocks hold `num_tokens` tokens."""
        return -(-num_tokens // self.block_tokens)

    def take(self) -> int | None:
        """A block for new contents, or None when all are held."""
        if not self._free:
            return None
        block, _ = self._free.popitem(last=False)
        digest = self._digest_of.pop(block, None)
        if digest is not None:
            del self._block_of[digest]
        self._holders[block] = 1
        return block

    def find(self, digest: Digest) -> int | None:
        """The block with these contents, now also held by the caller; None if there is none."""
        block = self._block_of.get(digest)
        if block is None:
            return None
        self._free.pop(block, None)
        self._holders[block] += 1
        return block

    def name(self, block: int, digest: Digest) -> None:
        """Say what a held, full block contains. The first block of equal contents keeps the name."""
        if digest not in self._block_of and block not in self._digest_of:
            self._block_of[digest] = block
            self._digest_of[block] = digest

    def release(self, blocks: Sequence[int]) -> None:
        """Hold these blocks no longer. A sequence's last blocks are forgotten before its first."""
        for block in reversed(blocks):
            self._holders[block] -= 1
            if self._holders[block] == 0:
                self._free[block] = None
                if block not in self._digest_of:
                    self._free.move_to_end(block, last=False)
