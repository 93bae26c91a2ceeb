"""Examples on their way from a worker to the supervisor: few, and rather lost than in the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from wicket.accounts.example import Example
from wicket.supervisor.messages import Examples

MAX_WAITING_BYTES = 2 * 1024 * 1024  # per flush; the channel is the records' first of all
CONGESTED = "congested"


class Basket:
    """What a worker collected since the last flush. `left_out` counts what was not kept, by the reason."""

    def __init__(self) -> None:
        self._examples: list[Example] = []
        self._num_bytes = 0
        self.left_out: Counter[str] = Counter()

    @property
    def is_filled(self) -> bool:
        """Whether there is anything to hand over."""
        return bool(self._examples or self.left_out)

    def put(self, example: Example | str) -> None:
        """Take an example, or count why there is none."""
        if isinstance(example, str):
            self.left_out[example] += 1
            return
        self._num_bytes += len(example.request) + len(example.answer)
        if self._num_bytes > MAX_WAITING_BYTES:
            self.left_out[CONGESTED] += 1
        else:
            self._examples.append(example)

    def hand_over(self, send: Callable[[Examples], bool]) -> None:
        """Send everything as one message. What `send` refuses is counted and forgotten."""
        examples, left_out = self._examples, self.left_out
        self._examples, self.left_out, self._num_bytes = [], Counter(), 0
        if not send(Examples(examples, dict(left_out))):
            self.left_out = left_out
            self.left_out[CONGESTED] += len(examples)
