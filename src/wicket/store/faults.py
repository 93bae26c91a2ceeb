"""SQLite's errors as `StoreFault`s that say what to do. https://sqlite.org/rescode.html"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wicket.errors import StoreFault

_KINDS = {
    sqlite3.SQLITE_FULL: (
        "store_full",
        "The disk is full: {path} can't grow. Make room; nothing else is needed.",
    ),
    sqlite3.SQLITE_IOERR: ("store_io", "Reading or writing {path} failed: look at the disk and its mount."),
    sqlite3.SQLITE_BUSY: ("store_busy", "{path} is locked by another program: end that, then try again."),
    sqlite3.SQLITE_LOCKED: ("store_busy", "{path} is locked by another program: end that, then try again."),
    sqlite3.SQLITE_READONLY: (
        "store_readonly",
        "{path} can't be written: check the rights of it and its folder.",
    ),
    sqlite3.SQLITE_PERM: (
        "store_readonly",
        "{path} can't be written: check the rights of it and its folder.",
    ),
    sqlite3.SQLITE_AUTH: (
        "store_readonly",
        "{path} can't be written: check the rights of it and its folder.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "store_unreadable",
        "{path} can't be opened: check that its folder exists and may be written.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "store_corrupt",
        "{path} is damaged: stop Wicket, keep the file aside and put a backup (wicket backup) in its place.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "store_corrupt",
        "{path} is not a database: keep it aside, then put a backup (wicket backup) there or start anew.",
    ),
}


@contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Raise `StoreFault` for whatever SQLite or the file system raises inside."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise store_fault(error, path) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise StoreFault("record_refused", f"A value fits no column of the database: {error}.") from error


def store_fault(error: sqlite3.Error | OSError, path: Path) -> StoreFault:
    """The fault for an error that concerns the database at `path`."""
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return _fault(sqlite3.SQLITE_FULL, path, error)
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return _fault(sqlite3.SQLITE_READONLY, path, error)
        return StoreFault("store_unreadable", f"{path} can't be used: {error.strerror or error}.")
    if isinstance(error, sqlite3.InterfaceError | sqlite3.ProgrammingError | sqlite3.IntegrityError):
        # ProgrammingError also says that the connection is closed: a defect of ours either way
        return StoreFault("record_refused", f"The database refused a value: {error}.")
    return _fault(getattr(error, "sqlite_errorcode", 0) & 0xFF, path, error)


def _fault(code: int, path: Path, error: Exception) -> StoreFault:
    name, advice = _KINDS.get(code, ("store_failed", "The database at {path} failed."))
    return StoreFault(name, f"{advice.format(path=path)} ({error})")
