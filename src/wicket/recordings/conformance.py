"""A whole folder held against our dialects: per provider what parses, what translates, what is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import msgspec

from wicket.errors import Fault
from wicket.recordings.apis import Place, place_of
from wicket.recordings.cassette import Unreadable
from wicket.recordings.cuts import pieces
from wicket.recordings.folder import Folder
from wicket.recordings.hosts import PROVIDERS
from wicket.recordings.known_fields import kept_raw
from wicket.recordings.reader import NotRead, Reading, reader
from wicket.recordings.recording import Recording
from wicket.wire import json

NUM_CUTS = 3  # each stream is cut so often, each time elsewhere


class Failure(msgspec.Struct, frozen=True):
    """Something that should have been read."""

    recording: str
    what: str


class ProviderReport(msgspec.Struct, kw_only=True):
    """One provider's recordings (files).

    `parsed`: files of which everything was read. `lost_fields`: paths that a reader of the hub does not know.
    `translated`: answers that each inbound dialect can be given; `refused`: those it has no words for.
    `altered`: those that said something else when what was written was read back; each is a failure too.
    `refused_requests`: requests that our callers could not send so, by what they are told.
    `kept_raw`: paths beyond the dialect's own reference, which pass as they came. `errors`: error answers by
    the code of their fault. `passed`: interactions that are no conversation (files, counts, pictures), of
    which only the form was looked at. `no_reader`: interactions in a dialect that nothing reads yet.
    `incomplete`: streams that the recorder left before their end.
    """

    recordings: int = 0
    interactions: int = 0
    streams: int = 0
    parsed: int = 0
    lost_fields: list[str] = []
    translated: dict[str, int] = {}
    refused: dict[str, int] = {}
    altered: dict[str, int] = {}
    refused_requests: dict[str, int] = {}
    kept_raw: dict[str, int] = {}
    errors: dict[str, int] = {}
    passed: int = 0
    no_reader: dict[str, int] = {}
    incomplete: list[str] = []
    failures: list[Failure] = []


def provider_of_file(file: str, recordings: list[Recording]) -> str:
    """Whose a file is: its folder's name if that is a provider's, else the first known one asked in it."""
    folder = PurePosixPath(file).parts[0]
    if folder in PROVIDERS:
        return folder
    known = [one.provider for one in recordings if one.provider in PROVIDERS]
    return (known or [recordings[0].provider if recordings else "unknown"])[0]


class Conformance:
    """One run over a folder. `seed` says where streams are cut."""

    def __init__(self, folder: Folder, *, seed: int = 0, provider: str = "") -> None:
        self.reports: dict[str, ProviderReport] = {}
        self._folder = folder
        self._seed = seed
        self._only = provider

    def run(
        self, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> dict[str, ProviderReport]:
        """Read everything; `progress(done, total)` is told after each file."""
        total = len(self._folder.files)
        for number, file in enumerate(self._folder.files, 1):
            self._file(file)
            progress(number, total)
        return dict(sorted(self.reports.items()))

    def _report(self, provider: str) -> ProviderReport:
        return self.reports.setdefault(provider, ProviderReport())

    def _file(self, file: str) -> None:
        try:
            recordings = self._folder.read(file)
        except Unreadable as error:
            provider = provider_of_file(file, [])
            if self._only in ("", provider):
                report = self._report(provider)
                report.recordings += 1
                report.failures.append(Failure(file, f"can't be read: {error}"))
            return
        provider = provider_of_file(file, recordings)
        if self._only not in ("", provider):
            return
        report = self._report(provider)
        report.recordings += 1
        report.interactions += len(recordings)
        results = [self._interaction(report, recording) for recording in recordings]
        report.parsed += all(results)

    def _interaction(self, report: ProviderReport, recording: Recording) -> bool:
        """Whether it was read."""
        place = place_of(recording)
        try:
            if place is None:
                report.passed += 1
                return _has_its_form(recording)
            return self._read(report, recording, place)
        except NotRead as error:
            report.failures.append(Failure(recording.name, str(error)))
        except Exception as error:  # a defect of a dialect must not hide what the others do
            report.failures.append(Failure(recording.name, f"a defect of ours: {error!r}"))
        return False

    def _read(self, report: ProviderReport, recording: Recording, place: Place) -> bool:
        found = reader(place.dialect)
        if found is None:
            _count(report.no_reader, place.dialect)
            return False
        if recording.status >= 400:
            _count(report.errors, found.error(recording).error)
            return True
        if recording.is_stream:
            report.streams += 1
            reading = found.stream(recording, [recording.response.body])
            self._cut(recording, place, reading)
            if not reading.is_complete:
                report.incomplete.append(recording.name)
        else:
            reading = found.whole(recording, place.api)
        for path in kept_raw(place, recording):
            _count(report.kept_raw, path)
        if reading.counts is None and not reading.error and _reports_usage(recording):
            raise NotRead("usage was reported but not read")
        self._note(report, recording, reading)
        self._request(report, recording, place)
        return True

    @staticmethod
    def _request(report: ProviderReport, recording: Recording, place: Place) -> None:
        """Read the request as our caller's; its family may be stricter than this provider."""
        found = reader(place.dialect)
        assert found is not None
        try:
            unread = found.request(recording, place.api)
        except Fault as fault:
            _count(report.refused_requests, fault.message)
            return
        report.lost_fields = sorted({*report.lost_fields, *(f"request: {path}" for path in unread)})

    def _cut(self, recording: Recording, place: Place, uncut: Reading) -> None:
        """Raises `NotRead` if a stream reads otherwise when it comes in pieces."""
        found = reader(place.dialect)
        assert found is not None
        for number in range(NUM_CUTS):
            seed = f"{self._seed}:{number}:{recording.name}"
            cut = found.stream(recording, pieces(recording.response.body, seed))
            if (cut.said, cut.error, cut.counts) != (uncut.said, uncut.error, uncut.counts):
                raise NotRead(f"reads otherwise when cut by seed {seed!r}")

    @staticmethod
    def _note(report: ProviderReport, recording: Recording, reading: Reading) -> None:
        if reading.error:
            _count(report.errors, reading.error)
        lost = {f"answer: {path}" for path in reading.unread}
        report.lost_fields = sorted({*report.lost_fields, *lost})
        for name in sorted(reading.translated):
            _count(report.translated, name)
        for name in sorted(reading.refused):
            _count(report.refused, name)
        for name in sorted(reading.altered):
            _count(report.altered, name)
            report.failures.append(Failure(recording.name, f"says something else when translated to {name}"))


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


def _has_its_form(recording: Recording) -> bool:
    """Whether a JSON answer is JSON. Raises `NotRead`."""
    body = recording.response.body
    if body and recording.response.media_type == "application/json":
        try:
            json.decode(body)
        except msgspec.DecodeError as error:
            raise NotRead(f"the answer is not JSON: {error}") from None
    return True


_USAGE = (b'"completion_tokens":', b'"output_tokens":', b'"outputTokens":', b'"candidatesTokenCount":')


def _reports_usage(recording: Recording) -> bool:
    body = recording.response.body.replace(b" ", b"")
    return any(word in body for word in _USAGE)


def totals(reports: dict[str, ProviderReport]) -> dict[str, Any]:
    """The sums of all providers: what the table's last row and the exit code are made of."""
    sums: Counter[str] = Counter()
    for report in reports.values():
        sums["recordings"] += report.recordings
        sums["interactions"] += report.interactions
        sums["parsed"] += report.parsed
        sums["streams"] += report.streams
        sums["lost_fields"] += len(report.lost_fields)
        sums["failures"] += len(report.failures)
    return dict(sums)
