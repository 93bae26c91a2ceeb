"""Kills, stops and reloads in the middle of real work: what is lost, what goes on, what is said."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.path.house import HELLO, MINE, Gateway, Provider, read, rule
from tests.path.served import eventually
from wicket.accounts.request_ids import parse_id

TWO = "[server]\nport = 0\nworkers = 2\n" + MINE
ONE = "[server]\nport = 0\nworkers = 1\ndrain_s = 10\n" + MINE
BOUND_MS = 50 + 50  # a worker's flush and the ledger's: docs/records.md


def recorded(served: Gateway) -> dict[int, int]:
    """Every record's start by its id, from the file itself."""
    with closing(sqlite3.connect(served.home / "wicket.db")) as connection:
        return dict(connection.execute("SELECT id, started_ms FROM records"))


class Load(threading.Thread):
    """Asks without end on one kept connection, dialling anew when it breaks; notes every id it was given."""

    def __init__(self, served: Gateway) -> None:
        super().__init__()
        self.served = served
        self.ids: list[tuple[int, float]] = []
        self.broken = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        body = json.dumps({"model": "mine/plain", "messages": HELLO})
        sent = {"authorization": f"Bearer {self.served.key}"}
        connection = http.client.HTTPConnection(*self.served.address, timeout=10)
        while not self.stopping.is_set():
            try:
                connection.request("POST", "/v1/chat/completions", body, sent)
                answer = read(connection)
            except (http.client.HTTPException, OSError):
                self.broken += 1
                connection.close()
                continue
            assert answer.status == 200, answer
            self.ids.append((parse_id(answer.headers["x-request-id"]), now_ms()))
        connection.close()

    def stop(self) -> None:
        self.stopping.set()
        self.join()


def now_ms() -> float:
    return time.time() * 1_000


def under_load(served: Gateway, num_clients: int = 4) -> list[Load]:
    clients = [Load(served) for _ in range(num_clients)]
    for client in clients:
        client.start()
    eventually(lambda: all(len(client.ids) > 50 for client in clients))
    return clients


def test_a_killed_worker_loses_only_what_is_younger_than_the_bound(open_gateway: Any) -> None:
    served = open_gateway(TWO)
    clients = under_load(served)
    victim = served.worker_pids()[0]
    eventually(lambda: sum(at < now_ms() - BOUND_MS for c in clients for _, at in list(c.ids)) > 100)
    killed_ms = now_ms()
    os.kill(victim, signal.SIGKILL)
    answered = [len(client.ids) for client in clients]
    eventually(lambda: all(len(c.ids) > n + 50 for c, n in zip(clients, answered, strict=True)))
    for client in clients:
        client.stop()
    assert sum(client.broken for client in clients) <= 2 * len(clients)  # only those it held
    eventually(lambda: len(served.worker_pids()) == 2 and victim not in served.worker_pids())
    ids = {id: at for client in clients for id, at in client.ids}
    assert sum(at < killed_ms - BOUND_MS for at in ids.values()) > 50

    def lost() -> list[float]:
        return [ids[id] - killed_ms for id in set(ids) - set(recorded(served))]

    eventually(lambda: all(-BOUND_MS <= late < 1_000 for late in lost()))  # the survivor's are all there


def test_a_killed_supervisor_leaves_nobody_behind_and_its_workers_spool(open_gateway: Any) -> None:
    served = open_gateway(TWO)
    clients = under_load(served)
    pids = served.worker_pids()
    killed_ms = now_ms()
    served.process.kill()
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join()
    eventually(lambda: not any(is_alive(pid) for pid in pids))
    served.close()
    ids = {id: at for client in clients for id, at in client.ids}
    again = Gateway(served.home.parent)
    try:
        again.wait_ready()
        old = {id for id, at in ids.items() if at < killed_ms - BOUND_MS}
        eventually(lambda: old <= set(recorded(again)))
        assert again.chat().status == 200
    finally:
        again.close()


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Stream:
    """One streamed answer, read as far as a word."""

    def __init__(self, served: Gateway, model: str = "mine/plain") -> None:
        self.connection = http.client.HTTPConnection(*served.address, timeout=30)
        body = json.dumps({"model": model, "messages": HELLO, "stream": True})
        self.connection.request(
            "POST", "/v1/chat/completions", body, {"authorization": f"Bearer {served.key}"}
        )
        self.response = self.connection.getresponse()
        self.got = b""

    def read_to(self, word: bytes) -> None:
        while word not in self.got:
            line = self.response.readline()
            assert line, self.got
            self.got += line

    def rest(self) -> bytes:
        self.got += self.response.read()
        self.connection.close()
        return self.got


def test_a_stop_lets_a_running_stream_end_and_records_it(open_gateway: Any, provider: Provider) -> None:
    served = open_gateway(ONE)
    provider.script(rule(gap_ms=80))
    stream = Stream(served)
    stream.read_to(b"Paris")
    served.signal(signal.SIGTERM)
    assert b"[DONE]" in stream.rest()
    assert served.wait() == 0
    [id] = recorded(served)
    assert id == parse_id(stream.response.headers["x-request-id"])
    assert "Traceback" not in "\n".join(served.said)


def test_a_stop_does_not_wait_for_ever(open_gateway: Any, provider: Provider) -> None:
    served = open_gateway(ONE.replace("drain_s = 10", "drain_s = 1"))
    provider.script(rule(stall_after=2))
    stream = Stream(served)
    stream.read_to(b"Paris")
    served.signal(signal.SIGTERM)
    assert served.wait() == 0
    stream.connection.close()
    assert len(recorded(served)) == 1


def test_a_reload_leaves_a_running_stream_alone_and_counts_for_the_next(
    open_gateway: Any, provider: Provider
) -> None:
    served = open_gateway(ONE)
    provider.script(rule(gap_ms=80))
    stream = Stream(served)
    stream.read_to(b"Paris")
    served.file.write_text(served.file.read_text() + '[models.fresh]\ndeployments = ["mine/new"]\n')
    served.signal(signal.SIGHUP)
    served.wait_line("configuration 2 is in force")
    assert served.chat("fresh").status == 200 and provider.last.model == "new"
    assert b"[DONE]" in stream.rest()


def test_a_bad_reload_leaves_the_old_configuration_at_work(open_gateway: Any, provider: Provider) -> None:
    served = open_gateway(ONE)
    provider.script(rule("plain", gap_ms=50))
    stream = Stream(served)
    stream.read_to(b"Paris")
    served.file.write_text(served.file.read_text() + "[models.broken]\ndeploments = []\n")
    served.signal(signal.SIGHUP)
    served.wait_line("deploments")
    assert served.chat().status == 200
    assert b"[DONE]" in stream.rest()


def test_a_rolling_restart_drops_no_stream(open_gateway: Any, provider: Provider) -> None:
    served = open_gateway(ONE)
    provider.script(rule("plain", gap_ms=80))
    before = served.worker_pids()
    stream = Stream(served)
    stream.read_to(b"Paris")
    served.signal(signal.SIGUSR2)
    served.wait_line("all workers are new")
    assert b"[DONE]" in stream.rest()
    assert served.chat("mine/other").status == 200
    eventually(lambda: set(before).isdisjoint(served.worker_pids()))


def test_a_configuration_with_a_typo_does_not_start(provider: Provider, tmp_path: Any) -> None:
    served = Gateway(
        tmp_path,
        '[server]\nprot = 1\n[providers.mine]\nbase_url = "http://127.0.0.1:1/v1"\napi_key = "a\\nb"\n',
    )
    assert served.wait() == 1
    said = "\n".join(served.said)
    served.close()
    assert f"{served.file}:2" in said and "port" in said and "Traceback" not in said
    assert f"{served.file}:5" in said  # a key with a line break would be a header of its own


def test_a_worker_that_was_never_configured_ends_with_its_supervisor(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listening, ours, theirs:
        fds = (listening.fileno(), theirs.fileno())
        command = [sys.executable, "-m", "wicket.server.process", "--index", "0", "--home", str(tmp_path)]
        worker = subprocess.Popen(
            [*command, "--listen-fd", str(fds[0]), "--control-fd", str(fds[1])], pass_fds=fds
        )
        ours.close()
        assert worker.wait(30) == 0
