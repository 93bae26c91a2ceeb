"""What the terminal shows: colour and progress on a tty only, tables, durations, money."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_TICK_S = 0.1
_QUIET_S = 0.3  # what is faster needs no progress line
_STEERING = {code: "�" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def has_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Only on a terminal that can, and not against the user's wish (https://no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """`text` in a style of `bold dim red green yellow` where `stream` (standard output) shows colour."""
    if not has_colour(stream or sys.stdout, os.environ):
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def plain(text: str) -> str:
    """Text from elsewhere without what would steer the terminal (C0, C1, DEL); line ends and tabs stay."""
    return text.translate(_STEERING)


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Aligned columns; numbers to the right."""
    lines = [[plain(_cell(value)).replace("\n", " ") for value in row] for row in rows]
    is_number = [
        bool(lines) and all(_is_number(line[place]) for line in lines) for place in range(len(headers))
    ]
    widths = [max(len(text) for text in column) for column in zip(headers, *lines, strict=True)]
    shown = []
    for line in [list(headers), *lines]:
        cells = zip(line, widths, is_number, strict=True)
        shown.append("  ".join(f"{t:>{w}}" if right else f"{t:<{w}}" for t, w, right in cells).rstrip())
    return "\n".join([paint(shown[0], "bold"), *shown[1:]])


def dollars(amount: float) -> str:
    """An amount of USD with as many digits as it takes to see something."""
    if amount == 0:
        return "$0"
    return f"${amount:.2f}" if abs(amount) >= 1 else f"${amount:.9f}".rstrip("0")


def milliseconds(value: float | None) -> str:
    """A duration in ms as people read it."""
    if value is None:
        return "-"
    return f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:.1f} s"


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """While the block runs, say on standard error (a tty only) what is going on and for how long.

    The block gets a function that changes the words.
    """
    stream = sys.stderr
    if not stream.isatty():
        yield lambda words: None
        return
    spinner = Spinner(what, stream)
    spinner.start()
    try:
        yield spinner.say
    finally:
        spinner.stop()


class Spinner(threading.Thread):
    """A line that moves; it comes after a moment and leaves no trace."""

    def __init__(self, what: str, stream: TextIO) -> None:
        super().__init__(daemon=True)
        self._what = what
        self._stream = stream
        self._done = threading.Event()

    def say(self, what: str) -> None:
        """Change the words."""
        self._what = what

    def stop(self) -> None:
        """End, with the line wiped."""
        self._done.set()
        self.join()

    def run(self) -> None:
        """The thread."""
        begun = time.monotonic()
        turn = 0
        if self._done.wait(_QUIET_S):
            return
        while True:
            seconds = time.monotonic() - begun
            sign = _SPINNER[turn % len(_SPINNER)]
            self._stream.write(f"\r\x1b[K{sign} {self._what} ({seconds:.0f} s)")
            self._stream.flush()
            turn += 1
            if self._done.wait(_TICK_S):
                break
        self._stream.write("\r\x1b[K")
        self._stream.flush()


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return str(value)


def _is_number(text: str) -> bool:
    bare = text.removeprefix("$").replace(",", "").replace(".", "", 1)
    return text == "-" or bare.removesuffix(" ms").removesuffix(" s").isdecimal()
