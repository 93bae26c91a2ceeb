"""Where inference comes in: every path of every dialect that is heard, and what a path already says.

Built once per worker. Most paths are exact and found in one look-up; those with a model's name in them
(Gemini's) are matched by their ends. Reading a dialect takes milliseconds, so those that the first answers
can do without are read with the first path that the others do not have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import unquote_to_bytes

import msgspec

from wicket.dialects.contract import Api, Way
from wicket.dialects.translation import Voice, doors_of, voice

_MODEL = "{model}"
_QUERY_KEY = re.compile(rb"(?:^|&)key=([^&]*)")


class Door(msgspec.Struct, frozen=True):
    """One way in. `forwarded` are the headers (lower-case) that go on to providers of the same dialect."""

    api: Api
    way: Way
    voice: Voice
    forwarded: frozenset[bytes] = frozenset()


class Entered(msgspec.Struct, frozen=True):
    """A door as one request came through it: the model in its path ("" for none), its framing."""

    door: Door
    model: str = ""
    is_array: bool = False


class Ingress:
    """All doors. `forwarded` are the headers of any of them that has been read, `apis` likewise."""

    def __init__(
        self, dialects: Iterable[str], default: Voice, more: Callable[[], Iterable[str]] | None = None
    ) -> None:
        """`more` names all dialects; those that are not in `dialects` are read when they are wanted."""
        self.default = default  # tells faults where it is not known whom they are told
        self.on_more: Callable[[], None] = lambda: None  # called when `apis` has become longer
        self._more = more
        self._read = list(dialects)
        self.forwarded: frozenset[bytes] = frozenset()
        self.apis: dict[str, Api] = {}
        self._exact: dict[bytes, Entered] = {}
        self._patterns: list[tuple[bytes, bytes, Door]] = []
        for name in self._read:
            self._add(name)

    def _add(self, name: str) -> None:
        teller = voice(name)
        if teller is None:
            return
        names = frozenset(getattr(teller, "FORWARDED_HEADERS", ()))
        self.forwarded |= names
        for api, way in doors_of(name):
            self.apis[api.name] = api
            door = Door(api, way, teller, names)
            before, mark, after = way.path.partition(_MODEL)
            if mark:
                self._patterns.append((before.encode(), after.encode(), door))
            else:
                self._exact[way.path.encode()] = Entered(door)

    def find(self, url: bytes) -> Entered | None:
        """The door that a request's target leads to; None for every other path."""
        path, _, query = url.partition(b"?")
        found = self._exact.get(path)
        if found is not None:
            return found
        if self._more is not None:
            self.read_all()
            return self.find(url)
        for before, after, door in self._patterns:
            if path.startswith(before) and path.endswith(after) and len(path) > len(before) + len(after):
                model = unquote_to_bytes(path[len(before) : len(path) - len(after)])
                sse_if = door.way.sse_if.encode()
                is_array = bool(sse_if) and sse_if not in query.split(b"&")
                return Entered(door, model.decode("utf-8", "replace"), is_array)
        return None

    def read_all(self) -> None:
        """Read the dialects that were left for later."""
        more, self._more = self._more, None
        if more is not None:
            for name in more():
                if name not in self._read:
                    self._add(name)
            self.on_more()

    def paths(self) -> list[str]:
        """Every path, as documents and messages show it."""
        self.read_all()
        doors = [entered.door for entered in self._exact.values()] + [door for _, _, door in self._patterns]
        return [door.way.path for door in doors]


def query_key(url: bytes) -> bytes | None:
    """The key in `?key=`, as Google's clients may send it."""
    query = url.partition(b"?")[2]
    found = _QUERY_KEY.search(query) if query else None
    return unquote_to_bytes(found[1]) if found is not None else None


def other_key(kept: Mapping[bytes, bytes], url: bytes) -> bytes | None:
    """A key that came otherwise than in `Authorization`, as Anthropic's, Azure's and Google's clients do."""
    for name in (b"x-api-key", b"api-key", b"x-goog-api-key"):
        if kept.get(name):
            return kept[name]
    return query_key(url)
