"""A folder of recordings: which files it has, and what can't be read of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from wicket.errors import OperatorFault
from wicket.recordings.cassette import SUFFIXES, Unreadable, read
from wicket.recordings.recording import Recording

_NOT_RECORDINGS = ("index.json", "package.json", "package-lock.json")


class Folder:
    """The files under a folder (or one file), in order of their names; those last used are kept parsed."""

    def __init__(self, path: Path, max_kept: int = 32) -> None:
        """Raises `OperatorFault` if there is nothing to read."""
        self.path = path
        self._max_kept = max_kept
        self._kept: OrderedDict[str, list[Recording]] = OrderedDict()
        self.files = list(self._find())
        if not self.files:
            raise OperatorFault(
                "no_recordings",
                f"{path} holds no recordings ({', '.join(SUFFIXES)}). Name a folder that does.",
            )

    def _find(self) -> Iterator[str]:
        if self.path.is_file():
            yield self.path.name
            return
        for path in sorted(self.path.rglob("*")):
            if path.suffix.lower() in SUFFIXES and path.name not in _NOT_RECORDINGS and path.is_file():
                yield path.relative_to(self.path).as_posix()

    def read(self, file: str) -> list[Recording]:
        """A file's interactions. Raises `Unreadable`."""
        try:
            data = (self.path if self.path.is_file() else self.path / file).read_bytes()
        except OSError as error:
            raise Unreadable(f"it can't be opened: {error.strerror}") from None
        return list(read(file, data))

    def again(self, file: str) -> list[Recording]:
        """Like `read`, for files asked for more than once: a few stay in memory."""
        if file in self._kept:
            self._kept.move_to_end(file)
            return self._kept[file]
        found = self._kept[file] = self.read(file)
        if len(self._kept) > self._max_kept:
            self._kept.popitem(last=False)
        return found
