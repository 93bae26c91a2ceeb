"""The records that came in last, in the order of their coming: what `wicket logs --follow` reads.

The database knows records by the time their requests began; a long request would appear behind a mark set
meanwhile. So following counts arrivals, and a bounded number of them is kept in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from wicket.accounts.record import Record

MAX_KEPT = 10_000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Record]).decode


class Recent:
    """A ring of the newest arrivals. `last` counts all of them since the start.

    They are kept packed, batch by batch: a fraction of the memory, and nothing for the cycle collector or
    the allocator to walk through, though hardly any of them is ever asked for.
    """

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        self._max_kept = max_kept
        self._batches: deque[tuple[int, bytes]] = deque()  # how many, and they
        self._num_held = 0
        self.last = 0

    def add(self, records: Sequence[Record]) -> None:
        """Records that are in the database now."""
        if records:
            self.add_packed(len(records), packed(records))

    def add_packed(self, number: int, batch: bytes) -> None:
        """So many records, at least one, that another thread has `packed`."""
        self._batches.append((number, batch))
        self._num_held += number
        self.last += number
        while self._num_held - self._batches[0][0] >= self._max_kept:
            self._num_held -= self._batches.popleft()[0]

    def after(self, mark: int) -> list[Record]:
        """What came after `mark`, oldest first; less, if the ring has forgotten some."""
        new = min(max(0, self.last - mark), self._num_held, self._max_kept)
        num_found, batches = 0, []
        for number, batch in reversed(self._batches):
            if num_found >= new:
                break
            num_found += number
            batches.append(batch)
        found = [record for batch in reversed(batches) for record in _decode(batch)]
        return found[num_found - new :]


def packed(records: Sequence[Record]) -> bytes:
    """Records as the ring keeps them."""
    return _encode(records)
