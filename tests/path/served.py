"""A real `wicket serve` in a process of its own, for tests: started, read, asked, stopped."""

import http.client
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0
_START = (
    "import sys; from pathlib import Path; from wicket.supervisor.serve import ServeOptions, serve;"
    "names = dict(worker_module=sys.argv[2], engine_module=sys.argv[3]);"
    "sys.exit(serve(ServeOptions(config=Path(sys.argv[1]), **names)))"
)


class Served:
    """The process, everything it has said so far, and plain requests to it."""

    def __init__(
        self,
        home: Path,
        config: Path,
        *,
        environ: Mapping[str, str] = {},
        worker_module: str = "tests.path.stand_in",
        engine_module: str = "wicket.engines.host",
    ) -> None:
        scrubbed = {name: text for name, text in os.environ.items() if not name.startswith("WICKET_")}
        scrubbed |= {"WICKET_HOME": str(home), "PYTHONPATH": str(ROOT), **environ}
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, str(config), worker_module, engine_module],
            env=scrubbed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def wait_line(self, pattern: str) -> re.Match[str]:
        """The next line that matches; fails when the process goes silent or ends first."""
        while True:
            line = self._lines.get(timeout=LIMIT_S)
            assert line is not None, f"ended before {pattern!r}: {self.said}"
            self.said.append(line)
            if match := re.search(pattern, line):
                return match

    def wait_ready(self) -> "Served":
        self.url = self.wait_line(r"Wicket answers on (http://\S+)/v1")[1]
        self.wait_line("Config:")
        return self

    def get(self, path: str) -> Any:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=LIMIT_S)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def ask(self, verb: str, **arguments: Any) -> Any:
        return self.get(f"/ask/{verb}/{quote(json.dumps(arguments), safe='')}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, with all that it said."""
        code = self.process.wait(LIMIT_S)
        self.finish_reading()
        return code

    def finish_reading(self) -> None:
        while (line := self._lines.get(timeout=LIMIT_S)) is not None:
            self.said.append(line)
        self._reader.join()
        self._lines.put(None)

    def close(self) -> None:
        """End it, however it stands."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(LIMIT_S)


def eventually(look: Callable[[], bool], limit_s: float = LIMIT_S) -> float:
    """Look again and again until it is so; how long that took. Fails when it never is."""
    began = time.monotonic()
    while not look():
        assert time.monotonic() - began < limit_s, "it never came to be"
        time.sleep(0.01)
    return time.monotonic() - began
