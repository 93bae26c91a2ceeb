"""What a dialect makes of recordings: the seam between recorded truth and the files in `dialects/`.

A dialect is asked for what it has: `judge`, `whole` and `frame` (contract.py) for traffic that passes as it
came, `read_request`, `read_completion`, `stream_reader` and the writers (translation.py) for traffic that is
translated. One that has none of these yet is said to have no reader.
"""

from __future__ import annotations

import importlib
import re
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from wicket.dialects.contract import Api, Counts
from wicket.dialects.hub import Began, Broken, Completion, Conversation, Delta, Over, Stopped, Used
from wicket.dialects.translation import Asked
from wicket.errors import Fault, UpstreamBroken
from wicket.recordings.echo import gist, read_back
from wicket.recordings.recording import Recording
from wicket.wire.fields import peek
from wicket.wire.sse import FrameSplitter, payload

HEARD = ("openai_chat", "openai_responses", "anthropic_messages", "gemini", "cohere")
_INDEX = re.compile(r"\[\d+\]")


class NotRead(Exception):
    """The recording is not what the dialect takes it for; the text says why."""


class Reading(msgspec.Struct):
    """What one recording came to.

    `said` is everything read, for comparison of a cut stream with the uncut one. `error` is the code of an
    error answer's fault. `unread` are paths that no reader knows: lost when translated. `translated`,
    `refused` and `altered` (the text or a call read back is another) are names of inbound dialects.
    """

    said: list[Any] = []
    error: str = ""
    is_complete: bool = True
    counts: Counts | None = None
    unread: set[str] = set()
    translated: set[str] = set()
    refused: set[str] = set()
    altered: set[str] = set()


class Reader(Protocol):
    """Reads one dialect's recordings. The first three raise `NotRead`."""

    def error(self, recording: Recording) -> Reading:
        """An answer with a status from 400."""
        ...

    def whole(self, recording: Recording, api: str) -> Reading:
        """An answer that came in one piece."""
        ...

    def stream(self, recording: Recording, cut: list[bytes]) -> Reading:
        """A streamed answer, its bytes as `cut`."""
        ...

    def request(self, recording: Recording, api: str) -> set[str]:
        """Paths of the request, read as a caller's, that the dialect does not know. Raises `CallerFault`."""
        ...


@lru_cache(maxsize=32)
def reader(dialect: str) -> Reader | None:
    """The reader of a dialect; None if there is no such dialect, or nothing in it that reads answers."""
    module = _module(dialect)
    if module is None or not (hasattr(module, "whole") or hasattr(module, "read_completion")):
        return None
    return DialectReader(dialect, module)


@lru_cache(maxsize=1)
def ears() -> dict[str, Any]:
    """The dialects that callers may speak today, by name."""
    found: dict[str, Any] = {}
    for name in HEARD:
        module = _module(name)
        if hasattr(module, "write_completion") and hasattr(module, "stream_writer"):
            found[name] = module
    return found


def _module(dialect: str) -> Any:
    name = f"wicket.dialects.{dialect}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:  # it is there, but broken
            raise
        return None


class DialectReader:
    """A dialect's module, asked for whatever it has."""

    def __init__(self, name: str, module: Any) -> None:
        self._name = name
        self._module = module
        self._apis = {api.name: api for api in getattr(module, "APIS", ())}

    def error(self, recording: Recording) -> Reading:
        """See `Reader`."""
        response = recording.response
        headers = {name.encode(): value.encode() for name, value in response.headers}
        fault = self._module.judge(recording.status, headers, response.body)
        if not isinstance(fault, Fault) or not fault.message:
            raise NotRead(f"status {recording.status} was not judged")
        return Reading(error=fault.code)

    def whole(self, recording: Recording, api: str) -> Reading:
        """See `Reader`."""
        body, reading = recording.response.body, Reading()
        known: Api | None = self._apis.get(api) or next(iter(self._apis.values()), None)
        if hasattr(self._module, "whole") and known is not None:
            self._pass(reading, lambda: self._module.whole(body, known))
        if hasattr(self._module, "read_completion") and self._is_conversation(api) and not reading.error:
            self._pass(reading, lambda: self._module.read_completion(body))
        for said in reading.said:
            reading.counts = said.counts or reading.counts
            if isinstance(said, Completion):
                reading.unread |= {_INDEX.sub("[]", path) for path in said.unread}
                self._translate(reading, said, recording)
        reading.translated.add(self._name)  # to its own callers the bytes go as they came
        return reading

    def _is_conversation(self, api: str) -> bool:
        """Whether the hub's values are for it: it is not for embeddings."""
        known = self._apis.get(api)
        return known is None or known == getattr(self._module, "CONVERSATION", known)

    @staticmethod
    def _pass(reading: Reading, read: Any) -> None:
        """Note what `read` gives; a fault that the answer tells of is an answer too."""
        try:
            reading.said.append(read())
        except UpstreamBroken as fault:
            if fault.code in ("malformed", "unknown_finish"):
                raise NotRead(fault.message) from None
            reading.error = fault.code
        except Fault as fault:
            reading.error = fault.code

    def stream(self, recording: Recording, cut: list[bytes]) -> Reading:
        """See `Reader`."""
        reading = Reading(is_complete=False)
        frames = self._split(cut)
        try:
            if hasattr(self._module, "stream_reader"):
                self._read_deltas(reading, frames, recording)
            if hasattr(self._module, "frame"):
                self._read_frames(reading, frames)
        except UpstreamBroken as fault:
            if fault.code in ("malformed", "unknown_finish"):
                raise NotRead(fault.message) from None
            reading.error = fault.code
        except Fault as fault:
            reading.error = fault.code
        reading.translated.add(self._name)
        return reading

    def _split(self, cut: list[bytes]) -> list[bytes]:
        """Payloads of the frames."""
        own = getattr(self._module, "splitter", None)
        splitter = own() if own else FrameSplitter()
        frames = [frame for piece in cut for frame in splitter.feed(piece)]
        rest = splitter.finish()
        if rest:
            frames.append(rest)
        return [payload(one) if isinstance(splitter, FrameSplitter) else one for one in frames]

    def _read_frames(self, reading: Reading, frames: list[bytes]) -> None:
        for data in frames:
            if not data:
                continue
            frame = self._module.frame(data)
            reading.said.append(frame)
            reading.counts = frame.counts or reading.counts
            reading.is_complete = reading.is_complete or frame.finished
            if frame.fault is not None:
                reading.error, reading.is_complete = frame.fault.code, True
                reading.said[-1] = msgspec.structs.replace(
                    frame, fault=None
                )  # faults don't compare as values
                break
            if frame.is_done:
                break

    def _read_deltas(self, reading: Reading, frames: list[bytes], recording: Recording) -> None:
        stream = self._module.stream_reader()
        deltas: list[Delta] = [delta for data in frames if data for delta in stream.feed(data)]
        deltas += stream.finish()
        for delta in deltas:
            if isinstance(delta, Broken):
                reading.error, reading.is_complete = delta.fault.code, True
                break
            reading.said.append(delta)
            if isinstance(delta, Used):
                reading.counts = delta.counts
            reading.is_complete = reading.is_complete or isinstance(delta, Stopped | Over)
        unread = getattr(stream, "unread", ())
        reading.unread |= {_INDEX.sub("[]", path) for path in unread}
        self._translate(reading, deltas, recording)

    def _translate(self, reading: Reading, said: Completion | list[Delta], recording: Recording) -> None:
        """Say it again in each dialect that callers speak."""
        for name, module in ears().items():
            if name == self._name:
                continue
            try:
                written = _written(module, said, recording)
            except Fault:
                reading.refused.add(name)
                continue
            if written and _says_the_same(module, said, written):
                reading.translated.add(name)
            else:
                reading.altered.add(name)

    def request(self, recording: Recording, api: str) -> set[str]:
        """See `Reader`."""
        if not hasattr(self._module, "read_request") or not self._is_conversation(api):
            return set()
        conversation: Conversation = self._module.read_request(peek(recording.request.body))
        return {_INDEX.sub("[]", path) for path in conversation.unread}


def _written(module: Any, said: Completion | list[Delta], recording: Recording) -> bytes:
    asked = Asked(id="req_recorded", created_s=1, model="recorded", fields=_fields(recording))
    if isinstance(said, Completion):
        whole: bytes = module.write_completion(said, asked, None)
        return whole
    writer = module.stream_writer(asked)
    parts = [writer.write(delta) for delta in said if not isinstance(delta, Broken)]
    if any(isinstance(delta, Began) for delta in said):
        parts.append(writer.finish(None))
    return b"".join(parts)


def _says_the_same(module: Any, said: Completion | list[Delta], written: bytes) -> bool:
    is_stream = not isinstance(said, Completion)
    if not hasattr(module, "stream_reader" if is_stream else "read_completion"):
        return True  # a dialect that callers speak and no provider: nothing reads it back
    try:
        return read_back(module, written, is_stream=is_stream) == gist(said)
    except Fault:
        return any(isinstance(one, Broken) for one in (said if isinstance(said, list) else ()))


def _fields(recording: Recording) -> dict[str, msgspec.Raw]:
    try:
        return peek(recording.request.body)
    except Fault:
        return {}
