"""Limits and budgets on the path: real workers, one truth between them."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.path.conftest import Open
from tests.path.house import Gateway, Provider, rule
from tests.path.metered import LIMITED, Metered, statuses
from tests.path.served import eventually

pytestmark = pytest.mark.faults


def test_requests_per_minute_are_exact_over_all_workers(open_gateway: Open, provider: Provider) -> None:
    """4 workers, 60 a minute: of 80 at once, 60 are answered and what flows in meanwhile."""
    caller = Metered(open_gateway(LIMITED.format(workers=4)))
    caller.limit("requests", 60, "minute")
    began = time.monotonic()
    answers = caller.burst(80)
    burst_s = time.monotonic() - began
    limit = caller.own()["limits"][0]
    found = statuses(answers)
    assert set(found) == {200, 429}
    flowed = 60 - limit["remaining"] - found[200]  # below zero: what had flowed in by then
    assert found[200] == 60 or (found[200] > 60 and flowed <= 0)
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.json["error"]["code"] == "rate_limit_exceeded"
    assert "This key's limit of 60 requests per minute" in refused.json["error"]["message"]
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert 1 <= int(refused.headers["retry-after-ms"]) <= 1_100
    assert refused.headers["x-ratelimit-limit-requests"] == "60"
    assert 0 <= int(refused.headers["x-ratelimit-remaining-requests"]) <= 1 + burst_s  # one a second flows in
    answered = next(answer for answer in answers if answer.status == 200)
    assert answered.headers["x-ratelimit-limit-requests"] == "60"
    assert 0 <= int(answered.headers["x-ratelimit-remaining-requests"]) < 60
    assert answered.headers["x-ratelimit-reset-requests"].endswith("s")


def test_requests_at_once_are_exact_over_all_workers(open_gateway: Open, provider: Provider) -> None:
    caller = Metered(open_gateway(LIMITED.format(workers=3)))
    caller.limit("concurrent", 5)
    provider.script(rule(first_token_ms=1_500))
    answers = caller.burst(20)
    assert statuses(answers) == {200: 5, 429: 15}
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.json["error"]["code"] == "concurrency_limit_exceeded"
    provider.script()
    eventually(lambda: caller.chat().status == 200)
    assert all(answer.status == 200 for answer in [caller.chat() for _ in range(8)])


def test_a_hard_budget_is_never_exceeded_and_survives_a_restart(
    open_gateway: Open, provider: Provider, tmp_path: Path
) -> None:
    gateway = open_gateway(LIMITED.format(workers=3))
    caller = Metered(gateway)
    made = caller.budget("0.02")
    answers = caller.burst(60, max_tokens=50)
    found = statuses(answers)
    assert found.get(200) and set(found) <= {200, 402, 429}
    while (answer := caller.chat(max_tokens=50)).status in (200, 429):
        pass
    error = answer.json["error"]
    assert (answer.status, error["code"], error["type"]) == (402, "budget_exceeded", "insufficient_quota")
    assert "This team's budget of 0.02 USD in all has" in error["message"]
    (budget,) = caller.own()["budgets"]
    assert 0.01 < budget["spent_usd"] <= 0.02
    eventually(lambda: caller.own()["budgets"][0]["spent_usd"] == usage_of(gateway))
    spent = usage_of(gateway)
    gateway.close()
    again = type(gateway)(gateway.file.parent).wait_ready()
    try:
        caller.gateway = again
        assert caller.own()["budgets"][0]["spent_usd"] == spent
        assert caller.chat(max_tokens=50).status == 402
        again.admin("DELETE", f"/admin/v1/budgets/{made['id']}")
        eventually(lambda: caller.chat(max_tokens=50).status == 200)
    finally:
        again.close()


def usage_of(gateway: Gateway) -> float:
    """What the ledger has charged in all."""
    return float(gateway.admin("GET", "/admin/v1/usage")["charge_usd"])


def test_a_killed_workers_lease_returns(open_gateway: Open, provider: Provider) -> None:
    """kill -9 in the middle of requests that hold nearly everything: the rest can be spent afterwards."""
    gateway = open_gateway(LIMITED.format(workers=1))
    caller = Metered(gateway)
    caller.budget("0.02")
    provider.script(rule(silent=True))
    with pytest.raises(Exception, match=r"(?i)closed|reset|remote|aborted|bad status|incomplete"):
        with_kill(gateway, caller, provider)
    provider.script()
    held: list[int] = []

    def is_free() -> bool:
        answer = caller.chat(max_tokens=150)
        held.append(answer.status)
        return answer.status == 200

    eventually(is_free)
    assert set(held) <= {200, 429}, "held, but never refused for good"


def with_kill(gateway: Gateway, caller: Metered, provider: Provider) -> None:
    (pid,) = gateway.worker_pids()

    def kill() -> None:
        provider.until(bool)
        os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        answer = caller.chat(max_tokens=150)
        raise AssertionError(answer.body)
    finally:
        thread.join()


def test_what_costs_nothing_needs_no_budget(open_gateway: Open, provider: Provider) -> None:
    caller = Metered(open_gateway(LIMITED.format(workers=1)))
    caller.budget("0.000000001")
    assert caller.chat().status == 402
    assert caller.chat(model="mine/free").status == 200
    assert caller.chat(model="mine/unpriced").status == 200


def test_an_answer_is_shortened_to_what_is_left_and_says_so(open_gateway: Open, provider: Provider) -> None:
    caller = Metered(open_gateway(LIMITED.format(workers=1)))
    caller.budget("0.02")
    answer = caller.chat(max_tokens=5_000)  # 0.5 USD at most
    assert answer.status == 200
    cap = int(answer.headers["x-wicket-max-output-tokens"])
    assert 16 <= cap < 200
    assert json.loads(provider.last.body)["max_tokens"] == cap
    unsaid = caller.chat()
    assert unsaid.status == 200 and json.loads(provider.last.body)["max_tokens"] < cap


def test_a_soft_budget_warns(open_gateway: Open, provider: Provider) -> None:
    gateway = open_gateway(LIMITED.format(workers=1))
    caller = Metered(gateway)
    made = caller.budget("0.000001", "day", is_hard=False)
    assert "x-wicket-budget-warning" not in caller.chat().headers
    warning = f"{made['id'].replace('_', ':')}; team:1; per day"
    eventually(lambda: caller.chat().headers.get("x-wicket-budget-warning") == warning)
    assert "is used up" in gateway.heard()


def test_tokens_count_their_bound_and_are_corrected(open_gateway: Open, provider: Provider) -> None:
    caller = Metered(open_gateway(LIMITED.format(workers=1)))
    caller.limit("tokens", 1_000, "day")
    for _ in range(12):  # each is bounded by more than 200 tokens and uses about 20
        assert caller.chat(max_tokens=20).status == 200
    (limit,) = caller.own()["limits"]
    eventually(lambda: caller.own()["limits"][0]["used"] > 0)
    assert limit["used"] < 600


def test_a_limit_on_one_model_counts_only_that(open_gateway: Open, provider: Provider) -> None:
    caller = Metered(open_gateway(LIMITED.format(workers=2)))
    caller.limit("requests", 2, "day", team=caller.team, model="mine/plain")
    assert statuses(caller.burst(6)) == {200: 2, 429: 4}
    assert statuses(caller.burst(6, model="mine/free")) == {200: 6}


def test_a_callers_own_document(open_gateway: Open, provider: Provider) -> None:
    gateway = open_gateway(LIMITED.format(workers=1))
    caller = Metered(gateway)
    caller.limit("requests", 10, "minute")
    caller.budget("1", "month", zone="Europe/Madrid")
    own = caller.own()
    assert own["object"] == "key" and own["name"] == "ada" and own["team"] == "research"
    (limit,) = own["limits"]
    assert (limit["unit"], limit["amount"], limit["remaining"]) == ("requests", 10, 10)
    (budget,) = own["budgets"]
    assert (budget["usd"], budget["spent_usd"], budget["zone"]) == ("1", 0, "Europe/Madrid")
    assert caller.key not in str(own) and "digest" not in str(own)
    assert gateway.request("GET", "/v1/key", key=None).status == 401


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("limits", {"unit": "requests", "amount": 0, "window_s": 60, "team": "research"}, "amount"),
        ("limits", {"unit": "requests", "amount": 5, "window_s": 61, "team": "research"}, "window_s"),
        ("limits", {"unit": "concurrent", "amount": 5, "window_s": 60, "team": "research"}, "window_s"),
        ("limits", {"unit": "requests", "amount": 10**30, "window_s": 60, "team": "research"}, "amount"),
        ("limits", {"unit": "requests", "amount": 5, "window_s": 60}, "key"),
        ("limits", {"unit": "requests", "amount": 5, "window_s": 60, "team": "'; DROP"}, "team"),
        ("budgets", {"usd": "-1", "period": "day", "team": "research"}, "usd"),
        ("budgets", {"usd": "1e400", "period": "day", "team": "research"}, "usd"),
        ("budgets", {"usd": 1.5, "period": "day", "team": "research"}, "usd"),
        ("budgets", {"usd": "1", "period": "day", "team": "research", "zone": "Mars/Olympus"}, None),
    ],
)
def test_bad_limits_name_their_field_and_change_nothing(
    gateway: Gateway, path: str, body: dict[str, object], param: str | None
) -> None:
    if not any(row["team"] == "research" for row in gateway.admin("GET", "/admin/v1/keys")["data"]):
        gateway.admin("POST", "/admin/v1/keys", {"name": "ada", "team": "research"})
    answer = gateway.request("PUT", f"/admin/v1/{path}", json.dumps(body).encode())
    assert 400 <= answer.status < 500
    assert param is None or answer.json["error"]["param"] in (param, None)
    assert gateway.admin("GET", f"/admin/v1/{path}")["data"] == []
