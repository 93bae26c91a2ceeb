"""What a long stage tells the person who waits: one line on standard error, with the time left."""

from __future__ import annotations

import sys
import time
from typing import TextIO

LEAST_GAP_S = 1.0
_PLAIN_GAP_S = 20.0  # where the output is a file, a line now and then


class Progress:
    """One stage. `at` is called as often as one likes; it writes about once a second."""

    def __init__(self, stage: str, out: TextIO | None = None) -> None:
        self._stage = stage
        self._out = out or sys.stderr
        self._is_terminal = self._out.isatty()
        self._started_s = time.monotonic()
        self._next_s = 0.0

    def at(self, share: float, words: str = "") -> None:
        """`share` (0 to 1) of the stage is done."""
        now = time.monotonic()
        if now < self._next_s:
            return
        self._next_s = now + (LEAST_GAP_S if self._is_terminal else _PLAIN_GAP_S)
        spent = now - self._started_s
        left = f"{clock(spent / share * (1 - share))} left" if share > 0.01 else "…"
        self._write(f"{self._stage}: {share:4.0%}, {left}{', ' + words if words else ''}", is_last=False)

    def done(self, words: str) -> None:
        """The stage is over."""
        self._write(f"{self._stage}: {words} ({clock(time.monotonic() - self._started_s)})", is_last=True)

    def _write(self, line: str, *, is_last: bool) -> None:
        if self._is_terminal:
            self._out.write(f"\r\x1b[K{line}" + ("\n" if is_last else ""))
        else:
            self._out.write(line + "\n")
        self._out.flush()


def clock(seconds: float) -> str:
    """Seconds as people say them."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
    )
