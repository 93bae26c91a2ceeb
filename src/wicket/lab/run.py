"""A run: a folder in which stages leave their results, so that an interrupted one goes on where it was.

Each stage is a function of what is in the folder; its result is a small JSON document, kept in `run.json`
once the stage is over. A finished stage is not done again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from wicket.errors import OperatorFault
from wicket.wire import json

STATE_FILE = "run.json"
Result = TypeVar("Result")


class State(msgspec.Struct):
    """`asked` is what the run was started with: another request needs another folder."""

    asked: dict[str, Any]
    stages: dict[str, Any] = {}


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Nobody else runs in `folder` meanwhile. Raises `OperatorFault` where somebody does.

    The lock is the system's, on the folder itself: it ends with the process, however that ends.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        message = f"The run folder {folder} can't be used: {error.strerror}."
        raise OperatorFault("run_folder", message) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = f"Another run is under way in {folder}: wait for its end, or choose another --out."
            raise OperatorFault("in_use", message) from None
        yield
    finally:
        os.close(handle)


class Run:
    """One run in its folder. Raises `OperatorFault` when the folder belongs to another run."""

    def __init__(self, folder: Path, asked: dict[str, Any]) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._state = self._load() or State(asked)
        except OSError as error:
            raise OperatorFault(
                "run_folder", f"The run folder {folder} can't be used: {error.strerror}."
            ) from None
        if self._state.asked != asked:
            names = sorted(
                name
                for name in {*asked, *self._state.asked}
                if asked.get(name) != self._state.asked.get(name)
            )
            message = f"{folder} holds a run with another {', '.join(names)}: choose another --out."
            raise OperatorFault("run_folder", message)

    def stage(self, name: str, kind: type[Result], work: Callable[[], Result]) -> Result:
        """The stage's result: what it left behind, or what `work` makes now."""
        if name in self._state.stages:
            return msgspec.convert(self._state.stages[name], kind)
        result = work()
        self._state.stages[name] = msgspec.to_builtins(result)
        write_whole(self.folder / STATE_FILE, json.dumps(self._state).encode())
        return result

    def _load(self) -> State | None:
        path = self.folder / STATE_FILE
        if not path.exists():
            return None
        try:
            return json.decode(path.read_bytes(), type=State)
        except json.DecodeError as error:
            raise OperatorFault("run_folder", f"{path} is damaged ({error}): remove the folder.") from None


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file whole, on the disk before it has its name. Raises `OperatorFault` on a full disk."""
    draft = path.with_name(f"{path.name}.new")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OperatorFault("disk", f"{path} can't be written: {error.strerror}.") from None
