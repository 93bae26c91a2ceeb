"""A folder that is there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from wicket.errors import OperatorFault


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files, get them onto the disk, then give the folder its name; one that was there goes.

    Raises `OperatorFault` "disk" when the disk is full or can't be written, and leaves nothing half done.
    """
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    try:
        draft.mkdir(parents=True, mode=0o700)
        for name, data in files.items():
            handle = os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        if folder.exists():
            shutil.rmtree(folder)
        draft.replace(folder)
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise disk_fault(folder, error) from None


def disk_fault(path: Path, error: OSError) -> OperatorFault:
    """The disk's refusal in words that say what to do next."""
    reason = error.strerror or str(error)
    return OperatorFault(
        "disk", f"{path} can't be written: {reason}. Make room, then run the same command again."
    )


def sync_folder(folder: Path) -> None:
    """A new name is on the disk only when its folder is."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
