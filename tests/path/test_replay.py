"""Recorded traffic over sockets: to a plain client, through the gateway, and from the command line."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.path.house import Answer, Gateway, read
from tests.path.replayed import CASSETTES, FOLDER, answered, asked, recorded, replaying
from tests.path.served import LIMIT_S
from wicket.recordings.replay import Replay

CONFIG = """
[server]
port = 0
workers = 1
[providers.openai]
base_url = "{url}/openai/v1"
api_key = "recorded"
[providers.openrouter]
base_url = "{url}/openrouter/api/v1"
api_key = "recorded"
"""


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    with replaying(seed=3) as running:
        yield running


def send(url: str, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=LIMIT_S)
    try:
        connection.request(method, target, body, {"content-type": "application/json", **headers})
        return read(connection)
    finally:
        connection.close()


def test_every_recording_of_the_project_is_answered_as_it_was_recorded(replay: Replay) -> None:
    num_streams = 0
    for file in FOLDER.files:
        for recording in FOLDER.again(file):
            parts = urlsplit(recording.url)
            target = f"/{recording.provider}{parts.path}" + (f"?{parts.query}" if parts.query else "")
            headers = dict(recording.request.headers)
            headers = {name: headers[name] for name in ("content-type",) if name in headers}
            got = send(replay.url, recording.method, target, recording.request.body, **headers)
            assert got.status == recording.status and got.body == recording.response.body, recording.name
            assert got.headers["x-wicket-recording"] == recording.name
            assert "content-encoding" not in got.headers
            assert ("transfer-encoding" in got.headers) == recording.is_stream
            num_streams += recording.is_stream
    assert num_streams > 30


def test_headers_come_as_recorded(replay: Replay) -> None:
    got = send(replay.url, "POST", "/openai/v1/chat/completions", recorded("openai/stream_text").request.body)
    kept = dict(recorded("openai/stream_text").response.headers)
    assert got.headers["x-request-id"] == kept["x-request-id"]
    assert got.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_streams_are_cut_by_the_seed_alone() -> None:
    def chunks(seed: int) -> list[bytes]:
        body = recorded("openai/stream_text").request.body
        with replaying(seed=seed) as running, socket.create_connection((running.host, running.port)) as dial:
            dial.settimeout(LIMIT_S)
            head = (
                f"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            dial.sendall(head.encode() + body)
            with dial.makefile("rb") as file:
                while file.readline() != b"\r\n":
                    pass
                found = []
                while size := int(file.readline(), 16):
                    found.append(file.read(size))
                    file.readline()
                return found

    one, same, other = chunks(1), chunks(1), chunks(2)
    assert one == same != other
    assert b"".join(one) == b"".join(other) == recorded("openai/stream_text").response.body
    assert any(not chunk.endswith(b"\n\n") for chunk in one[:-1])


def test_a_request_that_was_not_recorded_is_told_the_nearest(replay: Replay) -> None:
    body = {**asked("openai/text"), "messages": [{"role": "user", "content": "Something else"}]}
    got = send(replay.url, "POST", "/openai/v1/chat/completions", json.dumps(body).encode())
    assert got.status == 404
    error = got.json["error"]
    assert error["type"] == "replay_no_match" and error["nearest"]["recording"].startswith("openai/")
    assert error["difference"]["path"].startswith("messages") and "differs first in" in error["message"]
    nowhere = send(replay.url, "POST", "/openai/v1/never").json["error"]
    assert nowhere["nearest"] is None and "GET /" in nowhere["message"]


def test_the_listing_names_every_provider(replay: Replay) -> None:
    listing = send(replay.url, "GET", "/").json
    assert listing["providers"]["anthropic"]["url"] == f"{replay.url}/anthropic"
    assert listing["providers"]["anthropic"]["recordings"] > 30 and listing["unreadable"] == {}


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n"])
def test_what_is_not_http_ends_its_own_connection_only(replay: Replay, garbage: bytes) -> None:
    with socket.create_connection((replay.host, replay.port)) as dial:
        dial.sendall(garbage)
        dial.shutdown(socket.SHUT_WR)
        dial.settimeout(LIMIT_S)
        assert dial.recv(100) == b""
    assert send(replay.url, "GET", "/").status == 200


@pytest.fixture(scope="module")
def gateway(replay: Replay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("replayed"), CONFIG.format(url=replay.url))
    try:
        yield running.wait_ready()
    finally:
        running.close()


def through(gateway: Gateway, file: str, provider: str = "openai", number: int = 0) -> Answer:
    body = asked(file, number)
    return gateway.post("/v1/chat/completions", {**body, "model": f"{provider}/{body['model']}"})


@pytest.mark.parametrize(
    "file", ["text", "reasoning", "parallel_tools", "image", "audio_out", "several_choices", "web_search"]
)
def test_an_answer_passes_the_gateway_as_the_provider_gave_it(gateway: Gateway, file: str) -> None:
    got = through(gateway, f"openai/{file}")
    assert got.status == 200 and got.json == answered(f"openai/{file}")


@pytest.mark.parametrize("file", ["stream_text", "stream_usage", "stream_tools", "stream_parallel_tools"])
def test_a_stream_passes_the_gateway_frame_by_frame(gateway: Gateway, file: str) -> None:
    got = through(gateway, f"openai/{file}")
    frames = recorded(f"openai/{file}").response.body.replace(b"\r\n", b"\n").split(b"\n\n")
    sent = [json.loads(frame[6:]) for frame in frames if frame.startswith(b"data: {")]
    assert got.status == 200
    assert [chunk["choices"] for chunk in got.chunks if chunk["choices"]] == [
        chunk["choices"] for chunk in sent if chunk["choices"]
    ]


def test_an_error_in_a_recorded_stream_is_no_normal_stop(gateway: Gateway) -> None:
    got = through(gateway, "openrouter/stream_error", "openrouter")
    assert b"Token limit reached" in got.body or got.status >= 400
    assert b'"finish_reason":"stop"' not in got.body


@pytest.mark.parametrize(("file", "status"), [("error_model", 404), ("error_request", 400)])
def test_a_recorded_error_keeps_its_status(gateway: Gateway, file: str, status: int) -> None:
    got = through(gateway, f"openai/{file}")
    assert got.status == recorded(f"openai/{file}").status == status and got.error["message"]


def start(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "wicket.cli", "dev", "replay", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def test_the_command_serves_until_it_is_told_to_stop() -> None:
    with start(str(CASSETTES), "--provider", "groq") as running:
        assert running.stdout is not None and running.stderr is not None
        url = running.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        assert running.stdout.readline().split()[1] == f"{url}/groq"
        body = recorded("groq/image").request.body
        assert send(url, "POST", "/groq/openai/v1/chat/completions", body).json == answered("groq/image")
        assert (
            send(url, "POST", "/openai/v1/chat/completions", recorded("openai/text").request.body).status
            == 404
        )
        running.send_signal(signal.SIGTERM)
        assert running.wait(LIMIT_S) == 0 and running.stderr.read() == ""


@pytest.mark.parametrize("verb", ["replay", "conformance"])
def test_a_folder_that_is_not_there_is_one_line(verb: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "wicket.cli", "dev", verb, str(tmp_path / "none")]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert ran.returncode == 1 and ran.stdout == "" and ran.stderr.count("\n") == 1
    assert "There is no folder" in ran.stderr


def test_a_port_in_use_is_one_line(replay: Replay) -> None:
    with start(str(CASSETTES), "--port", str(replay.port)) as running:
        said, complained = running.communicate(timeout=LIMIT_S)
    assert running.returncode == 1 and said == "" and "Name another with --port" in complained


def conformance(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "wicket.cli", "dev", "conformance", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)


def test_the_report_is_one_document_or_a_table() -> None:
    ran = conformance(str(CASSETTES), "--json")
    report: dict[str, Any] = json.loads(ran.stdout)
    assert ran.returncode == 0 and ran.stderr == ""
    assert set(report["groq"]) >= {"recordings", "parsed", "lost_fields", "translated", "failures"}
    assert report["groq"]["parsed"] == report["groq"]["recordings"] == 5
    table = conformance(str(CASSETTES), "--provider", "groq").stdout.splitlines()
    assert table[0].split()[:3] == ["PROVIDER", "FILES", "PARSED"]
    assert table[1].split()[:3] == ["groq", "5", "5"] and table[-1].split()[0] == "total"


def test_the_table_for_a_page_is_markdown() -> None:
    head, rule, row = conformance(str(CASSETTES), "--provider", "groq", "--markdown").stdout.splitlines()
    assert head.startswith("| provider | recordings | read |") and set(rule) <= set("|-:")
    assert row.startswith("| groq | 5 | 5 |") and head.count("|") == rule.count("|") == row.count("|")


def test_check_fails_for_what_can_t_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    assert conformance(str(tmp_path)).returncode == 0
    ran = conformance(str(tmp_path), "--check", "--failures")
    assert ran.returncode == 1 and "a.yaml: can't be read: it is not YAML" in ran.stdout
