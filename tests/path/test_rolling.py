"""A rolling restart and a reload of everything: no request is dropped, on old connections or new ones."""

from __future__ import annotations

import http.client
import signal
import threading
from pathlib import Path

from tests.path.served import Served


class Caller(threading.Thread):
    """Asks without a pause, on one connection as long as it may, or on a new one each time."""

    def __init__(self, address: str, *, keeps: bool) -> None:
        super().__init__()
        self.host, _, port = address.removeprefix("http://").partition(":")
        self.port = int(port)
        self.keeps = keeps
        self.errors: list[str] = []
        self.num_answers = 0
        self.ended = threading.Event()

    def run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self.ended.is_set():
            try:
                connection = connection or http.client.HTTPConnection(self.host, self.port, timeout=20)
                connection.request("GET", "/healthz")
                answer = connection.getresponse()
                answer.read()
                self.num_answers += 1
                if not self.keeps or answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(repr(error))
                connection = None
        if connection is not None:
            connection.close()


def test_a_rolling_restart_drops_nothing(tmp_path: Path) -> None:
    config = tmp_path / "wicket.toml"
    config.write_text("[server]\nport = 0\nworkers = 2\n")
    served = Served(tmp_path / "home", config, worker_module="wicket.server.process").wait_ready()
    callers = [Caller(served.url, keeps=True), Caller(served.url, keeps=False)]
    try:
        for caller in callers:
            caller.start()
        served.signal(signal.SIGUSR2)
        served.wait_line("all workers are new")
    finally:
        for caller in callers:
            caller.ended.set()
            caller.join()
        served.close()
    assert [caller.errors for caller in callers] == [[], []]
    assert all(caller.num_answers > 10 for caller in callers)
