"""Too much at once: lanes, fair queues, shedding by bytes, and a stop while requests wait."""

import json
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from tests.path.conftest import Open
from tests.path.house import Answer, Gateway, Provider, answers, names, rule
from tests.path.served import eventually

LIMITED = """
[server]
port = 0
workers = {workers}
drain_s = {drain_s}
[providers.narrow]
base_url = "{{url}}"
auth = "none"
max_concurrent = {places}
queue = {queue}
[providers.wide]
base_url = "{{url}}"
auth = "none"
[models.either]
deployments = ["narrow/first", "wide/second"]
"""
HELD = json.dumps({"model": "narrow/held", "messages": [{"role": "user", "content": "x"}]}).encode()


def config(places: int = 1, queue: int = 64, workers: int = 1, drain_s: int = 30) -> str:
    return LIMITED.format(places=places, queue=queue, workers=workers, drain_s=drain_s)


def lane(gateway: Gateway) -> dict[str, Any]:
    [found] = gateway.admin("GET", "/admin/v1/status")["lanes"]
    return dict(found)


def key(gateway: Gateway, name: str) -> str:
    return str(gateway.admin("POST", "/admin/v1/keys", {"name": name})["key"])


def test_callers_take_turns_and_one_runs_at_a_time(open_gateway: Open, provider: Provider) -> None:
    gateway = open_gateway(config())
    many, few = key(gateway, "many"), key(gateway, "few")
    provider.script(rule(when={"to_nth": 1}, silent=True))
    with ThreadPoolExecutor(16) as threads, gateway.dial() as holder:
        holder.sendall(gateway.head(HELD, f"content-length: {len(HELD)}"))
        provider.until(lambda log: len(log) == 1)
        waiting: list[Future[Answer]] = []
        for number, (caller, model) in enumerate([*[(many, "many")] * 6, *[(few, "few")] * 2], 1):
            waiting.append(threads.submit(gateway.chat, f"narrow/{model}", caller))
            eventually(lambda number=number: lane(gateway)["waiting"] == number)  # type: ignore[misc]
        assert lane(gateway) == {"provider": "narrow", "max_concurrent": 1, "running": 1, "waiting": 8}
        text = gateway.request("GET", "/metrics").body.decode()
        assert 'wicket_lane_waiting{provider="narrow"} 8' in text
        holder.close()  # its caller leaves: the place is free
        assert [each.result().status for each in waiting] == [200] * 8
    order = names(provider.log)
    assert order == ["held", "many", "few", "many", "few", "many", "many", "many", "many"]
    log = provider.log[1:]
    assert all(a.ended_ms is not None and a.ended_ms <= b.at_ms for a, b in pairwise(log))


def test_a_full_queue_goes_elsewhere_at_once_or_is_a_clear_503(
    open_gateway: Open, provider: Provider
) -> None:
    gateway = open_gateway(config(queue=1))
    provider.script(rule("held", silent=True))
    with gateway.dial() as holder, gateway.dial() as waiter:
        holder.sendall(gateway.head(HELD, f"content-length: {len(HELD)}"))
        provider.until(lambda log: len(log) == 1)
        waiter.sendall(gateway.head(HELD, f"content-length: {len(HELD)}"))
        eventually(lambda: lane(gateway)["waiting"] == 1)
        elsewhere = gateway.chat("either")
        assert elsewhere.status == 200 and elsewhere.headers["x-wicket-deployment"] == "wide/second"
        attempts = gateway.record(elsewhere.headers["x-request-id"])["attempts"]
        assert [one["reason"] for one in attempts] == ["ok"], "the plan has it behind one with room"
        refused = gateway.chat("narrow/first")
        assert (refused.status, refused.error["code"]) == (503, "deployment_busy")
        assert refused.headers["retry-after"] == "1"
        deployments = gateway.admin("GET", "/admin/v1/status")["deployments"]
        assert all(one["state"] == "closed" for one in deployments)  # that was no failure of its own
        waiter.close()  # who leaves the queue makes room in it
        eventually(lambda: lane(gateway)["waiting"] == 0)
        assert names(provider.log) == ["held", "second"]


@pytest.mark.parametrize("places", [1, 3])
def test_workers_share_a_limit(open_gateway: Open, provider: Provider, places: int) -> None:
    gateway = open_gateway(config(places, workers=2))
    provider.script(rule(first_token_ms=60))
    with ThreadPoolExecutor(12) as threads:
        done = [threads.submit(gateway.chat, "narrow/first", stream=True) for _ in range(24)]
        assert [each.result().status for each in done] == [200] * 24
    times = [(seen.at_ms, 1) for seen in provider.log] + [
        (seen.ended_ms, -1) for seen in provider.log if seen.ended_ms is not None
    ]
    running = most = 0
    for _, change in sorted(times, key=lambda one: (one[0], one[1])):
        running += change
        most = max(most, running)
    assert most <= places and running == 0


def test_a_stop_tells_those_who_wait(open_gateway: Open, provider: Provider) -> None:
    gateway = open_gateway(config(drain_s=3))
    provider.script(rule(silent=True))
    with ThreadPoolExecutor(2) as threads, gateway.dial() as holder:
        holder.sendall(gateway.head(HELD, f"content-length: {len(HELD)}"))
        provider.until(lambda log: len(log) == 1)
        waits = threads.submit(gateway.chat, "narrow/first")
        eventually(lambda: lane(gateway)["waiting"] == 1)
        gateway.signal(signal.SIGTERM)
        refused = waits.result()
        assert (refused.status, refused.error["code"]) == (503, "stopping")
        assert refused.headers["retry-after"] == "1"
        assert gateway.wait() == 0


def test_bytes_under_way_are_bounded(open_gateway: Open, provider: Provider) -> None:
    server = "[server]\nport = 0\nmax_in_flight_bytes = 1000000\n"
    gateway = open_gateway(server + '[providers.mine]\nbase_url = "{url}"\nauth = "none"\n')

    def body(size: int) -> dict[str, Any]:
        return {"model": "mine/plain", "messages": [{"role": "user", "content": "x" * size}]}

    with gateway.dial() as slow:
        slow.sendall(gateway.head(b"x" * 100_000, "content-length: 700000"))
        eventually(lambda: gateway.post("/v1/chat/completions", body(400_000)).status == 503)
        refused = gateway.post("/v1/chat/completions", body(400_000))
        assert refused.error["code"] == "overloaded" and refused.headers["retry-after"] == "1"
        assert gateway.post("/v1/chat/completions", body(200_000)).status == 200
        assert gateway.chat().status == 200
    eventually(lambda: gateway.post("/v1/chat/completions", body(400_000)).status == 200)
    chunk = b"%x\r\n%b\r\n" % (100_000, b"x" * 100_000)
    told = gateway.raw(gateway.head(chunk * 12, "transfer-encoding: chunked"))
    assert answers(told) == [503]
    assert [gateway.post("/v1/chat/completions", body(900_000)).status for _ in range(3)] == [200] * 3


def test_what_answers_hold_counts(open_gateway: Open, provider: Provider) -> None:
    server = "[server]\nport = 0\nmax_in_flight_bytes = 2000000\n"
    gateway = open_gateway(server + '[providers.mine]\nbase_url = "{url}"\nauth = "none"\n')
    large = json.dumps({"choices": [{"message": {"content": "y" * 3_000_000}, "finish_reason": "stop"}]})
    headers = {"content-type": "application/json"}
    provider.script(rule("large", body=large, headers=headers, split_every=100_000, piece_gap_ms=60))
    done = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        gathering = threads.submit(gateway.chat, "mine/large")
        gathering.add_done_callback(lambda _: done.set())
        refused = 0
        while not done.is_set():
            refused += gateway.chat().status == 503
        assert gathering.result().status == 200 and refused
    eventually(lambda: gateway.chat().status == 200)
