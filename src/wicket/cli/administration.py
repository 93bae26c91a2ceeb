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


class Administration(Protocol):
    """Documents are those of the administration's routes (see docs/api.md). Everything raises `Fault`s."""

    def create_key(self, new: dict[str, Any]) -> dict[str, Any]:
        """Make a key; the answer holds its text."""
        ...

    def list_keys(self) -> list[dict[str, Any]]:
        """Every key."""
        ...

    def revoke_key(self, id: str) -> dict[str, Any]:
        """End a key."""
        ...

    def usage(self, query: Query) -> dict[str, Any]:
        """The report of `wicket usage --json`."""
        ...

    def logs(self, query: Query) -> list[dict[str, Any]]:
        """Records, newest first."""
        ...

    def follow(self, query: Query) -> Iterator[dict[str, Any]]:
        """Records as they come in, without end."""
        ...

    def request(self, id: str) -> dict[str, Any]:
        """One record."""
        ...

    def backup(self, path: str) -> dict[str, Any]:
        """Copy the database to a new file."""
        ...

    def examples(self, query: Query) -> Iterator[dict[str, Any]]:
        """A task's examples, oldest first."""
        ...

    def erase(self, query: Query) -> dict[str, Any]:
        """Delete examples; the answer says how many."""
        ...

    def tasks(self) -> list[dict[str, Any]]:
        """What is collected."""
        ...

    def feedback(self, said: dict[str, Any]) -> dict[str, Any]:
        """Say something of an answer."""
        ...


class OverHttp:
    """`Administration` through a running server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create_key(self, new: dict[str, Any]) -> dict[str, Any]:
        """See `Administration`."""
        return dict(self._client.call("POST", "/admin/v1/keys", body=new))

    def list_keys(self) -> list[dict[str, Any]]:
        """See `Administration`."""
        return list(self._client.call("GET", "/admin/v1/keys")["data"])

    def revoke_key(self, id: str) -> dict[str, Any]:
        """See `Administration`."""
        return dict(self._client.call("DELETE", f"/admin/v1/keys/{quote(id, safe='')}"))

    def usage(self, query: Query) -> dict[str, Any]:
        """See `Administration`."""
        return dict(self._client.call("GET", "/admin/v1/usage", query=query))

    def logs(self, query: Query) -> list[dict[str, Any]]:
        """See `Administration`."""
        return list(self._client.call("GET", "/admin/v1/logs", query=query)["data"])

    def follow(self, query: Query) -> Iterator[dict[str, Any]]:
        """See `Administration`."""
        for data, _ in self._client.events("GET", "/admin/v1/logs", query={**query, "follow": "1"}):
            record = decode(data)
            fault = fault_in(record)
            if fault is not None:
                raise fault
            yield record

    def request(self, id: str) -> dict[str, Any]:
        """See `Administration`."""
        return dict(self._client.call("GET", f"/v1/requests/{quote(id, safe='')}"))

    def backup(self, path: str) -> dict[str, Any]:
        """See `Administration`."""
        return dict(self._client.call("POST", "/admin/v1/backup", body={"path": path}))

    def examples(self, query: Query) -> Iterator[dict[str, Any]]:
        """See `Administration`."""
        return self._client.lines("GET", "/admin/v1/examples", query=query)

    def erase(self, query: Query) -> dict[str, Any]:
        """See `Administration`."""
        return dict(self._client.call("DELETE", "/admin/v1/examples", query=query))

    def tasks(self) -> list[dict[str, Any]]:
        """See `Administration`."""
        return list(self._client.call("GET", "/admin/v1/tasks")["data"])

    def feedback(self, said: dict[str, Any]) -> dict[str, Any]:
        """See `Administration`."""
        return dict(self._client.call("POST", "/v1/feedback", body=said))


@contextmanager
def administration(args: argparse.Namespace) -> Iterator[Administration]:
    """The running server, else the database, held for us alone as long as the block runs."""
    client = find_server(args)
    if client is not None:
        yield OverHttp(client)
        return
    from wicket.cli.on_disk import open_disk

    with open_disk(os.environ) as disk:
        yield disk


def running_server(args: argparse.Namespace, what: str) -> Client:
    """The running server; raises `OperatorFault` if there is none, because `what` needs one."""
    client = find_server(args)
    if client is None:
        message = (
            f"No server runs here, and {what} needs one: start it with `wicket serve`, or name one by --url."
        )
        raise OperatorFault("no_server", message)
    return client
