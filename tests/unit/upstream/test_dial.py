"""Names, sockets, tunnels and TLS, each failing under its own code."""

import socket
from pathlib import Path

import pytest

from tests.unit.upstream.peers import (
    GOOD,
    LOOPS,
    Reader,
    Run,
    Tls,
    Told,
    Tunnels,
    Writer,
    always,
    ask,
    get,
    once,
    pooled,
    runner,
    serving,
)
from wicket.upstream.scripted import ScriptedUpstream
from wicket.wire.origin import Origin


@pytest.fixture(params=sorted(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    return runner(request.param)


def test_nobody_listens(run: Run) -> None:
    async def work() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            origin = Origin("http", "127.0.0.1", unused.getsockname()[1])
            async with pooled() as pool:
                told = await ask(pool, origin)
                assert told.last == ("failure", "connect_failed", False, False)
                assert str(origin.port) in told.message

    run(work())


def test_connecting_has_a_limit(run: Run) -> None:
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


def test_a_name_that_does_not_exist(run: Run) -> None:
    async def work() -> None:
        async with pooled() as pool:
            told = await ask(pool, Origin("http", "no-such-host.invalid", 80))
            assert told.last == ("failure", "dns_failed", False, False)
            told = await ask(pool, Origin("http", "a" * 70 + ".invalid", 80))
            assert told.last == ("failure", "dns_failed", False, False)

    run(work())


def test_unix_sockets(run: Run, tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(always(GOOD), path=str(tmp_path / "s")) as origin, pooled() as pool:
            for _ in range(2):
                assert (await ask(pool, origin)).body == b"ok"
            assert pool.num_open == 1
            missing = Origin("unix", str(tmp_path / "missing"), 0)
            assert (await ask(pool, missing)).last == ("failure", "connect_failed", False, False)

    run(work())


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return Tls(tmp_path_factory.mktemp("tls"))


def test_tls(run: Run, tls: Tls) -> None:
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


def test_the_environment_names_an_authority(run: Run, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.authority))

    async def work() -> None:
        async with ScriptedUpstream(tls=tls.pair) as up, pooled() as pool:
            origin = Origin("https", "127.0.0.1", up.port)
            assert (await ask(pool, origin, get(origin, "/v1/models"))).last == ("end",)

    run(work())


def test_tls_with_somebody_who_does_not_speak_it(run: Run) -> None:
    async def at_once(reader: Reader, writer: Writer) -> None:
        writer.write(GOOD)
        await reader.read(-1)

    async def work() -> None:
        async with serving(at_once) as plain, pooled() as pool:
            told = await ask(pool, Origin("https", "127.0.0.1", plain.port))
            assert told.last == ("failure", "tls_failed", False, False)

    run(work())


def test_a_silent_handshake_has_a_limit(run: Run) -> None:
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


def test_https_goes_through_a_tunnel(run: Run, tls: Tls) -> None:
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
def test_a_proxy_that_refuses(run: Run, answer: bytes, words: str) -> None:
    async def work() -> None:
        async with serving(once(answer)) as at, pooled() as pool:
            proxy = f"http://user:secret@127.0.0.1:{at.port}"
            told = await ask(pool, Origin("https", "api.example.com", 443, proxy=proxy))
            assert told.last == ("failure", "proxy_failed", False, False)
            assert words in told.message and "secret" not in told.message

    run(work())


def test_a_proxy_that_is_not_there(run: Run) -> None:
    async def work() -> None:
        async with pooled() as pool:
            for proxy in ("http://no-such-host.invalid:1", "socks5://127.0.0.1:1"):
                told = await ask(pool, Origin("https", "api.example.com", 443, proxy=proxy))
                assert told.last == ("failure", "proxy_failed", False, False)
                told = await ask(pool, Origin("http", "api.example.com", 80, proxy=proxy))
                assert told.last == ("failure", "proxy_failed", False, False)

    run(work())


def test_an_address_that_can_not_be(run: Run) -> None:
    async def work() -> None:
        async with pooled() as pool:
            for origin in (
                Origin("http", "127.0.0.1", 70_000),
                Origin("http", "a\0b", 80),
                Origin("http", "", 1),
            ):
                told = await ask(pool, origin)
                assert told.last[0] == "failure" and told.last[1] in ("connect_failed", "dns_failed")

    run(work())


def test_plain_http_goes_through_a_proxy_in_absolute_form(run: Run) -> None:
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
