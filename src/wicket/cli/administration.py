"""What keys, logs, usage and backup ask for: of the running server, else of the database itself."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import quote

from wicket.cli.client import Client, fault_in
from wicket.cli.discovery import find_server
from wicket.errors import OperatorFault
from wicket.wire.json import decode

Query = Mapping[str, str]


class Door(Protocol):
    """Where the administration's routes answer: a running server, or the database in this process."""

    def call(self, method: str, path: str, *, body: Any = None, query: Query | None = None) -> Any:
        """The decoded JSON answer. Raises the fault that came instead."""
        ...

    def events(
        self, method: str, path: str, *, body: Any = None, query: Query | None = None
    ) -> Iterator[tuple[bytes, Query]]:
        """Each server-sent event's data, with the answer's headers."""
        ...

    def text(self, method: str, path: str, *, query: Query | None = None) -> str:
        """The answer as it is. Raises the fault that came instead."""
        ...

    def lines(self, method: str, path: str, *, query: Query | None = None) -> Iterator[Any]:
        """Each document of an answer of JSON lines."""
        ...


class Administration:
    """The administration's routes by name (see docs/api.md), and `call` for those without one.

    Everything raises the `Fault` that came instead of an answer.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self.call = door.call

    def create_key(self, new: dict[str, Any]) -> dict[str, Any]:
        """Make a key; the answer holds its text."""
        return dict(self._door.call("POST", "/admin/v1/keys", body=new))

    def list_keys(self) -> list[dict[str, Any]]:
        """Every key."""
        return list(self._door.call("GET", "/admin/v1/keys")["data"])

    def revoke_key(self, id: str) -> dict[str, Any]:
        """End a key."""
        return dict(self._door.call("DELETE", f"/admin/v1/keys/{quote(id, safe='')}"))

    def usage(self, query: Query) -> dict[str, Any]:
        """The report of `wicket usage --json`."""
        return dict(self._door.call("GET", "/admin/v1/usage", query=query))

    def savings(self, query: Query) -> dict[str, Any]:
        """The report of `wicket savings --json`."""
        return dict(self._door.call("GET", "/admin/v1/savings", query=query))

    def usage_csv(self, query: Query) -> str:
        """The same as CSV."""
        return self._door.text("GET", "/admin/v1/usage", query={**query, "format": "csv"})

    def statement(self, month: str, query: Query) -> dict[str, Any]:
        """A month's statement."""
        return dict(self._door.call("GET", f"/admin/v1/statements/{quote(month, safe='')}", query=query))

    def statement_as(self, month: str, query: Query, form: str) -> str:
        """The same as "csv" or "html"."""
        path = f"/admin/v1/statements/{quote(month, safe='')}"
        return self._door.text("GET", path, query={**query, "format": form})

    def logs(self, query: Query) -> list[dict[str, Any]]:
        """Records, newest first."""
        return list(self._door.call("GET", "/admin/v1/logs", query=query)["data"])

    def follow(self, query: Query) -> Iterator[dict[str, Any]]:
        """Records as they come in, without end."""
        for data, _ in self._door.events("GET", "/admin/v1/logs", query={**query, "follow": "1"}):
            record = decode(data)
            fault = fault_in(record)
            if fault is not None:
                raise fault
            yield record

    def request(self, id: str) -> dict[str, Any]:
        """One record."""
        return dict(self._door.call("GET", f"/v1/requests/{quote(id, safe='')}"))

    def backup(self, path: str, kept_path: str = "") -> dict[str, Any]:
        """Copy the database to a new file, and what is kept into a new folder."""
        body = {"path": path, "kept_path": kept_path}
        return dict(self._door.call("POST", "/admin/v1/backup", body=body))

    def examples(self, query: Query) -> Iterator[dict[str, Any]]:
        """A task's examples, oldest first."""
        return self._door.lines("GET", "/admin/v1/examples", query=query)

    def erase(self, query: Query) -> dict[str, Any]:
        """Delete examples; the answer says how many."""
        return dict(self._door.call("DELETE", "/admin/v1/examples", query=query))

    def tasks(self) -> list[dict[str, Any]]:
        """What is collected."""
        return list(self._door.call("GET", "/admin/v1/tasks")["data"])

    def feedback(self, said: dict[str, Any]) -> dict[str, Any]:
        """What is said of an answer; what is known of it now."""
        return dict(self._door.call("POST", "/v1/feedback", body=said))


@contextmanager
def administration(args: argparse.Namespace) -> Iterator[Administration]:
    """The running server, else the database, held for us alone as long as the block runs."""
    client = find_server(args)
    if client is not None:
        yield Administration(client)
        return
    from wicket.cli.on_disk import open_disk

    with open_disk(os.environ) as disk:
        yield Administration(disk)


def running_server(args: argparse.Namespace, what: str) -> Client:
    """The running server; raises `OperatorFault` if there is none, because `what` needs one."""
    client = find_server(args)
    if client is None:
        message = (
            f"No server runs here, and {what} needs one: start it with `wicket serve`, or name one by --url."
        )
        raise OperatorFault("no_server", message)
    return client
