"""Prepaid credit on the path: real workers, a real ledger, and callers who come many at a time."""

import threading

import pytest

from tests.path.conftest import Open
from tests.path.house import Gateway, Provider, rule
from tests.path.metered import LIMITED, Metered, statuses
from tests.path.served import eventually

pytestmark = pytest.mark.faults
CENT = 0.01  # the bound: docs/limits.md


def top_up(gateway: Gateway, team: str, usd: str, key: str) -> None:
    body = {"team": team, "usd": usd, "idempotency_key": key}
    gateway.admin("POST", "/admin/v1/credits", body)


def balance(caller: Metered) -> float:
    return float(caller.own()["credit"]["balance_usd"])


def test_hammered_by_many_a_credit_ends_between_nothing_and_the_bound(
    open_gateway: Open, provider: Provider
) -> None:
    """8 workers, 48 callers, a tenth of a dollar: all of it is spent, and at most a cent more."""
    gateway = open_gateway(LIMITED.format(workers=8))
    caller = Metered(gateway)
    top_up(gateway, caller.team, "0.10", "first")
    eventually(lambda: caller.own()["credit"] is not None)
    seen: dict[int, int] = {}
    lock = threading.Lock()

    def spend() -> None:
        for _ in range(400):
            answer = caller.chat(max_tokens=30)
            with lock:
                seen[answer.status] = seen.get(answer.status, 0) + 1
            if answer.status == 402:
                return

    threads = [threading.Thread(target=spend) for _ in range(48)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) <= {200, 402, 429} and seen[200] > 10 and seen[402] > 0
    while caller.chat(max_tokens=30).status in (200, 429):
        pass
    eventually(lambda: caller.own()["credit"]["available_usd"] == balance(caller))
    assert -CENT <= balance(caller) <= 0
    charged = float(gateway.admin("GET", "/admin/v1/usage")["charge_usd"])
    assert abs(0.10 - charged - balance(caller)) < 1e-9
    error = caller.chat().json["error"]
    assert (error["code"], error["type"]) == ("insufficient_credit", "insufficient_quota")
    assert caller.chat(model="mine/free").status == 200
    top_up(gateway, caller.team, "1", "second")
    eventually(lambda: caller.chat(max_tokens=30).status == 200)


def test_a_caller_who_leaves_leaves_no_hold(open_gateway: Open, provider: Provider) -> None:
    gateway = open_gateway(LIMITED.format(workers=2))
    caller = Metered(gateway)
    top_up(gateway, caller.team, "0.06", "first")  # each of the five holds 0.0116 of it: none has to wait
    eventually(lambda: caller.own()["credit"] is not None)
    provider.script(rule(silent=True))
    body = b'{"model":"mine/plain","max_tokens":100,"messages":[{"role":"user","content":"x"}]}'
    for _ in range(5):
        with gateway.dial() as connection:
            head = gateway.head(body, f"content-length: {len(body)}").replace(
                gateway.key.encode(), caller.key.encode()
            )
            connection.sendall(head)
            provider.until(bool)
        provider.script(rule(silent=True))
    provider.script()
    eventually(lambda: caller.own()["credit"]["available_usd"] == 0.06)
    assert statuses([caller.chat(max_tokens=500)]) == {200: 1}  # it takes what would be held by one of them
