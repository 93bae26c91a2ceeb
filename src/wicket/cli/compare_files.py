"""The folder of a comparison: `answers.jsonl`, which grows line by line, and the report made of it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec

from wicket.errors import OperatorFault
from wicket.suites.comparison import Answered

ANSWERS = "answers.jsonl"
REPORT = "report.json"
PAGE = "report.html"

_decode = msgspec.json.Decoder(Answered).decode
_encode = msgspec.json.Encoder().encode


class AnswerFile:
    """Answers, in memory and, with a folder, on disk as they come. Lines of different threads don't mix."""

    def __init__(self, folder: Path | None) -> None:
        """Reads what earlier runs left. Raises `OperatorFault` if the folder can't be used."""
        self.answers: list[Answered] = []
        self._lock = threading.Lock()
        self._handle = -1
        if folder is None:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / ANSWERS
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            data = path.read_bytes()
            if data and not data.endswith(b"\n"):  # the end of a run that was killed in the middle of a line
                os.write(self._handle, b"\n")
        except OSError as error:
            raise OperatorFault("out_unusable", f"{folder} can't be used: {error.strerror}.") from None
        self.answers = read_answers(data)

    def add(self, answer: Answered) -> None:
        """One more. Raises `OperatorFault` when the disk takes no more."""
        line = _encode(answer) + b"\n"
        with self._lock:
            self.answers.append(answer)
            if self._handle >= 0:
                try:
                    os.write(self._handle, line)
                except OSError as error:
                    raise OperatorFault(
                        "out_unusable", f"An answer can't be kept: {error.strerror}."
                    ) from None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._handle >= 0:
                os.close(self._handle)
            self._handle = -1


def read_answers(data: bytes) -> list[Answered]:
    """The lines that are whole; the newest of those that answer the same."""
    found: dict[tuple[str, str, str, int], Answered] = {}
    for line in data.split(b"\n"):
        try:
            answer = _decode(line)
        except (msgspec.DecodeError, RecursionError):
            continue
        found[answer.case, answer.asked, answer.model, answer.repeat] = answer
    return list(found.values())


def write_whole(path: Path, text: str) -> None:
    """Replace a file in one step. Raises `OperatorFault`."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise OperatorFault("out_unusable", f"{path} can't be written: {error.strerror}.") from None
