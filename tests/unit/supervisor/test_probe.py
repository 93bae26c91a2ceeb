import asyncio
from pathlib import Path

import pytest

from wicket.supervisor.probe import LOADING, Readiness, ask_ready, read_answer


def answer(status: bytes, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\ncontent-type: application/json\r\n\r\n" + body


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (answer(b"200 OK"), Readiness("ready")),
        (answer(b"503 Service Unavailable", b'{"status": "loading"}'), LOADING),
        (
            answer(b"503 No", b'{"status": "failed", "error": {"message": "no such file"}}'),
            Readiness("failed", "no such file"),
        ),
        (answer(b"503 No", b'6\r\n{"status": "failed"}\r\n0\r\n\r\n'),
         Readiness("failed", "the engine could not load its model")),
        (answer(b"503 No", b"{not json}"), LOADING),
        (answer(b"503 No", b"}{"), LOADING),
        (b"", LOADING),
        (b"nonsense", LOADING),
    ],
)  # fmt: skip
def test_what_an_answer_means(data: bytes, expected: Readiness) -> None:
    assert read_answer(data) == expected


def test_a_socket_that_is_not_there_yet_is_loading(tmp_path: Path) -> None:
    assert asyncio.run(ask_ready(tmp_path / "none.sock")) == LOADING


def test_a_real_exchange(tmp_path: Path) -> None:
    socket = tmp_path / "engine.sock"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /readyz HTTP/1.1\r\n")
        writer.write(answer(b"200 OK"))
        await writer.drain()
        writer.close()

    async def scenario() -> Readiness:
        async with await asyncio.start_unix_server(serve, socket):
            return await ask_ready(socket)

    assert asyncio.run(scenario()) == Readiness("ready")
