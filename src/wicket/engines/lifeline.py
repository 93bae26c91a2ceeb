"""A child process that ends when its parent does, however the parent ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(number: signal.Signals) -> None:
    """Ask the kernel to send this process `number` when its parent ends (Linux, prctl(2)).

    Elsewhere it does nothing: there the caller must notice by itself, e.g. with `is_orphan`.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def is_orphan(parent: int) -> bool:
    """Whether the process `parent` that started this one has ended (it has then been given another)."""
    return os.getppid() != parent
