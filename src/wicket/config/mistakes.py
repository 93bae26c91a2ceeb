"""Mistakes in a configuration: collected all at once, each with its place and what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from wicket.config.lines import Lines, Path
from wicket.errors import ConfigFault

_BARE = re.compile(r"[A-Za-z0-9_-]+")
MAX_SHOWN = 80


def field_name(path: Path) -> str:
    """A path as one would write it in TOML: `models."gpt-4o".deployments[1]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = part if _BARE.fullmatch(part) else '"' + printable(part) + '"'
            text += f".{bare}" if text else bare
    return text


def printable(text: str) -> str:
    """One short line, whatever was in the text."""
    clean = "".join(c if c.isprintable() else "�" for c in text[:MAX_SHOWN])
    return clean if len(text) <= MAX_SHOWN else clean[:-1] + "…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing."""
    near = difflib.get_close_matches(word[:MAX_SHOWN], list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


class Mistakes:
    """Collects; `fault` makes one `ConfigFault` of all of them, in the order of the file."""

    def __init__(self, source: str, lines: Lines) -> None:
        self.source = source
        self._lines = lines
        self._found: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: Path, what: str) -> None:
        """Note that `what` is wrong at `path`."""
        line = self._lines.of(path)
        place = f"{self.source}:{line}" if line else self.source
        named = f"{field_name(path)}: " if path else ""
        text = f"{place}: {named}{what}"
        if (line, text) not in self._found:
            self._found.append((line, text))

    def add_plain(self, text: str) -> None:
        """Note a mistake that is not in the file (an environment variable)."""
        self._found.append((0, text))

    def fault(self) -> ConfigFault:
        """One line per mistake."""
        lines = [text for _, text in sorted(self._found, key=lambda found: found[0])]
        return ConfigFault("invalid_config", "\n".join(lines))
