"""The supervisor and its engines: real processes, with an engine that follows a script."""

import json
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.path.served import Served, eventually


class Place:
    """A home, a configuration and scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.config = folder / "wicket.toml"

    def script(self, name: str, **script: Any) -> Path:
        path = self.folder / f"{name}.script.json"
        path.write_text(json.dumps(script))
        return path

    def configure(self, *engines: str) -> None:
        tables = "".join(f'[engines.{e}]\nmodel = "{self.folder}/{e}.script.json"\n' for e in engines)
        draft = self.config.with_suffix(".new")
        draft.write_text(f"[server]\nport = 0\nworkers = 1\n{tables}")
        draft.replace(self.config)


@pytest.fixture
def place() -> Iterator[Place]:
    """In a folder with a short name: sockets in its `run` must fit into an address (108 bytes)."""
    with tempfile.TemporaryDirectory(prefix="engines") as folder:
        yield Place(Path(folder))


@pytest.fixture
def served(place: Place) -> Iterator[Served]:
    place.script("one")
    place.configure("one")
    running = Served(place.home, place.config)
    yield running
    running.close()


def engine(served: Served) -> dict[str, Any]:
    [only] = served.ask("status")["engines"]
    return dict(only)


def ready(served: Served) -> None:
    served.wait_ready()
    served.wait_line(r"one/\S+ is ready, in")


def test_an_engine_gets_ready_and_the_workers_hear_of_it(served: Served) -> None:
    ready(served)
    eventually(lambda: served.get("/config")["engines"] == {"one": "ready"})
    assert engine(served)["state"] == "ready" and engine(served)["load_s"] > 0
    [path] = (served.home / "run").iterdir()
    assert path.is_socket() and path.stat().st_mode & 0o777 == 0o600
    served.signal(signal.SIGTERM)
    assert served.wait() == 0
    assert list((served.home / "run").iterdir()) == []


def test_a_killed_engine_starts_again(served: Served) -> None:
    ready(served)
    first = engine(served)["pid"]
    os.kill(first, signal.SIGKILL)
    served.wait_line("the engine one was ended by SIGKILL; it starts again now")
    served.wait_line(r"one/\S+ is ready, in")
    assert engine(served)["pid"] not in (0, first) and engine(served)["restarts"] == 1


def test_a_model_that_is_refused_is_said_and_the_server_serves_on(place: Place) -> None:
    place.script("one", refuse="no such weights")
    place.configure("one")
    served = Served(place.home, place.config)
    try:
        served.wait_ready()
        served.wait_line(r"one/\S+ can't run: .*no such weights")
        eventually(lambda: served.get("/config")["engines"] == {"one": "failed"})
        assert "no such weights" in engine(served)["message"]
    finally:
        served.close()


def test_a_reload_brings_engines_in_and_takes_them_away(served: Served, place: Place) -> None:
    ready(served)
    kept = engine(served)["pid"]
    place.script("two")
    place.configure("one", "two")
    served.wait_line("configuration 2 is in force")
    assert {e["name"]: e["state"] for e in served.ask("status")["engines"]} == {
        "one": "ready",
        "two": "ready",
    }
    assert kept in {e["pid"] for e in served.ask("status")["engines"]}
    place.configure("two")
    served.wait_line("configuration 3 is in force")
    assert engine(served)["name"] == "two"
    eventually(lambda: len(list((served.home / "run").iterdir())) == 1)


def test_engines_end_with_a_killed_supervisor(served: Served) -> None:
    ready(served)
    [path] = (served.home / "run").iterdir()
    served.process.kill()
    served.process.wait()

    def is_silent() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(path))
            except (ConnectionRefusedError, FileNotFoundError):
                return True
        return False

    eventually(is_silent)
