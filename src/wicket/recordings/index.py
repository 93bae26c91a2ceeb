"""Which recording answers a request: found by method, path and body. Bodies are not kept, digests are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from wicket.recordings.cassette import Unreadable
from wicket.recordings.folder import Folder
from wicket.recordings.recording import Message, Recording
from wicket.recordings.sameness import Difference, difference, digest, has_scrubbed, meaning

BOOKKEEPING = ("stream_options",)  # asks for a usage frame, not for another answer; Wicket adds it
_MAX_COMPARED = 2_048  # recordings looked at for the nearest one


class Entry(msgspec.Struct, frozen=True):
    """A recording as the index knows it. `fields` are digests of a body's top-level fields."""

    file: str
    number: int
    provider: str
    query: str
    whole: bytes
    fields: dict[str, bytes]
    is_scrubbed: bool


class Asked(msgspec.Struct, frozen=True):
    """A request to be answered. `path` is decoded; a provider's name may stand before its own path."""

    method: str
    path: str
    query: str
    message: Message


class Missed(msgspec.Struct, frozen=True):
    """No recording answers. `nearest` is the one with most in common, "" if the path is unknown as well."""

    nearest: str = ""
    method: str = ""
    url: str = ""
    difference: Difference | None = None


class Index:
    """All recordings of a folder, or of one provider in it.

    Equal requests are answered in the order they were recorded, over and over. `ignored` are top-level fields
    that are left out of the comparison if nothing matches with them.
    """

    def __init__(self, folder: Folder, provider: str = "", ignored: Sequence[str] = ()) -> None:
        self.unreadable: dict[str, str] = {}
        self.num_recordings: dict[str, int] = {}
        self._folder = folder
        self._only = provider
        self._ignored = frozenset((*BOOKKEEPING, *ignored))
        self._by_place: dict[tuple[str, str], list[Entry]] = {}
        self._turn: dict[tuple[str, str, bytes], int] = {}

    def fill(self) -> None:
        """Read every file once."""
        for file in self._folder.files:
            try:
                recordings = self._folder.read(file)
            except Unreadable as error:
                self.unreadable[file] = str(error)
                continue
            for recording in recordings:
                if self._only in ("", recording.provider):
                    self._add(recording)

    def _add(self, recording: Recording) -> None:
        asked = meaning(recording.request)
        entry = Entry(
            recording.file,
            recording.number,
            recording.provider,
            recording.query,
            digest(asked),
            {name: digest(value) for name, value in asked.items()} if isinstance(asked, dict) else {},
            has_scrubbed(asked),
        )
        self._by_place.setdefault((recording.method, recording.path), []).append(entry)
        self.num_recordings[recording.provider] = self.num_recordings.get(recording.provider, 0) + 1

    def find(self, asked: Asked) -> Recording | Missed:
        """The recording that answers, or what comes nearest. Raises `Unreadable` if its file changed."""
        sent = meaning(asked.message)
        entries = self._entries(asked)
        same = self._same(entries, sent)
        if same:
            return self._next(asked, sent, same)
        return self._nearest(entries, sent)

    def _entries(self, asked: Asked) -> list[Entry]:
        """All of that method and path, of the provider that the path begins with or of any."""
        first, _, rest = asked.path.removeprefix("/").partition("/")
        if first in self.num_recordings:
            found = self._by_place.get((asked.method, f"/{rest}"), [])
            if found := [entry for entry in found if entry.provider == first]:
                return found
        return self._by_place.get((asked.method, asked.path), [])

    def _same(self, entries: list[Entry], sent: Any) -> list[Entry]:
        whole = digest(sent)
        if same := [entry for entry in entries if entry.whole == whole]:
            return same
        if not isinstance(sent, dict):
            return []
        fields = self._counted({name: digest(value) for name, value in sent.items()})
        if same := [entry for entry in entries if entry.fields and self._counted(entry.fields) == fields]:
            return same
        return [entry for entry in entries if entry.is_scrubbed and not self._difference(entry, sent)]

    def _counted(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in fields.items() if name not in self._ignored}

    def _next(self, asked: Asked, sent: Any, same: list[Entry]) -> Recording:
        wanted = dict(parse_qsl(asked.query))
        same = [entry for entry in same if dict(parse_qsl(entry.query)) == wanted] or same
        place = (asked.method, asked.path, digest(sent))
        turn = self._turn.get(place, 0)
        self._turn[place] = turn + 1
        return self._load(same[turn % len(same)])

    def _load(self, entry: Entry) -> Recording:
        recordings = self._folder.again(entry.file)
        if entry.number >= len(recordings):
            raise Unreadable(f"{entry.file} has changed since it was read")
        return recordings[entry.number]

    def _difference(self, entry: Entry, sent: Any) -> Difference | None:
        recorded = meaning(self._load(entry).request)
        if isinstance(recorded, dict) and isinstance(sent, dict):
            return difference(self._counted(recorded), self._counted(sent))
        return difference(recorded, sent)

    def _nearest(self, entries: list[Entry], sent: Any) -> Missed:
        if not entries:
            return Missed()
        fields = {name: digest(value) for name, value in sent.items()} if isinstance(sent, dict) else {}

        def in_common(entry: Entry) -> tuple[int, int]:
            num_equal = sum(entry.fields.get(name) == value for name, value in fields.items())
            return num_equal, -len(entry.fields.keys() ^ fields.keys())

        entry = max(entries[-_MAX_COMPARED:], key=in_common)
        recording = self._load(entry)
        return Missed(recording.name, recording.method, recording.url, self._difference(entry, sent))


def asked(method: str, target: str, message: Message) -> Asked:
    """A request by its method, target and message."""
    parts = urlsplit(target)
    return Asked(method.upper(), unquote(parts.path), parts.query, message)
