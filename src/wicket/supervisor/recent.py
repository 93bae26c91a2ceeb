"""The records that came in last, in the order of their coming: what `wicket logs --follow` reads.

The database knows records by the time their requests began; a long request would appear behind a mark set
meanwhile. So following counts arrivals, and a bounded number of them is kept in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from wicket.accounts.record import Record

MAX_KEPT = 10_000


class Recent:
    """A ring of the newest arrivals. `last` counts all of them since the start."""

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        self._ring: deque[Record] = deque(maxlen=max_kept)
        self.last = 0

    def add(self, records: Sequence[Record]) -> None:
        """Records that are in the database now."""
        self._ring.extend(records)
        self.last += len(records)

    def after(self, mark: int) -> list[Record]:
        """What came after `mark`, oldest first; less, if the ring has forgotten some."""
        new = min(max(0, self.last - mark), len(self._ring))
        return list(islice(self._ring, len(self._ring) - new, None))
