"""The seam of outbound HTTP, over real sockets and on both event loops."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from wicket.errors import ProviderFault
from wicket.upstream.fetch import fetch
from wicket.upstream.pool import KeepAlivePool
from wicket.upstream.request_head import complete, head, without_body
from wicket.upstream.scripted import ScriptedUpstream
from wicket.upstream.scripted_script import Rule, Script, When
from wicket.wire.origin import Origin

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Answering = Callable[[Reader, Writer], Awaitable[None]]
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LIMIT_MS = 10_000

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=sorted(LOOPS))
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[None]], None]:
    def in_loop(work: Any) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(asyncio.sleep(0))  # what a loop opens once per process
        before = open_files()
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(asyncio.wait_for(work, 30))
        assert open_files() <= before, "a file was left open"

    return in_loop


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


def test_a_connection_is_used_again(run: Any) -> None:
    async def work() -> None:
        async with ScriptedUpstream() as up, pooled() as pool:
            origin = Origin("http", "127.0.0.1", up.port)
            for _ in range(3):
                told = await ask(pool, origin, get(origin, "/v1/models"))
                assert told.events[0] == ("headers", 200) and told.last == ("end",)
            assert (up.num_connections, pool.num_open, pool.num_idle) == (1, 1, 1)
            await ask(pool, origin, get(origin, "/v1/models"), fresh=True)
            assert (up.num_connections, pool.num_idle) == (2, 2)

    run(work())


def test_the_connection_is_back_before_the_end_is_told(run: Any) -> None:
    async def work() -> None:
        async with serving(always(GOOD)) as origin, pooled() as pool:
            second = Told()

            class Next(Told):
                def on_end(self) -> None:
                    super().on_end()
                    pool.send(origin, get(origin), second, connect_ms=LIMIT_MS)

            pool.send(origin, get(origin), Next(), connect_ms=LIMIT_MS)
            await second.over.wait()
            assert second.body == b"ok" and pool.num_open == 1

    run(work())


@pytest.mark.parametrize(
    ("data", "code", "headers_seen"),
    [
        (b"", "reset", False),
        (b"HTTP/1.1 20", "cut", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "cut", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123", "cut", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "cut", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd", "malformed", True),
        (b"SSH-2.0-x\r\n\r\n", "malformed", False),
        (b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", "proxy_failed", False),
    ],
)
def test_how_answers_fail(run: Any, data: bytes, code: str, headers_seen: bool) -> None:
    async def work() -> None:
        async with serving(once(data)) as origin, pooled() as pool:
            told = await ask(pool, origin)
            assert told.last == ("failure", code, False, headers_seen)

    run(work())


def test_a_body_until_close_ends_well(run: Any) -> None:
    async def work() -> None:
        async with serving(once(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as origin, pooled() as pool:
            told = await ask(pool, origin)
            assert told.last == ("end",) and told.body == b"all of it" and pool.num_idle == 0

    run(work())


def test_a_stale_connection_says_so(run: Any) -> None:
    async def work() -> None:
        async def one_answer_each(reader: Reader, writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(GOOD)
            await reader.readuntil(b"\r\n\r\n")

        async with serving(one_answer_each) as origin, pooled() as pool:
            assert (await ask(pool, origin)).last == ("end",)
            assert (await ask(pool, origin)).last == ("failure", "reset", True, False)
            assert (await ask(pool, origin)).last == ("end",)
            assert pool.num_idle == 1
            response = await fetch(
                pool, origin, get(origin), connect_ms=LIMIT_MS, total_ms=LIMIT_MS, max_bytes=99
            )
            assert response.body == b"ok", "fetch tries a stale connection's request once more"

    run(work())


@pytest.mark.parametrize(
    "data",
    [
        GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        GOOD.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=1\r\n\r\n"),
        GOOD + b"surplus",
        GOOD + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ],
)
def test_connections_that_are_not_used_again(run: Any, data: bytes) -> None:
    async def work() -> None:
        async with serving(always(data)) as origin, pooled() as pool:
            for _ in range(3):
                told = await ask(pool, origin)
                assert told.last == ("end",) and told.body == b"ok"

    run(work())


def test_bytes_on_an_idle_connection_end_it(run: Any) -> None:
    async def work() -> None:
        go = asyncio.Event()
        gone = asyncio.Event()

        async def answer(reader: Reader, writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(GOOD)
            await go.wait()
            writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            try:
                await reader.read(1)
            finally:
                gone.set()

        async with serving(answer) as origin, pooled() as pool:
            await ask(pool, origin)
            assert pool.num_idle == 1
            go.set()
            await gone.wait()
            assert pool.num_idle == 0

    run(work())


def test_idle_limits(run: Any) -> None:
    async def work() -> None:
        async with serving(always(GOOD)) as origin, pooled(max_idle=2) as pool:
            await asyncio.gather(*(ask(pool, origin, fresh=True) for _ in range(5)))
            assert pool.num_idle == 2
        async with serving(always(GOOD)) as origin, pooled(idle_s=0) as pool:
            told = [await ask(pool, origin) for _ in range(2)]
            assert [t.last for t in told] == [("end",)] * 2
            pool.sweep()
            assert pool.num_idle == 0

    run(work())


def test_cancelling_closes_the_connection(run: Any) -> None:
    async def work() -> None:
        gone = asyncio.Event()

        async def answer(reader: Reader, writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nbegin")
            try:
                await reader.read(1)
            finally:
                gone.set()

        async with serving(answer) as origin, pooled() as pool:
            told = Told()
            exchange = pool.send(origin, get(origin), told, connect_ms=LIMIT_MS)
            while told.body != b"begin":
                told.moved.clear()
                await told.moved.wait()
            exchange.cancel()
            exchange.cancel()
            await gone.wait()
            assert told.last == ("data", b"begin")

    run(work())


def test_cancelling_within_a_callback(run: Any) -> None:
    async def work() -> None:
        gone = asyncio.Event()

        async def answer(reader: Reader, writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(GOOD)
            try:
                await reader.read(1)
            finally:
                gone.set()

        class Quitter(Told):
            def on_headers(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
                super().on_headers(status, headers)
                exchange.cancel()

        async with serving(answer) as origin, pooled() as pool:
            told = Quitter()
            exchange = pool.send(origin, get(origin), told, connect_ms=LIMIT_MS)
            await gone.wait()
            assert told.events == [("headers", 200)] and pool.num_idle == 0

    run(work())


def test_cancelling_when_it_is_over_leaves_the_next_alone(run: Any) -> None:
    async def work() -> None:
        async with serving(always(GOOD)) as origin, pooled() as pool:
            first = Told()
            exchange = pool.send(origin, get(origin), first, connect_ms=LIMIT_MS)
            await first.over.wait()
            second = Told()
            pool.send(origin, get(origin), second, connect_ms=LIMIT_MS)
            exchange.cancel()
            exchange.pause()
            await second.over.wait()
            assert second.last == ("end",)

    run(work())


def test_cancelling_before_the_connection_is_there(run: Any) -> None:
    async def work() -> None:
        async with serving(always(GOOD)) as origin, pooled() as pool:
            told = Told()
            pool.send(origin, get(origin), told, connect_ms=LIMIT_MS).cancel()
            assert (await ask(pool, origin)).last == ("end",)
            assert not told.events

    run(work())


def test_a_pause_bounds_what_is_read(run: Any) -> None:
    total = 32 << 20

    async def work() -> None:
        sent = 0
        stuck = asyncio.Event()

        async def answer(reader: Reader, writer: Writer) -> None:
            nonlocal sent
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
            block = bytes(1 << 16)
            while sent < total:
                writer.write(block)
                sent += len(block)
                drain = asyncio.ensure_future(writer.drain())
                done, _ = await asyncio.wait({drain}, timeout=0.3)
                if not done:
                    stuck.set()
                await drain
            await reader.read(1)

        class Slow(Told):
            def on_headers(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
                super().on_headers(status, headers)
                exchange.pause()

        async with serving(answer) as origin, pooled() as pool:
            told = Slow()
            exchange = pool.send(origin, get(origin), told, connect_ms=LIMIT_MS)
            await stuck.wait()
            assert len(told.body) < 1 << 20 and sent < total
            exchange.resume()
            await told.over.wait()
            assert len(told.body) == total
            assert pool.num_idle == 1

    run(work())


def test_a_pause_before_the_connection_is_there(run: Any) -> None:
    async def work() -> None:
        asked = asyncio.Event()

        async def answer(reader: Reader, writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(GOOD)
            await writer.drain()
            asked.set()
            await reader.read(1)

        async with serving(answer) as origin, pooled() as pool:
            told = Told()
            exchange = pool.send(origin, get(origin), told, connect_ms=LIMIT_MS)
            exchange.pause()
            await asked.wait()
            await ask(pool, origin)  # a whole other exchange has had its turns
            assert not told.events
            exchange.resume()
            await told.over.wait()
            assert told.body == b"ok"

    run(work())


def test_an_answer_before_the_request_is_read(run: Any) -> None:
    """An early 413: the answer counts, and the connection with half a request on it is not kept."""

    async def work() -> None:
        async def answer(reader: Reader, writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.get_running_loop().create_future()

        async with serving(answer) as origin, pooled() as pool:
            told = await ask(pool, origin, complete(head("POST", "/", origin, []), bytes(32 << 20)))
            assert told.events == [("headers", 413), ("end",)] and pool.num_idle == 0

    run(work())


def test_closing_fails_what_is_under_way(run: Any) -> None:
    async def work() -> None:
        async with ScriptedUpstream(Script(rules=[Rule(silent=True)])) as up:
            origin = Origin("http", "127.0.0.1", up.port)
            pool = KeepAlivePool()
            waiting, dialling, late = Told(), Told(), Told()
            pool.send(origin, get(origin, "/v1/models"), waiting, connect_ms=LIMIT_MS)
            await up.until(lambda log: len(log) == 1)
            pool.send(origin, get(origin), dialling, connect_ms=LIMIT_MS)
            await pool.close()
            pool.send(origin, get(origin), late, connect_ms=LIMIT_MS)
            assert not late.events
            await late.over.wait()
            assert waiting.last == ("failure", "reset", False, False)
            assert dialling.last[:2] == late.last[:2] == ("failure", "connect_failed")
            await up.until(lambda log: log[0].client_gone)

    run(work())


def test_nobody_listens(run: Any) -> None:
    async def work() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            origin = Origin("http", "127.0.0.1", unused.getsockname()[1])
            async with pooled() as pool:
                told = await ask(pool, origin)
                assert told.last == ("failure", "connect_failed", False, False)
                assert str(origin.port) in told.message

    run(work())


def test_connecting_has_a_limit(run: Any) -> None:
    """A listener whose queue is full drops further connections silently."""

    async def work() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            origin = Origin("http", "127.0.0.1", full.getsockname()[1])
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            async with pooled() as pool:
                told = Told()
                pool.send(origin, get(origin), told, connect_ms=50)
                await told.over.wait()
                assert told.last == ("failure", "connect_timeout", False, False)
            for filler in fillers:
                filler.close()

    run(work())


def test_a_name_that_does_not_exist(run: Any) -> None:
    async def work() -> None:
        async with pooled() as pool:
            told = await ask(pool, Origin("http", "no-such-host.invalid", 80))
            assert told.last == ("failure", "dns_failed", False, False)
            told = await ask(pool, Origin("http", "a" * 70 + ".invalid", 80))
            assert told.last == ("failure", "dns_failed", False, False)

    run(work())


def test_unix_sockets(run: Any, tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(always(GOOD), path=str(tmp_path / "s")) as origin, pooled() as pool:
            for _ in range(2):
                assert (await ask(pool, origin)).body == b"ok"
            assert pool.num_open == 1
            missing = Origin("unix", str(tmp_path / "missing"), 0)
            assert (await ask(pool, missing)).last == ("failure", "connect_failed", False, False)

    run(work())


def test_a_slow_upstream_is_bounded_by_fetch(run: Any) -> None:
    async def work() -> None:
        async def trickle(reader: Reader, writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.005)

        async with serving(trickle) as origin, pooled() as pool:
            with pytest.raises(ProviderFault) as caught:
                await fetch(pool, origin, get(origin), connect_ms=LIMIT_MS, total_ms=100, max_bytes=99)
            assert caught.value.code == "total_timeout"
        async with serving(always(GOOD)) as origin, pooled() as pool:
            with pytest.raises(ProviderFault) as caught:
                await fetch(pool, origin, get(origin), connect_ms=LIMIT_MS, total_ms=LIMIT_MS, max_bytes=1)
            assert caught.value.code == "too_large"

    run(work())


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


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return Tls(tmp_path_factory.mktemp("tls"))


def test_tls(run: Any, tls: Tls) -> None:
    async def work() -> None:
        async with ScriptedUpstream(tls=tls.pair) as up, pooled() as pool:
            trusted = Origin("https", "127.0.0.1", up.port, ca_file=str(tls.authority))
            for _ in range(2):
                assert (await ask(pool, trusted, get(trusted, "/v1/models"))).last == ("end",)
            assert pool.num_open == 1
            stranger = Origin("https", "127.0.0.1", up.port)
            told = await ask(pool, stranger)
            assert told.last == ("failure", "tls_failed", False, False) and "ca_file" in told.message
            renamed = Origin("https", "localhost", up.port, ca_file=str(tls.authority))
            told = await ask(pool, renamed)
            assert told.last == ("failure", "tls_failed", False, False)
            no_file = Origin("https", "127.0.0.1", up.port, ca_file="/missing.pem")
            told = await ask(pool, no_file)
            assert told.last == ("failure", "tls_failed", False, False) and "/missing.pem" in told.message

    run(work())


def test_the_environment_names_an_authority(run: Any, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.authority))

    async def work() -> None:
        async with ScriptedUpstream(tls=tls.pair) as up, pooled() as pool:
            origin = Origin("https", "127.0.0.1", up.port)
            assert (await ask(pool, origin, get(origin, "/v1/models"))).last == ("end",)

    run(work())


def test_tls_with_somebody_who_does_not_speak_it(run: Any) -> None:
    async def at_once(reader: Reader, writer: Writer) -> None:
        writer.write(GOOD)
        await reader.read(-1)

    async def work() -> None:
        async with serving(at_once) as plain, pooled() as pool:
            told = await ask(pool, Origin("https", "127.0.0.1", plain.port))
            assert told.last == ("failure", "tls_failed", False, False)

    run(work())


def test_a_silent_handshake_has_a_limit(run: Any) -> None:
    async def silence(reader: Reader, writer: Writer) -> None:
        await reader.read(-1)

    async def work() -> None:
        async with serving(silence) as plain, pooled() as pool:
            told = Told()
            origin = Origin("https", "127.0.0.1", plain.port)
            pool.send(origin, get(origin), told, connect_ms=100)
            await told.over.wait()
            assert told.last == ("failure", "connect_timeout", False, False)

    run(work())


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


def test_https_goes_through_a_tunnel(run: Any, tls: Tls) -> None:
    async def work() -> None:
        tunnels = Tunnels("Basic dXNlcjpwYXNz")
        async with ScriptedUpstream(tls=tls.pair) as up, serving(tunnels) as at, pooled() as pool:
            origin = Origin(
                "https",
                "127.0.0.1",
                up.port,
                proxy=f"http://user:pass@127.0.0.1:{at.port}",
                ca_file=str(tls.authority),
            )
            for _ in range(2):
                assert (await ask(pool, origin, get(origin, "/v1/models"))).last == ("end",)
            assert len(tunnels.heads) == 1
            assert tunnels.heads[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % up.port)
            assert up.log[0].path == "/v1/models"
            await pool.close()

    run(work())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", "credentials"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403"),
        (b"", "closed"),
        (b"HTTP/1.1 200 OK\r\n\r\nsurplus", "before"),
        (b"what?\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 20_000, "closed"),
    ],
)
def test_a_proxy_that_refuses(run: Any, answer: bytes, words: str) -> None:
    async def work() -> None:
        async with serving(once(answer)) as at, pooled() as pool:
            proxy = f"http://user:secret@127.0.0.1:{at.port}"
            told = await ask(pool, Origin("https", "api.example.com", 443, proxy=proxy))
            assert told.last == ("failure", "proxy_failed", False, False)
            assert words in told.message and "secret" not in told.message

    run(work())


def test_a_proxy_that_is_not_there(run: Any) -> None:
    async def work() -> None:
        async with pooled() as pool:
            for proxy in ("http://no-such-host.invalid:1", "socks5://127.0.0.1:1"):
                told = await ask(pool, Origin("https", "api.example.com", 443, proxy=proxy))
                assert told.last == ("failure", "proxy_failed", False, False)

    run(work())


def test_plain_http_goes_through_a_proxy_in_absolute_form(run: Any) -> None:
    heads: list[bytes] = []

    async def proxy(reader: Reader, writer: Writer) -> None:
        while True:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(GOOD)

    async def work() -> None:
        async with serving(proxy) as at, pooled() as pool:
            origin = Origin("http", "api.example.com", 80, proxy=f"http://u:p@127.0.0.1:{at.port}")
            for _ in range(2):
                assert (await ask(pool, origin, get(origin, "/v1"))).body == b"ok"
            assert pool.num_open == 1

    run(work())
    assert heads[0] == heads[1]
    assert heads[0].startswith(
        b"GET http://api.example.com/v1 HTTP/1.1\r\nproxy-authorization: Basic dTpw\r\n"
        b"host: api.example.com\r\n"
    )


def test_many_exchanges_leave_nothing_open(run: Any) -> None:
    bad = [Rule(when=When(every_nth=3), reset=True), Rule(when=When(every_nth=2), content_length_off=9)]

    async def work() -> None:
        async with ScriptedUpstream(Script(rules=bad)) as up, pooled(max_idle=4) as pool:
            origin = Origin("http", "127.0.0.1", up.port)
            for _ in range(5):
                told = await asyncio.gather(
                    *(ask(pool, origin, get(origin, "/v1/models")) for _ in range(20))
                )
                assert {t.last[0] for t in told} == {"end", "failure"}
            assert pool.num_idle <= 4

    run(work())
