"""A database copied as one file while somebody writes it, and contents copied while others come and go."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from wicket.errors import StoreFault
from wicket.store.contents import FOLDER, Contents
from wicket.store.faults import mapped
from wicket.store.opening import open_reader


def copy_database(source: Path, target: Path, *, is_overwriting: bool = False) -> None:
    """A consistent copy, written beside the target, synced, then renamed; raises `StoreFault`."""
    if target.exists() and not is_overwriting:
        raise StoreFault("backup_exists", f"{target} exists already: choose another name.")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with mapped(target):
            os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(open_reader(source)) as reader, closing(sqlite3.connect(part)) as copy:
                reader.backup(copy)  # all pages in one step: one snapshot, and the writer goes on
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, with no log beside it
            _sync(part)
            part.replace(target)
            _sync(target.parent)
    finally:
        part.unlink(missing_ok=True)


def hold_contents(contents: Contents, target: Path) -> None:
    """Make `target` (new) have every content that is there now, by a second name where the disk allows it.

    Contents never change, so such a name holds what it says, also when the first one is dropped.
    """
    with mapped(target):
        for digest in list(contents.digests()):
            place = Contents(target / FOLDER).path(digest)
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # dropped just now
                try:
                    os.link(contents.path(digest), place)
                except OSError as error:
                    if isinstance(error, FileNotFoundError):
                        raise
                    shutil.copyfile(contents.path(digest), place)
                    place.chmod(0o600)


def part_contents(target: Path) -> int:
    """Give each content of `target` bytes of its own, on the disk; how many there are."""
    num = 0
    with mapped(target):
        for digest in list(Contents(target / FOLDER).digests()):
            place = Contents(target / FOLDER).path(digest)
            part = place.with_suffix(".part")
            shutil.copyfile(place, part)
            part.chmod(0o600)
            _sync(part)
            part.replace(place)
            num += 1
    return num


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
