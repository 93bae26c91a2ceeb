"""Opening the database file: refuse what is not ours, migrate what is older."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path

import msgspec

from wicket.errors import StoreFault
from wicket.store.faults import mapped

APPLICATION_ID = 0x574B5431  # "WKT1", in the file's header: tells our databases from others
BUSY_MS = 5_000
_JOURNAL_BYTES = 64 << 20


class Kind(msgspec.Struct, frozen=True):
    """One kind of database: the mark in its header, and the package with its steps."""

    application_id: int
    steps: str


LEDGER = Kind(APPLICATION_ID, "wicket.store.migrations")
EXAMPLES = Kind(0x574B5458, "wicket.store.example_migrations")  # "WKTX"
KEPT = Kind(0x574B544B, "wicket.store.kept_migrations")  # "WKTK"


def migrations(package: str = LEDGER.steps) -> list[str]:
    """The steps in order; the n-th makes version n."""
    folder = resources.files(package)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [folder.joinpath(name).read_text("utf-8") for name in names]


def open_writer(path: Path, kind: Kind = LEDGER) -> sqlite3.Connection:
    """The one connection that writes, with the schema brought up to date.

    The file is made with mode 0600. Raises `StoreFault`; a file that isn't ours or is newer stays untouched.
    """
    steps = migrations(kind.steps)
    with mapped(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with closing(open_reader(path)) as reader:
            _refuse_foreign(reader, path, len(steps), kind.application_id)
        connection = _connect(path.absolute().as_uri())
        try:
            _use_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            if kind is not LEDGER:  # they hold what people wrote
                connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten with zeros
                connection.execute("PRAGMA temp_store = MEMORY")  # and nothing of it lies about elsewhere
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
            _migrate(connection, steps, kind.application_id)
        except BaseException:
            connection.close()
            raise
    return connection


def open_in_memory() -> sqlite3.Connection:
    """A database of its own that is gone when it is closed, with the newest schema."""
    connection = _connect("file::memory:")
    connection.execute("PRAGMA foreign_keys = ON")
    _migrate(connection, migrations(), APPLICATION_ID)
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that can only read; in WAL mode it neither blocks the writer nor is blocked."""
    with mapped(path):
        return _connect(path.absolute().as_uri() + "?mode=ro")


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_MS / 1_000, isolation_level=None, check_same_thread=False
    )


def _refuse_foreign(reader: sqlite3.Connection, path: Path, known: int, ours: int) -> None:
    reader.execute("BEGIN")  # one snapshot: another first start may commit between two of these questions
    version = reader.execute("PRAGMA user_version").fetchone()[0]
    application = reader.execute("PRAGMA application_id").fetchone()[0]
    if application == ours:
        if version > known:
            raise StoreFault(
                "store_newer",
                f"{path} was written by a newer Wicket (schema {version}, this one knows {known}):"
                " install that version again, or start with another WICKET_HOME. Nothing was changed.",
            )
    elif application or version or reader.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreFault(
            "store_foreign",
            f"{path} is a database of another program: choose another WICKET_HOME. Nothing was changed.",
        )


def _use_wal(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    for is_last in [*[False] * 50, True]:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            break
        except sqlite3.OperationalError as error:
            # the switch needs the file for itself and does not wait: two first starts may meet here
            if is_last or getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(0.02)
    if mode != "wal":
        raise sqlite3.OperationalError(f"no write-ahead log on this file system (journal mode {mode})")


def _migrate(connection: sqlite3.Connection, steps: list[str], application_id: int) -> None:
    if connection.execute("PRAGMA user_version").fetchone()[0] == len(steps):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]  # another start may have been first
        for step in steps[version:]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {application_id}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """Cut at semicolons that end a statement (executescript would commit behind our back)."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
