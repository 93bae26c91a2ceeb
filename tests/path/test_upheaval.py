"""A new configuration, a stop, a killed worker: while requests wait in a lane, race, or are continued."""

import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.path.conftest import Open
from tests.path.house import Gateway, Provider, rule
from tests.path.served import eventually

CONFIG = """
[server]
port = 0
workers = {workers}
drain_s = {drain_s}
[providers.narrow]
base_url = "{{url}}"
auth = "none"
{lane}
[providers.one]
base_url = "{{url}}"
auth = "none"
[providers.two]
base_url = "{{url}}"
auth = "none"
prefill = true
[models.raced]
deployments = ["one/late", "two/racer"]
hedge = {{{{ after_s = 0.1, max_share = 1.0 }}}}
[models.continued]
deployments = ["one/cut", "two/joiner"]
continue = true
[models.either]
deployments = ["narrow/first", "two/second"]
"""
LANE = "max_concurrent = {places}\nqueue = 20"


def config(workers: int = 1, drain_s: int = 30, places: int = 0) -> str:
    lane = LANE.format(places=places) if places else ""
    return CONFIG.format(workers=workers, drain_s=drain_s, lane=lane)


def reload(gateway: Gateway, provider: Provider, text: str) -> None:
    """Put another configuration in force, and wait until it is."""
    before = gateway.admin("GET", "/admin/v1/status")["config"]["version"]
    gateway.file.write_text(text.format(url=provider.upstream.base_url))
    gateway.signal(signal.SIGHUP)
    eventually(lambda: gateway.admin("GET", "/admin/v1/status")["config"]["version"] > before)


def lane(gateway: Gateway) -> dict[str, Any]:
    found = gateway.admin("GET", "/admin/v1/status")["lanes"]
    return dict(found[0]) if found else {}


@pytest.mark.parametrize("what", ["reload", "stop"])
def test_races_and_continuations_end_well(open_gateway: Open, provider: Provider, what: str) -> None:
    gateway = open_gateway(config())
    provider.script(
        rule("late", silent=True),
        rule("racer", first_token_ms=1_500),
        rule("cut", cut_after=3, gap_ms=5),
        rule("joiner", first_token_ms=1_500, text=" of France."),
    )
    with ThreadPoolExecutor(2) as threads:
        raced = threads.submit(gateway.chat, "raced", stream=True)
        continued = threads.submit(gateway.chat, "continued", stream=True)
        provider.until(lambda log: {"racer", "joiner"} <= {one.model for one in log})
        if what == "reload":
            reload(
                gateway,
                provider,
                config().replace("hedge =", "# hedge =").replace("continue =", "# continue ="),
            )
        else:
            gateway.signal(signal.SIGTERM)
        assert raced.result().text == "Paris is the capital of France."
        assert raced.result().headers["x-wicket-deployment"] == "two/racer"
        assert b": continued by two/joiner" in continued.result().body
        assert continued.result().text.endswith(" of France.")
    if what == "stop":
        assert gateway.wait() == 0
    else:
        provider.script()
        assert gateway.chat("raced").status == 200


def test_a_lane_that_is_taken_away_and_comes_back_still_counts(
    open_gateway: Open, provider: Provider
) -> None:
    gateway = open_gateway(config(places=1))
    provider.script(rule("held", first_token_ms=3_000), rule("after", first_token_ms=50))
    with ThreadPoolExecutor(12) as threads:
        held = [threads.submit(gateway.chat, "narrow/held", stream=True) for _ in range(3)]
        eventually(lambda: lane(gateway).get("waiting") == 2)
        reload(gateway, provider, config())
        provider.until(lambda log: len(log) == 3)  # who waited may go
        reload(gateway, provider, config(places=1))
        assert [each.result().status for each in held] == [200] * 3

        def burst() -> int:
            provider.script(rule("after", first_token_ms=50))
            done = [threads.submit(gateway.chat, "narrow/after", stream=True) for _ in range(9)]
            assert [each.result().status for each in done] == [200] * 9
            return most_at_once(provider)

        eventually(lambda: burst() == 1)  # once the worker has its share of the new lane


def most_at_once(provider: Provider) -> int:
    changes = [(one.at_ms, 1) for one in provider.log]
    changes += [(one.ended_ms, -1) for one in provider.log if one.ended_ms is not None]
    running = most = 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def test_a_killed_workers_places_and_knowledge_are_not_lost(open_gateway: Open, provider: Provider) -> None:
    gateway = open_gateway(config(workers=2, places=2))
    limited = {"error": "rate_limit", "headers": {"retry-after": "120"}}
    provider.script(rule("late", **limited), rule("held", silent=True))
    assert gateway.chat("one/late").status == 429
    with ThreadPoolExecutor(40) as threads:
        waiting: list[Future[Any]] = []
        while lane(gateway)["running"] < 2:  # each worker has a place of its own
            waiting.append(threads.submit(_tried, gateway, "narrow/held"))
            eventually(lambda: sum(map(lane(gateway).get, ("running", "waiting"))) >= len(waiting))
        waiting += [threads.submit(_tried, gateway, "narrow/held") for _ in range(6)]
        eventually(lambda: lane(gateway)["waiting"] >= 6)
        before = gateway.worker_pids()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        outcomes = [each.result() for each in waiting]
        assert set(outcomes) == {"lost"}, "a killed worker's callers see their connection end"
    eventually(lambda: len(set(gateway.worker_pids()) - set(before)) == 2)
    provider.script(rule("late", **limited), rule(first_token_ms=40))
    with ThreadPoolExecutor(8) as threads:
        done = [threads.submit(gateway.chat, "narrow/x", stream=True) for _ in range(16)]
        assert [each.result().status for each in done] == [200] * 16
        assert 1 <= most_at_once(provider) <= 2, "the places of the dead are free, and no more than these"
    found = gateway.admin("GET", "/admin/v1/status")["deployments"]
    assert [one["state"] for one in found if one["deployment"] == "one/late"] == ["open"]
    assert gateway.chat("raced").headers["x-wicket-deployment"] == "two/racer"
    assert "late" not in {one.model for one in provider.log}, "the new workers were told of it"


def _tried(gateway: Gateway, model: str) -> int | str:
    try:
        return gateway.chat(model).status
    except OSError:
        return "lost"
    except Exception as error:  # http.client's words for an answer that never came
        return "lost" if type(error).__module__ == "http.client" else repr(error)
