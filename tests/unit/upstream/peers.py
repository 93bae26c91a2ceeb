"""Real peers for tests of outbound HTTP: raw servers, a proxy, an authority, a sink that remembers."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from wicket.errors import ProviderFault
from wicket.upstream.pool import KeepAlivePool
from wicket.upstream.request_head import head, without_body
from wicket.wire.origin import Origin

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Answering = Callable[[Reader, Writer], Awaitable[None]]
Run = Callable[[Coroutine[Any, Any, None]], None]
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LIMIT_MS = 10_000
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def runner(loop: str) -> Run:
    """What runs a test in a loop of its own and looks for files that it left open."""

    def run(work: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[loop]) as once:
            once.run(asyncio.sleep(0))  # what a loop opens once per process
        before, complaints = open_files(), list[dict[str, Any]]()
        with asyncio.Runner(loop_factory=LOOPS[loop]) as once:
            once.get_loop().set_exception_handler(lambda _, context: complaints.append(context))
            once.run(asyncio.wait_for(work, 30))
        assert not complaints, "a callback raised"
        assert open_files() <= before, "a file was left open"

    return run


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


class Told:
    """A sink that keeps what it was told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.over = asyncio.Event()
        self.moved = asyncio.Event()

    def _add(self, *event: Any) -> None:
        assert not self.over.is_set(), "told after the end"
        self.events.append(event)
        self.moved.set()

    def on_headers(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._add("headers", status)

    def on_data(self, data: bytes) -> None:
        self._add("data", data)

    def on_end(self) -> None:
        self._add("end")
        self.over.set()

    def on_failure(self, fault: ProviderFault, *, reused: bool, headers_seen: bool) -> None:
        self._add("failure", fault.code, reused, headers_seen)
        self.message = fault.message
        self.over.set()

    @property
    def body(self) -> bytes:
        return b"".join(event[1] for event in self.events if event[0] == "data")

    @property
    def last(self) -> tuple[Any, ...]:
        return self.events[-1]


@asynccontextmanager
async def serving(answer: Answering, **how: Any) -> AsyncIterator[Origin]:
    """A server of raw bytes; its connections end with the block."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    if "path" in how:
        server: asyncio.Server = await asyncio.start_unix_server(accept, **how)
        origin = Origin("unix", how["path"], 0)
    else:
        server = await asyncio.start_server(accept, "127.0.0.1", 0, **how)
        scheme = "https" if "ssl" in how else "http"
        origin = Origin(scheme, "127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        yield origin
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)  # one turn, in which aborted transports close


@asynccontextmanager
async def pooled(**how: Any) -> AsyncIterator[KeepAlivePool]:
    pool = KeepAlivePool(**how)
    try:
        yield pool
    finally:
        await pool.close()
        assert pool.num_open == 0


def get(origin: Origin, target: str = "/") -> bytes:
    return without_body(head("GET", target, origin, []))


async def ask(pool: KeepAlivePool, origin: Origin, request: bytes = b"", **how: Any) -> Told:
    told = Told()
    pool.send(origin, request or get(origin), told, connect_ms=LIMIT_MS, **how)
    assert not told.events, "told before send returned"
    await told.over.wait()
    return told


def always(data: bytes) -> Answering:
    async def answer(reader: Reader, writer: Writer) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(data)

    return answer


def once(data: bytes) -> Answering:
    async def answer(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return answer


class Tls:
    """An authority made for the test, and a certificate for 127.0.0.1 by it."""

    def __init__(self, folder: Path) -> None:
        assert shutil.which("openssl"), "these tests need the openssl command"
        self.authority, self.certificate, self.key = folder / "ca.pem", folder / "crt.pem", folder / "key.pem"
        ca_key, request, names = folder / "ca.key", folder / "csr.pem", folder / "names"
        names.write_text("subjectAltName=IP:127.0.0.1\n")
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        ca = [
            "-x509",
            "-days",
            "2",
            "-subj",
            "/CN=Test authority",
            "-addext",
            "keyUsage=critical,keyCertSign",
        ]
        self._openssl("req", *new, *ca, "-keyout", ca_key, "-out", self.authority)
        self._openssl("req", *new, "-subj", "/CN=upstream", "-keyout", self.key, "-out", request)
        sign = ["-CA", self.authority, "-CAkey", ca_key, "-CAcreateserial", "-days", "2", "-extfile", names]
        self._openssl("x509", "-req", "-in", request, *sign, "-out", self.certificate)

    @staticmethod
    def _openssl(*args: str | Path) -> None:
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)

    @property
    def pair(self) -> tuple[str, str]:
        return str(self.certificate), str(self.key)


class Tunnels:
    """A small real proxy: tunnels, with the password it wants."""

    def __init__(self, wanted: str = "") -> None:
        self.wanted = wanted
        self.heads: list[bytes] = []

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if self.wanted and self.wanted.encode() not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await reader.read(-1)
            return
        host, port = head.split(b" ")[1].rsplit(b":", 1)
        there_reader, there_writer = await asyncio.open_connection(host.decode(), int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        finally:
            there_writer.transport.abort()

    @staticmethod
    async def _pump(reader: Reader, writer: Writer) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()
