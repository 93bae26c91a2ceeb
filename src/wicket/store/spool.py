"""Records kept in a plain file while nobody can take them: frames that are appended and checked one by one.

A frame is `WKR1`, the payload's length and its CRC-32 (both 32 bits, big-endian), then the payload: a msgpack
list of records. A process that is killed while it writes leaves a torn frame, which readers pass over.
Writers and the importer lock the file, so that it is never removed under a writer's hands.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from wicket.accounts.record import Record
from wicket.errors import StoreFault

SUFFIX = ".spool"
_MAGIC = b"WKR1"
_HEADER = struct.Struct(">4sII")
_MAX_RECORDS = 5_000  # of one frame
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Record]).decode


def spool_write(path: Path, records: Sequence[Record]) -> None:
    """Append records to the file, making it (0600) and its folder (0700) if needed.

    Safe against the end of the process once it returns, not against a power cut. Raises `StoreFault` if the
    disk does not take them; the file is then as it was.
    """
    frames = b"".join(
        _frame(records[start : start + _MAX_RECORDS]) for start in range(0, len(records), _MAX_RECORDS)
    )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path, os.O_RDWR | os.O_CREAT | os.O_APPEND) as descriptor:
            size = os.fstat(descriptor).st_size
            try:
                rest = memoryview(frames)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            except OSError:
                os.ftruncate(descriptor, size)
                raise
    except OSError as error:
        raise StoreFault(
            "spool_failed", f"{len(records)} records can't be kept in {path}: {error.strerror}. Make room."
        ) from error


def spool_read(data: bytes) -> tuple[list[list[Record]], bool]:
    """The whole frames in `data`, and whether bytes were passed over that are no mere torn end."""
    batches: list[list[Record]] = []
    place, is_damaged = 0, False
    while place < len(data):
        batch, after = _read_frame(data, place)
        if batch is None:
            after = data.find(_MAGIC, place + 1)
            if after < 0:
                return batches, is_damaged or not _is_torn(data, place)
            is_damaged = True
        else:
            batches.append(batch)
        place = after
    return batches, is_damaged


@contextmanager
def claimed(path: Path) -> Iterator[bytes | None]:
    """The file's bytes, with writers kept out; None if it is gone or a writer has it now."""
    try:
        with (
            _locked(path, os.O_RDONLY, fcntl.LOCK_NB) as descriptor,
            open(descriptor, "rb", closefd=False) as file,
        ):
            yield file.read()
    except (BlockingIOError, FileNotFoundError):
        yield None


@contextmanager
def _locked(path: Path, flags: int, how: int = 0) -> Iterator[int]:
    while True:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | how)
            if _is_still_there(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_still_there(path: Path, descriptor: int) -> bool:
    """Whether nobody removed the file between our opening it and our getting the lock."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _frame(records: Sequence[Record]) -> bytes:
    payload = _encode(list(records))
    return _HEADER.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload


def _read_frame(data: bytes, place: int) -> tuple[list[Record] | None, int]:
    start = place + _HEADER.size
    if len(data) < start:
        return None, place
    magic, length, checksum = _HEADER.unpack_from(data, place)
    payload = data[start : start + length]
    if magic != _MAGIC or len(payload) < length or zlib.crc32(payload) != checksum:
        return None, place
    try:
        return _decode(payload), start + length
    except msgspec.DecodeError:
        return None, place


def _is_torn(data: bytes, place: int) -> bool:
    """Whether what begins here is a frame that ends too early."""
    start = place + _HEADER.size
    if len(data) < start:
        return _MAGIC.startswith(data[place : place + len(_MAGIC)])
    magic, length, _ = _HEADER.unpack_from(data, place)
    return bool(magic == _MAGIC and len(data) < start + length)
