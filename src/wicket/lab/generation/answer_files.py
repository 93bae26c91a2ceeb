"""Answers as they come, on the disk before they count: FILE of training examples, and FILE.journal of calls.

Both only grow, a whole line at a time. The journal has a line before each call, with the most that it can
use, and one after each that failed: whatever kills the process, the next one knows what may have been spent.
A line that was cut by a crash is taken off.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Any

import msgspec

from wicket.errors import OperatorFault
from wicket.lab.data.folder import disk_fault, sync_folder
from wicket.lab.generation.plan import Spending
from wicket.wire import json


class Ask(msgspec.Struct, frozen=True, tag="ask", omit_defaults=True):
    """A call is about to be made; `call` is its name."""

    call: str
    nanos: int = 0
    tokens: int = 0


class End(msgspec.Struct, frozen=True, tag="end", omit_defaults=True):
    """A call has ended without an answer that is kept. `is_last`: the prompt is not asked again by itself."""

    call: str
    key: str
    code: str
    message: str
    nanos: int = 0
    tokens: int = 0
    is_last: bool = False
    limit: int = 0  # of the answer, in tokens


class _Meta(msgspec.Struct):
    id: str
    call: str
    cost_nanos: int
    used_tokens: int


class _Line(msgspec.Struct):
    messages: list[dict[str, Any]]
    meta: _Meta


class Past(msgspec.Struct):
    """What earlier runs left: the keys that are answered, the last failure of others, and what was spent."""

    answered: set[str] = msgspec.field(default_factory=set)
    failed: dict[str, End] = msgspec.field(default_factory=dict)
    spent: Spending = Spending()


_journal = msgspec.json.Decoder(Ask | End)


class GrowingFile:
    """Lines are on the disk when `add` returns; those that come at the same time share one fsync."""

    def __init__(self, path: Path) -> None:
        """Raises `OperatorFault` if the file can't be used."""
        self.path = path
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise disk_fault(path, error) from None
        self._size = 0
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    def read(self) -> list[bytes]:
        """The whole lines."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise disk_fault(self.path, error) from None
        self._size = data.rfind(b"\n") + 1
        return data[: self._size].splitlines()

    def mend(self) -> None:
        """Take off what follows the last whole line."""
        try:
            if os.fstat(self._handle).st_size > self._size:
                os.ftruncate(self._handle, self._size)
        except OSError as error:
            raise disk_fault(self.path, error) from None

    def lock(self) -> None:
        """Raises `OperatorFault` if another process writes it."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = f"{self.path} is being written by another run: wait for it, or choose another --out."
            raise OperatorFault("in_use", message) from None

    async def add(self, line: msgspec.Struct | dict[str, Any]) -> None:
        """One more line. Raises `OperatorFault` when the disk takes no more; then the file is as before."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((json.encode(line) + b"\n", done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        await done

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            fault = await asyncio.to_thread(self._write, b"".join(line for line, _ in batch))
            for _, done in batch:
                if done.done():  # whoever waited was cancelled
                    continue
                if fault is None:
                    done.set_result(None)
                else:
                    done.set_exception(fault)
        self._writer = None

    def _write(self, data: bytes) -> OperatorFault | None:
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._handle, left) :]
            os.fsync(self._handle)
        except OSError as error:
            try:
                os.ftruncate(self._handle, self._size)
            except OSError:
                pass  # the next run takes the half line off
            return disk_fault(self.path, error)
        self._size += len(data)
        return None

    async def close(self) -> None:
        """Wait for what is being written, then let go."""
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)
        os.close(self._handle)


class AnswerFiles:
    """FILE and FILE.journal. Raises `OperatorFault` where FILE holds something else, or is in use."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_fault(path.parent, error) from None
        self.journal = GrowingFile(path.with_name(f"{path.name}.journal"))
        self.journal.lock()
        self.answers = GrowingFile(path)
        sync_folder(path.parent)
        self.past = _past(path, self.answers.read(), self.journal.read())
        self.answers.mend()
        self.journal.mend()

    async def close(self) -> None:
        """Let go of both."""
        await self.answers.close()
        await self.journal.close()


def _past(path: Path, answers: list[bytes], journal: list[bytes]) -> Past:
    past = Past()
    ended: set[str] = set()
    for number, data in enumerate(answers, 1):
        try:
            line = json.decode(data, type=_Line)
        except json.DecodeError:
            message = f"{path}:{number} was not written by `wicket lab generate`: choose another --out."
            raise OperatorFault("other_file", message) from None
        past.answered.add(line.meta.id)
        ended.add(line.meta.call)
        past.spent += Spending(line.meta.cost_nanos, line.meta.used_tokens)
    asked: dict[str, Ask] = {}
    for data in journal:
        try:
            entry = _journal.decode(data)
        except json.DecodeError:
            continue
        if isinstance(entry, Ask):
            asked[entry.call] = entry
        else:
            ended.add(entry.call)
            past.failed[entry.key] = entry
            past.spent += Spending(entry.nanos, entry.tokens)
    for call, ask in asked.items():  # nobody knows how they ended: they may have cost all they could
        if call not in ended:
            past.spent += Spending(ask.nanos, ask.tokens)
    for key in past.answered:
        past.failed.pop(key, None)
    return past
