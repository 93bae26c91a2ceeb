"""The seam of outbound HTTP, over real sockets and on both event loops."""

import asyncio

import pytest
from tests.unit.upstream.peers import (
    GOOD,
    LIMIT_MS,
    LOOPS,
    Reader,
    Run,
    Told,
    Writer,
    always,
    ask,
    get,
    once,
    pooled,
    runner,
    serving,
)

from wicket.errors import ProviderFault
from wicket.upstream.fetch import fetch
from wicket.upstream.pool import KeepAlivePool
from wicket.upstream.request_head import complete, head
from wicket.upstream.scripted import ScriptedUpstream
from wicket.upstream.scripted_script import Rule, Script, When
from wicket.wire.origin import Origin


@pytest.fixture(params=sorted(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    return runner(request.param)


def test_a_connection_is_used_again(run: Run) -> None:
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


def test_the_connection_is_back_before_the_end_is_told(run: Run) -> None:
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
def test_how_answers_fail(run: Run, data: bytes, code: str, headers_seen: bool) -> None:
    async def work() -> None:
        async with serving(once(data)) as origin, pooled() as pool:
            told = await ask(pool, origin)
            assert told.last == ("failure", code, False, headers_seen)

    run(work())


def test_a_body_until_close_ends_well(run: Run) -> None:
    async def work() -> None:
        async with serving(once(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as origin, pooled() as pool:
            told = await ask(pool, origin)
            assert told.last == ("end",) and told.body == b"all of it" and pool.num_idle == 0

    run(work())


def test_a_stale_connection_says_so(run: Run) -> None:
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
def test_connections_that_are_not_used_again(run: Run, data: bytes) -> None:
    async def work() -> None:
        async with serving(always(data)) as origin, pooled() as pool:
            for _ in range(3):
                told = await ask(pool, origin)
                assert told.last == ("end",) and told.body == b"ok"

    run(work())


def test_bytes_on_an_idle_connection_end_it(run: Run) -> None:
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


def test_idle_limits(run: Run) -> None:
    async def work() -> None:
        async with serving(always(GOOD)) as origin, pooled(max_idle=2) as pool:
            await asyncio.gather(*(ask(pool, origin, fresh=True) for _ in range(5)))
            assert pool.num_idle == 2
        async with ScriptedUpstream() as up, pooled(idle_s=0) as pool:
            origin = Origin("http", "127.0.0.1", up.port)
            for _ in range(2):
                assert (await ask(pool, origin)).last == ("end",)
            assert up.num_connections == 2
            pool.sweep()
            assert pool.num_idle == 0
        short = Script(rules=[Rule(headers={"Keep-Alive": "timeout=1"})])
        async with ScriptedUpstream(short) as up, pooled() as pool:
            origin = Origin("http", "127.0.0.1", up.port)
            for _ in range(2):
                assert (await ask(pool, origin, get(origin, "/v1/models"))).last == ("end",)
            assert up.num_connections == 2

    run(work())


def test_cancelling_closes_the_connection(run: Run) -> None:
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


def test_cancelling_within_a_callback(run: Run) -> None:
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


def test_cancelling_when_it_is_over_leaves_the_next_alone(run: Run) -> None:
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


def test_cancelling_before_the_connection_is_there(run: Run) -> None:
    async def work() -> None:
        async with serving(always(GOOD)) as origin, pooled() as pool:
            told = Told()
            pool.send(origin, get(origin), told, connect_ms=LIMIT_MS).cancel()
            assert (await ask(pool, origin)).last == ("end",)
            assert not told.events

    run(work())


def test_a_pause_bounds_what_is_read(run: Run) -> None:
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


def test_a_pause_ends_with_its_exchange(run: Run) -> None:
    async def work() -> None:
        class Pausing(Told):
            def on_data(self, data: bytes) -> None:
                super().on_data(data)
                exchange.pause()

        async with serving(always(GOOD)) as origin, pooled() as pool:
            told = Pausing()
            exchange = pool.send(origin, get(origin), told, connect_ms=LIMIT_MS)
            await told.over.wait()
            assert (await ask(pool, origin)).body == b"ok" and pool.num_open == 1

    run(work())


def test_a_pause_before_the_connection_is_there(run: Run) -> None:
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


def test_an_answer_before_the_request_is_read(run: Run) -> None:
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


def test_closing_fails_what_is_under_way(run: Run) -> None:
    async def work() -> None:
        async with ScriptedUpstream(Script(rules=[Rule(silent=True)])) as up:
            origin = Origin("http", "127.0.0.1", up.port)
            pool = KeepAlivePool()
            waiting, dialling, late = Told(), Told(), Told()
            under_way = pool.send(origin, get(origin, "/v1/models"), waiting, connect_ms=LIMIT_MS)
            await up.until(lambda log: len(log) == 1)
            pool.send(origin, get(origin), dialling, connect_ms=LIMIT_MS)
            closing = asyncio.ensure_future(pool.close())
            await asyncio.sleep(0)
            under_way.pause()
            under_way.resume()
            await closing
            pool.send(origin, get(origin), late, connect_ms=LIMIT_MS)
            assert not late.events
            await late.over.wait()
            assert waiting.last == ("failure", "reset", False, False)
            assert dialling.last[:2] == late.last[:2] == ("failure", "connect_failed")
            await up.until(lambda log: log[0].client_gone)

    run(work())


def test_a_slow_upstream_is_bounded_by_fetch(run: Run) -> None:
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


def test_many_exchanges_leave_nothing_open(run: Run) -> None:
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
