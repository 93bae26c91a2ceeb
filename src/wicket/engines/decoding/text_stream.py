"""From drawn tokens to text that may be shown: whole characters, nothing that may become a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Decodes one generation's bytes step by step.

    Text is held back while its end could be the beginning of a stop string. Bytes that can't be UTF-8
    come out as U+FFFD.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, raw: bytes) -> tuple[str, bool]:
        """Text to show after these bytes, and whether a stop string was met (text before it is given)."""
        return self._show(self._decoder.decode(raw))

    def finish(self) -> str:
        """What was held back and is no stop string after all, at the end of the generation."""
        text, _ = self._show(self._decoder.decode(b"", final=True))
        text, self._held = text + self._held, ""
        return text

    def _show(self, fresh: str) -> tuple[str, bool]:
        text = self._held + fresh
        hits = [at for at in (text.find(stop) for stop in self._stops) if at >= 0]
        if hits:
            self._held = ""
            return text[: min(hits)], True
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that `stop` begins with."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
