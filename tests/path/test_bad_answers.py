"""Providers that answer with pages, bombs, enormous frames and cut characters, before a real server."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.path.house import HELLO, Gateway

CONFIG = """
[server]
port = 0
workers = 1
[providers.mine]
base_url = "{url}/v1"
api_key = "k"
[providers.claude]
row = "anthropic"
base_url = "{url}/v1"
api_key = "k"
[providers.google]
row = "gemini"
base_url = "{url}/v1beta"
api_key = "k"
"""
PAGE = b"<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>"
TEXT = "Grüße, 世界 🎉"
LARGE = 10_000_000


class Provider:
    """Answers every request with the same bytes, `piece` of them at a time."""

    def __init__(self) -> None:
        self.status, self.headers, self.body, self.piece = (
            200,
            {"content-type": "application/json"},
            b"",
            65_536,
        )
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(provider.status)
                for name, value in provider.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(provider.body)))
                self.end_headers()
                try:
                    for at in range(0, len(provider.body), provider.piece):
                        self.wfile.write(provider.body[at : at + provider.piece])
                        self.wfile.flush()
                except OSError:  # nobody reads a bomb to its end
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a reset is expected
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def will(self, body: bytes, kind: str = "application/json", status: int = 200, **headers: str) -> None:
        self.status, self.body, self.piece = status, body, 65_536
        self.headers = {"content-type": kind} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.close()


@pytest.fixture(scope="module")
def house(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("bad_answers")
    running = Gateway(folder, CONFIG.format(url=provider.url))
    try:
        yield running.wait_ready()
    finally:
        running.close()


MODELS = ["mine/m", "claude/claude-sonnet-4-5", "google/gemini-2.5-flash"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize("model", MODELS)
def test_a_page_is_an_error_in_the_callers_dialect(
    house: Gateway, provider: Provider, model: str, status: int, streamed: bool
) -> None:
    provider.will(PAGE, "text/html", status)
    answer = house.chat(model, stream=streamed)
    assert answer.status == 502 and "<" not in answer.error["message"]


@pytest.mark.parametrize("model", MODELS)
def test_a_bomb_is_not_blown_up(house: Gateway, provider: Provider, model: str) -> None:
    provider.will(gzip.compress(bytes(300_000_000), 9), content_encoding="gzip")
    answer = house.chat(model)
    assert answer.status == 502 and answer.error["code"] == "malformed"


def chunks(*texts: str) -> bytes:
    """OpenAI's stream of these texts."""
    pieces: list[dict[str, Any]] = [{"delta": {"content": text}, "finish_reason": None} for text in texts]
    pieces.append({"delta": {}, "finish_reason": "stop"})
    lines = [
        json.dumps({"id": "c", "model": "m", "choices": [{"index": 0, **each}]}, ensure_ascii=False)
        for each in pieces
    ]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()


def test_one_frame_of_ten_megabytes_arrives(house: Gateway, provider: Provider) -> None:
    provider.will(chunks("x" * LARGE), "text/event-stream")
    provider.piece = 4_096
    assert house.chat("mine/m", stream=True).text == "x" * LARGE


def test_one_frame_of_ten_megabytes_crosses(house: Gateway, provider: Provider) -> None:
    provider.will(chunks("x" * LARGE), "text/event-stream")
    fields = {"model": "mine/m", "max_tokens": 9, "messages": HELLO, "stream": True}
    answer = house.post("/v1/messages", fields)
    assert answer.status == 200 and b"x" * LARGE in answer.body and b"message_stop" in answer.body


def test_a_frame_without_an_end_is_given_up(house: Gateway, provider: Provider) -> None:
    provider.will(b"data: " + b"x" * 40_000_000, "text/event-stream")
    answer = house.chat("mine/m", stream=True)
    assert answer.status == 502 and answer.error["code"]


@pytest.mark.parametrize("piece", [1, 2, 3, 5])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_characters_may_be_cut_anywhere(house: Gateway, provider: Provider, path: str, piece: int) -> None:
    provider.will(chunks(TEXT, TEXT), "text/event-stream")
    provider.piece = piece
    asked = {"input": "a"} if path.endswith("responses") else {"messages": HELLO}
    answer = house.post(path, {"model": "mine/m", "max_tokens": 9, "stream": True, **asked})
    assert answer.status == 200 and answer.body.decode().count(TEXT) >= 2
