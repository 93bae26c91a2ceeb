"""A supervisor killed while requests hold credit: what it lent is forgotten, what they cost is not."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.path.house import SECRET, Answer, Gateway
from tests.path.metered import LIMITED, Metered
from tests.path.served import eventually

pytestmark = pytest.mark.faults
MAX_TOKENS = 1_000
HOLD_USD = 0.1  # of the output; the few input tokens come on top
COST_USD = 900 * 100e-6 + 20 * 10e-6
CREDIT_USD = 0.45  # four may hold at once
PATIENT = "[server]\ndrain_s = 600"


class Held(ThreadingHTTPServer):
    """A provider that answers nobody until it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.num_asked = 0
        self.go = threading.Event()
        self.counting = threading.Lock()


class _Answering(BaseHTTPRequestHandler):
    server: Held

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        with self.server.counting:
            self.server.num_asked += 1
        self.server.go.wait()
        message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "word"}}
        usage = {"prompt_tokens": 20, "completion_tokens": 900, "total_tokens": 920}
        document = {"id": "1", "object": "chat.completion", "created": 1, "model": "plain", "usage": usage}
        body = json.dumps({**document, "choices": [message]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def held() -> Iterator[Held]:
    with Held() as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.go.set()
        server.shutdown()


class UnderWay:
    """Requests that are held and not answered yet."""

    def __init__(self, caller: Metered, held: Held, number: int) -> None:
        self.answers: list[Answer] = []
        before = held.num_asked
        self.threads = [threading.Thread(target=self._ask, args=(caller,)) for _ in range(number)]
        for thread in self.threads:
            thread.start()
        eventually(lambda: held.num_asked == before + number)

    def _ask(self, caller: Metered) -> None:
        self.answers.append(caller.chat(max_tokens=MAX_TOKENS))

    def end(self) -> list[Answer]:
        for thread in self.threads:
            thread.join()
        return self.answers


def begun(held: Held, folder: Path, usd: float) -> tuple[Gateway, Metered]:
    """A server before that provider, and a caller with so much credit."""
    config = LIMITED.format(workers=2).replace("[server]", PATIENT)
    url = f"http://127.0.0.1:{held.server_address[1]}/v1"
    gateway = Gateway(folder, config.format(url=url, secret=SECRET)).wait_ready()
    caller = Metered(gateway)
    body = {"team": caller.team, "usd": str(usd), "idempotency_key": "once"}
    gateway.admin("POST", "/admin/v1/credits", body)
    eventually(lambda: caller.own()["credit"] is not None)
    return gateway, caller


def restarted(gateway: Gateway, caller: Metered) -> tuple[Gateway, Metered]:
    """Another server on the same home."""
    again = Gateway(gateway.file.parent).wait_ready()
    known = Metered.__new__(Metered)
    known.gateway, known.id, known.key, known.team = again, caller.id, caller.key, caller.team
    eventually(lambda: known.own()["credit"] is not None)
    return again, known


def killed(gateway: Gateway) -> None:
    gateway.signal(signal.SIGKILL)
    gateway.process.wait()


def ids_of(answers: list[Answer]) -> set[int]:
    assert [answer.status for answer in answers] == [200] * len(answers)
    return {int(answer.headers["x-request-id"].removeprefix("req_"), 16) for answer in answers}


def charges(home: Path) -> dict[int, float]:
    """What each request was charged, in dollars, from the file itself."""
    with closing(sqlite3.connect(home / "wicket.db")) as connection:
        return dict(connection.execute("SELECT id, charge_nanos / 1e9 FROM records WHERE key_id <> 0"))


def spooled(home: Path) -> bool:
    return any((home / "spool").glob("*.spool"))


def test_a_killed_supervisor_forgets_holds_and_charges_everything_once(held: Held, tmp_path: Path) -> None:
    first, caller = begun(held, tmp_path, CREDIT_USD)
    old = UnderWay(caller, held, 4)
    own = caller.own()["credit"]
    assert own["balance_usd"] == CREDIT_USD and own["available_usd"] < HOLD_USD
    killed(first)
    second, caller = restarted(first, caller)
    try:
        # what the old requests hold is not known any more: it is lent once again, and no more often than that
        assert caller.own()["credit"]["available_usd"] == CREDIT_USD
        new = UnderWay(caller, held, 4)
        fifth = caller.chat(max_tokens=MAX_TOKENS)
        assert fifth.status in (402, 429), fifth
        assert held.num_asked == 8
        # workers without a supervisor finish what they had begun, and write down what it cost
        held.go.set()
        fresh, late = ids_of(new.end()), ids_of(old.end())
        eventually(lambda: set(charges(second.home)) >= fresh)
        eventually(lambda: set(charges(second.home)) == fresh | late or spooled(second.home))
    finally:
        second.close()
    third, caller = restarted(second, caller)
    try:
        charged = charges(third.home)
        assert set(charged) == fresh | late and len(charged) == 8
        assert all(abs(usd - COST_USD) < 1e-9 for usd in charged.values())
        own = caller.own()["credit"]
        assert abs(own["balance_usd"] - (CREDIT_USD - 8 * COST_USD)) < 1e-9
        assert own["balance_usd"] >= -(4 * (HOLD_USD + 0.01) + 0.01)  # the forgotten holds, and a cent
        assert own["available_usd"] == own["balance_usd"]  # no hold outlives all this
        assert third.admin("POST", "/admin/v1/ledger/verify")["is_right"]
        poor = caller.chat(max_tokens=MAX_TOKENS)
        assert poor.status == 402 and poor.error["code"] == "insufficient_credit"
        body = {"team": caller.team, "usd": "5", "idempotency_key": "again"}
        third.admin("POST", "/admin/v1/credits", body)
        eventually(lambda: caller.chat(max_tokens=MAX_TOKENS).status == 200)
    finally:
        third.close()


def test_a_worker_without_a_supervisor_begins_nothing_that_is_limited(held: Held, tmp_path: Path) -> None:
    served, caller = begun(held, tmp_path, 1.0)
    old = UnderWay(caller, held, 2)
    killed(served)
    for _ in range(10):
        try:
            answer = caller.chat(max_tokens=MAX_TOKENS)
        except OSError:  # nobody listens any more
            continue
        assert answer.status == 503, answer
    assert held.num_asked == 2
    held.go.set()
    late = ids_of(old.end())
    eventually(lambda: spooled(served.home))
    again, caller = restarted(served, caller)
    try:
        assert set(charges(again.home)) == late
        own = caller.own()["credit"]
        assert abs(own["balance_usd"] - (1 - 2 * COST_USD)) < 1e-9
        assert own["available_usd"] == own["balance_usd"]
    finally:
        again.close()
