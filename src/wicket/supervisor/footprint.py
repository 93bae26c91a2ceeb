"""What a process and its children use: resident memory and processor time, from Linux' /proc (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

_PROC = Path("/proc")
_UTIME, _RSS = 11, 21  # places in /proc/PID/stat behind the command's name in brackets


class Footprint(msgspec.Struct, frozen=True):
    """Bytes of memory (pages that processes share are counted in each) and seconds of processor time."""

    rss_bytes: int
    cpu_s: float


def footprint(pid: int) -> Footprint | None:
    """That of the process and all its descendants; None where it can't be read or has ended."""
    if not pid:
        return None
    pages, ticks, is_seen = 0, 0, False
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        try:
            fields = (_PROC / str(one) / "stat").read_text().rpartition(")")[2].split()
            children = [path.read_text() for path in (_PROC / str(one) / "task").glob("*/children")]
        except OSError:
            continue
        is_seen = True
        pages += int(fields[_RSS])
        ticks += int(fields[_UTIME]) + int(fields[_UTIME + 1])
        waiting += [int(child) for line in children for child in line.split()]
    if not is_seen:
        return None
    return Footprint(pages * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK"))
