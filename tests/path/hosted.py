"""A real engine host on a real Unix socket, for tests."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2 as httpx
from openai import OpenAI

from wicket.engines import launch

DEADLINE_S = 60.0


class Host:
    """One host process; `client` speaks HTTP to it, `sdk` is OpenAI's."""

    def __init__(
        self, folder: Path, spec: str, *arguments: str, options: Any = launch.DEFAULT_OPTIONS
    ) -> None:
        self.socket = folder / "e.sock"
        self.log = folder / "host.log"
        command = launch.command("compact", spec, self.socket, folder / "home", options)
        environ = launch.environment(os.environ)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*command, *arguments], env=environ, stdout=log, stderr=log)
        self.client = self.connect()
        self.sdk = OpenAI(
            base_url="http://engine/v1", api_key="none", max_retries=0, http_client=self.connect()
        )

    def connect(self) -> httpx.Client:
        return httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.socket)), base_url="http://engine", timeout=DEADLINE_S
        )

    def __enter__(self) -> "Host":
        end_s = time.monotonic() + DEADLINE_S
        while not self.socket.exists():
            assert time.monotonic() < end_s, self.log.read_text()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.01)
                raise AssertionError(self.log.read_text())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.client.close()
        self.sdk.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if error is None:
            assert "Traceback" not in self.log.read_text()

    def chat(self, content: str, **fields: Any) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": content}], **fields}
        return self.client.post("/v1/chat/completions", json=body)

    @contextlib.contextmanager
    def streaming(self, content: str, **fields: Any) -> Iterator[Iterator[str]]:
        body = {"messages": [{"role": "user", "content": content}], "stream": True, **fields}
        with self.connect() as client, client.stream("POST", "/v1/chat/completions", json=body) as answer:
            assert answer.status_code == 200
            yield (line for line in answer.iter_lines() if line)

    def until(self, path: str, status: int) -> httpx.Response:
        """GET until the status comes."""
        end_s = time.monotonic() + DEADLINE_S
        while True:
            answer = self.client.get(path)
            if answer.status_code == status:
                return answer
            assert time.monotonic() < end_s, answer.text

    def children(self) -> dict[str, int]:
        """The host's child processes by module name (Linux)."""
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        found = {}
        for pid in pids:
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            found[words[words.index("-m") + 1]] = int(pid)
        return found


def ended(pid: int) -> bool:
    """Whether a process that is not our child ends within the deadline (Linux)."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], DEADLINE_S)[0])
    finally:
        os.close(handle)


def script(folder: Path, **fields: Any) -> str:
    """A scripted engine's checkpoint."""
    path = folder / "echo.script.json"
    path.write_text(json.dumps(fields))
    return str(path)


IS_LINUX = sys.platform == "linux"
