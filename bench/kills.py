"""What a kill costs: requests that are charged to a prepaid credit, and the server killed in their midst.

    .venv/bin/python bench/kills.py [--requests 100000] [--kills 20] [--clients 32] [--seed N] [--json]

A provider answers at once. The clients ask without end; at random moments the supervisor or a worker gets
SIGKILL, and a supervisor is started again. Then:

- every request that was answered longer before a kill than the stated bound has its record;
- the ledger adds up, and the credit fell by the sum of the records' charges: nothing was charged twice.

Exits with 1 if any of it is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

WICKET = Path(sys.executable).parent / "wicket"
ADMIN_KEY = "kills-admin-key-0123456789"
BOUND_MS = 50 + 50 + 200  # a worker's flush, the ledger's, and a commit on a busy machine
READ_LATE_MS = 1_000
USD = 1_000
CONFIG = """
[server]
port = {port}
workers = 2
[providers.mine]
base_url = "http://127.0.0.1:{upstream}/v1"
api_key = "a-credential-0123456789"
prices.m = {{ input = 1.0, output = 2.0 }}
"""
BODY = json.dumps({"model": "mine/m", "messages": [{"role": "user", "content": "Say it."}]}).encode()
_ID = re.compile(rb"x-request-id: req_([0-9a-f]{16})", re.IGNORECASE)
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Kills:
    """The processes, what is done to them, and what the clients were told."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options
        self.rng = random.Random(options.seed)
        self.port, self.upstream_port = _free_port(), _free_port()
        self.answered: dict[int, float] = {}  # request → when its answer was whole, Unix ms
        self.killed: list[float] = []
        self.key = ""
        self.server: subprocess.Popen[bytes] | None = None

    async def run(self) -> dict[str, Any]:
        """All of it; the report."""
        (self.folder / "wicket.toml").write_text(CONFIG.format(port=self.port, upstream=self.upstream_port))
        upstream = self._start("dev", "upstream", "--port", str(self.upstream_port))
        try:
            await self._serve()
            made = await self._call("POST", "/admin/v1/keys", {"name": "k", "team": "red"})
            self.key = made["key"]
            order = {"team": "red", "usd": str(USD), "idempotency_key": "once"}
            await self._call("POST", "/admin/v1/credits", order)
            clients = [asyncio.create_task(self._client()) for _ in range(self.options.clients)]
            await self._kill_now_and_then()
            await asyncio.gather(*clients)
            await self._settled()
            return await self._report()
        finally:
            for process in (self.server, upstream):
                if process is not None:
                    process.terminate()
                    process.wait(60)

    @property
    def is_over(self) -> bool:
        """Whether enough was answered."""
        return len(self.answered) >= self.options.requests

    async def _client(self) -> None:
        while not self.is_over:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    while not self.is_over:
                        async with asyncio.timeout(10):
                            await self._ask(reader, writer)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(0.01)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b" % (self.key.encode(), len(BODY), BODY)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        await reader.readexactly(int(length[1]) if length else 0)
        found = _ID.search(head)
        if found and head.startswith(b"HTTP/1.1 200"):
            self.answered[int(found[1], 16)] = time.time() * 1_000

    async def _kill_now_and_then(self) -> None:
        each = self.options.requests / (self.options.kills + 1)
        for number in range(1, self.options.kills + 1):
            moment = each * (number + self.rng.uniform(-0.4, 0.4))
            while len(self.answered) < moment:  # noqa: ASYNC110 - of 32 clients any may be next
                await asyncio.sleep(0.001)
            self.killed.append(time.time() * 1_000)
            if self.rng.random() < 0.5:
                workers = (await self._call("GET", "/admin/v1/status"))["workers"]
                self.killed[-1] = time.time() * 1_000
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.rng.choice(workers)["pid"], signal.SIGKILL)
            else:
                assert self.server is not None
                self.server.kill()
                self.server.wait()
                await self._serve()

    def _age(self, answered_ms: float) -> float:
        """How old an answer was at the kill that took it, in ms.

        Below 0: it was read from the socket only after a kill.
        """
        near = [kill - answered_ms for kill in self.killed if kill > answered_ms - READ_LATE_MS]
        return min(near, default=float("inf"))

    async def _settled(self) -> None:
        """Until the last flush, and until the spool has been taken in."""
        for _ in range(60):
            await asyncio.sleep(1)
            if not list((self.folder / "home" / "spool").glob("*.spool")):
                return

    async def _report(self) -> dict[str, Any]:
        verified = await self._call("POST", "/admin/v1/ledger/verify")
        [credit] = (await self._call("GET", "/admin/v1/credits"))["data"]
        with contextlib.closing(sqlite3.connect(self.folder / "home" / "wicket.db")) as database:
            charges = dict(database.execute("SELECT id, charge_nanos FROM records"))
        left = round(float(credit["balance_usd"]) * 1e9)
        missing = [id for id in self.answered if id not in charges]
        ages = [self._age(self.answered[id]) for id in missing]
        failures = list(verified["findings"])
        for id, age in zip(missing, ages, strict=True):
            if age > BOUND_MS:
                failures.append(f"{id:016x} was lost, {age:.0f} ms old")
        if left != USD * 10**9 - sum(charges.values()):
            failures.append(f"the credit is {left} and the charges come to {sum(charges.values())}")
        return {
            "answered": len(self.answered),
            "records": len(charges),
            "kills": len(self.killed),
            "lost": len(missing),
            "oldest_lost_ms": round(max(ages, default=0.0), 1),
            "bound_ms": BOUND_MS,
            "failures": failures[:10],
            "passed": not failures,
        }

    async def _serve(self) -> None:
        while True:
            self.server = self._start("serve", "--config", str(self.folder / "wicket.toml"))
            for _ in range(300):
                if self.server.poll() is not None:
                    break  # the old workers still hold the port
                with contextlib.suppress(OSError):
                    await self._call("GET", "/readyz")
                    return
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.2)

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        environ = {name: text for name, text in os.environ.items() if not name.startswith("WICKET_")}
        environ |= {"WICKET_HOME": str(self.folder / "home"), "WICKET_ADMIN_KEY": ADMIN_KEY}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen([WICKET, *words], stdout=log, stderr=log, env=environ)

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, data, headers, method=method)

        def call() -> Any:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())

        return await asyncio.to_thread(call)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.randrange(1 << 32)
    with tempfile.TemporaryDirectory() as folder:
        report = {"seed": options.seed, **asyncio.run(Kills(Path(folder), options).run())}
    print(json.dumps(report, indent=2) if options.json else "\n".join(f"{k}: {v}" for k, v in report.items()))
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
