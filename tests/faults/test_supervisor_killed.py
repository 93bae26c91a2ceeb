"""A supervisor killed while requests hold credit: what it lent is forgotten, what they cost is not."""

from __future__ import annotations

import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.path.house import SECRET, Answer, Gateway, Provider, rule
from tests.path.metered import LIMITED, Metered
from tests.path.served import eventually

pytestmark = pytest.mark.faults
MAX_TOKENS = 1_000
HOLD_USD = 0.1  # of the output; the few input tokens come on top
CREDIT_USD = 0.45  # four may hold at once
TEXT = "word " * 600
SLOW = rule(first_token_ms=6_000, text=TEXT)


class UnderWay:
    """Requests that are held and not answered yet."""

    def __init__(self, caller: Metered, provider: Provider, number: int) -> None:
        self.answers: list[Answer] = []
        provider.script(SLOW)
        self.threads = [threading.Thread(target=self._ask, args=(caller,)) for _ in range(number)]
        for thread in self.threads:
            thread.start()
        eventually(lambda: len(provider.log) == number)

    def _ask(self, caller: Metered) -> None:
        self.answers.append(caller.chat(max_tokens=MAX_TOKENS))

    def end(self) -> list[Answer]:
        for thread in self.threads:
            thread.join()
        return self.answers


def restarted(gateway: Gateway, caller: Metered) -> tuple[Gateway, Metered]:
    """Another server on the same home."""
    again = Gateway(gateway.file.parent).wait_ready()
    known = Metered.__new__(Metered)
    known.gateway, known.id, known.key, known.team = again, caller.id, caller.key, caller.team
    return again, known


def charges(home: Path) -> dict[int, float]:
    """What each request was charged, in dollars, from the file itself."""
    with closing(sqlite3.connect(home / "wicket.db")) as connection:
        rows = connection.execute("SELECT id, charge_nanos / 1e9 FROM records WHERE key_id <> 0")
        return dict(rows.fetchall())


def test_a_killed_supervisor_forgets_holds_and_charges_everything_once(
    provider: Provider, tmp_path: Path
) -> None:
    config = LIMITED.format(workers=2).format(url=provider.upstream.base_url, secret=SECRET)
    first = Gateway(tmp_path, config).wait_ready()
    caller = Metered(first)
    first.admin(
        "POST", "/admin/v1/credits", {"team": caller.team, "usd": str(CREDIT_USD), "idempotency_key": "a"}
    )
    eventually(lambda: caller.own()["credit"] is not None)
    held = UnderWay(caller, provider, 4)
    own = caller.own()["credit"]
    assert own["balance_usd"] == CREDIT_USD and own["available_usd"] < HOLD_USD

    first.signal(signal.SIGKILL)
    first.wait()
    second, caller = restarted(first, caller)
    try:
        # what the old requests hold is not known any more: it is lent once again, and no more often than that
        eventually(lambda: caller.own()["credit"]["available_usd"] == CREDIT_USD)
        again = UnderWay(caller, provider, 4)
        fifth = caller.chat(max_tokens=MAX_TOKENS)
        assert fifth.status in (402, 429), fifth
        answers = [*held.end(), *again.end()]
        # workers without a supervisor finish what they had begun
        assert [answer.status for answer in answers] == [200] * 8
        ids = {int(answer.headers["x-request-id"].removeprefix("req_"), 16) for answer in answers}
        assert len(ids) == 8
        eventually(lambda: len(charges(second.home)) >= 4)
        second.signal(signal.SIGTERM)
        second.wait()
    finally:
        second.close()

    third, caller = restarted(second, caller)  # takes what the orphans had written down
    try:
        eventually(lambda: set(charges(third.home)) == ids)
        charged = charges(third.home)
        assert all(0 < usd <= HOLD_USD + 0.01 for usd in charged.values())
        eventually(lambda: caller.own()["credit"] is not None)
        own = caller.own()["credit"]
        assert abs(own["balance_usd"] - (CREDIT_USD - sum(charged.values()))) < 1e-9
        # never below zero by more than the forgotten holds and the bound of a cent
        assert own["balance_usd"] >= -(4 * (HOLD_USD + 0.01) + 0.01)
        # no hold outlives all this
        assert own["available_usd"] == own["balance_usd"]
        assert third.admin("POST", "/admin/v1/ledger/verify")["is_right"]
        provider.script()
        poor = caller.chat(max_tokens=MAX_TOKENS)
        assert poor.status == 402 and poor.error["code"] == "insufficient_credit"
        third.admin("POST", "/admin/v1/credits", {"team": caller.team, "usd": "5", "idempotency_key": "b"})
        eventually(lambda: caller.chat(max_tokens=MAX_TOKENS).status == 200)
    finally:
        third.close()


def test_a_worker_without_a_supervisor_begins_nothing_that_is_limited(
    provider: Provider, tmp_path: Path
) -> None:
    config = LIMITED.format(workers=1).format(url=provider.upstream.base_url, secret=SECRET)
    served = Gateway(tmp_path, config).wait_ready()
    try:
        caller = Metered(served)
        served.admin("POST", "/admin/v1/credits", {"team": caller.team, "usd": "1", "idempotency_key": "a"})
        eventually(lambda: caller.own()["credit"] is not None)
        held = UnderWay(caller, provider, 2)
        served.signal(signal.SIGKILL)
        served.wait()
        for _ in range(20):
            try:
                answer = caller.chat(max_tokens=MAX_TOKENS)
            except OSError:  # nobody listens any more
                continue
            assert answer.status == 503, answer
        assert len(provider.log) == 2
        assert [answer.status for answer in held.end()] == [200, 200]
    finally:
        served.close()
    again, caller = restarted(served, caller)
    try:
        eventually(lambda: len(charges(again.home)) == 2)
        eventually(lambda: caller.own()["credit"] is not None)
        own = caller.own()["credit"]
        assert abs(own["balance_usd"] - (1 - sum(charges(again.home).values()))) < 1e-9
        assert own["available_usd"] == own["balance_usd"]
    finally:
        again.close()
