"""Label values under control: a bounded number of them, and none that a caller made up."""

from __future__ import annotations

from collections.abc import Iterable

OTHER = "other"
_MAX_CHARS = 128


class LabelNames:
    """Names that may be labels: declared by the configuration, or proven by a request that went well.

    Others, and all beyond `max_names`, are "other". Without that, every misspelt model name would be a time
    series for ever, and a key sent as a model name would be on display.
    """

    def __init__(self, max_names: int = 500) -> None:
        self._max_names = max_names
        self._labels: dict[str, str] = {"": ""}

    def declare(self, names: Iterable[str]) -> None:
        """Names of the configuration."""
        for name in names:
            self.proven(name)

    def proven(self, name: str) -> str:
        """The label of a name that a good answer vouches for; known from now on while there is room."""
        label = self._labels.get(name)
        if label is None:
            if len(self._labels) > self._max_names:
                return OTHER
            label = self._labels[name] = name if len(name) <= _MAX_CHARS else name[: _MAX_CHARS - 1] + "…"
        return label

    def claimed(self, name: str) -> str:
        """The label of a name that nothing vouches for."""
        return self._labels.get(name, OTHER)
