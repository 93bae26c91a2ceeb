"""What a translation left out, as a header line and as the record keeps it.

The names come from callers and providers: paths with any key of theirs in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_NAMES = 50
MAX_NAME = 120  # characters
_ODD = re.compile(r"[^\x21-\x2b\x2d-\x7e]")  # all but visible ASCII, and the comma


def shown(names: Iterable[str]) -> tuple[str, ...]:
    """The names fit to be shown, each once; the last stands for all that are too many."""
    found = list(dict.fromkeys([_ODD.sub("?", name)[:MAX_NAME] for name in names]))
    return tuple(found if len(found) <= MAX_NAMES else [*found[: MAX_NAMES - 1], "..."])


def dropped_line(names: Iterable[str]) -> bytes:
    """The line `x-wicket-dropped`."""
    return b"x-wicket-dropped: %b\r\n" % ",".join(shown(names)).encode()
