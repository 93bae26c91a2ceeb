"""Checks, drift and savings over real processes: a mini's answers are watched, and every cent is counted."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.path.cascaded import PARIS, ROME, Cascaded, says
from tests.path.house import Provider, rule
from tests.path.served import eventually
from wicket.accounts.cost import format_usd
from wicket.store.contract import RecordFilter
from wicket.store.sqlite import SqliteStore

Start = Any


@pytest.fixture
def start(provider: Provider, tmp_path: Path) -> Iterator[Start]:
    begun: list[Cascaded] = []

    def start(terms: str, workers: int = 1, run: str = "r1") -> Cascaded:
        served = Cascaded(tmp_path, provider, terms, workers, run)
        begun.append(served)
        served.wait_ready()
        served.wait_line("mini/slots is ready")
        eventually(lambda: served.ask().headers["x-wicket-deployment"] == "mini/slots")
        return served

    yield start
    for served in begun:
        served.close()


def checks(served: Cascaded) -> list[dict[str, Any]]:
    found = served.admin("GET", "/admin/v1/logs?limit=10000")["data"]
    return [record for record in found if record["api"] == "chat.check"]


def test_a_check_is_a_request_with_a_record_that_nobody_pays(start: Start, provider: Provider) -> None:
    provider.script(says('{ "city" : "rome" }', 6))  # says the same in other bytes
    served = start("quality = 0.95\ncheck_share = 1.0\nmarkup = 0.5")
    answer = served.ask("rome #0.98", stream=True, stream_options={"include_usage": True}, temperature=0.5)
    assert answer.text == ROME and answer.headers["x-wicket-deployment"] == "mini/slots"
    provider.until(lambda log: any("temperature" in seen.body for seen in log))
    eventually(lambda: served.cascade()["checked"] == len(provider.log))
    asked = provider.last.fields
    assert "stream" not in asked and "stream_options" not in asked and asked["temperature"] == 0.5
    assert asked["model"] == "large"
    eventually(lambda: len(checks(served)) >= 1)
    check = checks(served)[0]
    cost = (20 * 3.0 + 6 * 15.0) / 1e6
    assert check["model"] == "extract" and check["deployment"] == "mine/large" and check["key_id"] == 0
    assert check["cost_usd"] == pytest.approx(cost) and check["charge_usd"] == 0
    assert check["task"] == "slots" and check["large_cost_usd"] is None
    state = served.cascade()
    assert state["agreed"] == state["checked"] and state["level"] == 0
    assert state["check_usd_today"] == pytest.approx(cost * state["checked"])
    page = served.request("GET", "/metrics").body.decode()
    assert 'wicket_checks_total{route="extract",agreed="true"}' in page
    assert 'wicket_cascade_floor{route="extract"} 0.97' in page


def test_planted_drift_is_noticed_and_the_share_falls(start: Start, provider: Provider) -> None:
    provider.script(says(ROME))
    served = start("quality = 0.95\ncheck_share = 0.05", workers=2)
    provider.script(says(PARIS))  # from here on every answer of the mini's is wrong
    bad = 0
    while served.ask("table #0.98").headers["x-wicket-deployment"] == "mini/slots":
        bad += 1
        assert bad < 200
    served.wait_line("the mini of task slots does worse on route extract than it may")
    assert served.cascade()["level"] == 1 and served.cascade()["floor"] == 0.99
    while served.ask("table #0.99").headers["x-wicket-deployment"] == "mini/slots":
        bad += 1
        assert bad < 200
    state = served.cascade()
    assert state["level"] == 2 and "not asked" in state["note"]
    path = served.minis / "slots" / "watch.json"
    eventually(lambda: path.exists() and '"level": 2' in path.read_text())
    served.close()
    again = start_again(served)
    try:
        assert again.cascade()["level"] == 2, "a restart forgets nothing"
        assert again.ask("table").headers["x-wicket-deployment"] == "mine/large"
        again.promote("r2")
        again.wait_line("configuration 2 is in force")
        assert again.cascade()["level"] == 0, "a new run is watched anew"
        eventually(lambda: again.ask("table").headers["x-wicket-deployment"] == "mini/slots")
    finally:
        again.close()


def start_again(served: Cascaded) -> Cascaded:
    again = Cascaded.__new__(Cascaded)
    again.minis = served.minis
    super(Cascaded, again).__init__(served.file.parent)
    again.wait_ready()
    again.wait_line("mini/slots is ready")
    return again


def test_checks_end_for_the_day_when_they_have_cost_what_they_may(start: Start, provider: Provider) -> None:
    provider.script(says(ROME))
    cost = (20 * 3.0 + 6 * 15.0) / 1e6
    served = start(f"quality = 0.95\ncheck_share = 1.0\ncheck_usd_per_day = {2.5 * cost}")
    eventually(lambda: served.ask().status == 200 and served.cascade()["check_share"] == 0)
    assert "none until tomorrow" in served.cascade()["note"]
    num_checked = served.cascade()["checked"]
    assert num_checked >= 3
    for _ in range(5):
        assert served.ask().headers["x-wicket-deployment"] == "mini/slots"
    assert served.cascade()["checked"] == num_checked


def test_a_check_that_fails_says_nothing_of_the_mini(start: Start, provider: Provider) -> None:
    provider.script(rule("large", error="no_credit"))
    served = start("quality = 0.95\ncheck_share = 1.0")
    page = 'wicket_checks_total{route="extract",agreed="unanswered"}'
    eventually(lambda: page in served.request("GET", "/metrics").body.decode())
    assert served.cascade()["checked"] == 0 and served.ask().status == 200


def test_checks_are_bounded_and_a_stop_waits_for_none(start: Start, provider: Provider) -> None:
    provider.script(rule("large", silent=True))
    served = start("quality = 0.95\ncheck_share = 1.0")
    for _ in range(20):
        assert served.ask().headers["x-wicket-deployment"] == "mini/slots"
    provider.until(lambda log: len(log) == 8)

    def worker() -> dict[str, Any]:
        return dict(served.admin("GET", "/admin/v1/status")["workers"][0])

    eventually(lambda: worker()["checks"] == 8 and worker()["checks_dropped"] >= 12)
    assert worker()["in_flight"] == 0 and len(provider.log) == 8
    served.process.terminate()
    assert served.wait() == 0
    assert not any("Finishing" in line for line in served.said)


def test_savings_equal_the_records_to_the_unit(start: Start, provider: Provider, tmp_path: Path) -> None:
    provider.script(says(ROME, 6))
    served = start("quality = 0.95\ncheck_share = 0.25")
    for index in range(24):
        served.ask(f"table {index} #{'0.98' if index % 3 else '0.4'}", stream=index % 3 == 1)
    provider.script(rule("large", error="no_credit"))
    assert served.ask("#0.3").status == 502
    eventually(lambda: served.newest().get("outcome") == "provider_quota_exhausted")
    eventually(lambda: len(checks(served)) >= 4)
    told = served.admin("GET", "/admin/v1/savings?since=1d")
    page = served.request("GET", "/metrics").body.decode()
    served.process.terminate()
    assert served.wait() == 0
    store = SqliteStore(tmp_path / "home" / "wicket.db")
    records = store.records(RecordFilter(limit=10_000))
    [row] = store.savings()
    store.close()
    asked = [r for r in records if r.api == "chat.completions"]
    assert row.requests == len(asked) and row.checks == len(records) - len(asked)
    assert row.spent_nanos == sum(r.cost_nanos for r in records)
    assert row.spent_nanos == sum(a.cost_nanos for r in records for a in r.attempts), "every cent"
    assert row.mini_requests == sum(r.deployment == "mini/slots" for r in asked)
    assert row.large_only_nanos == sum(r.large_cost_nanos for r in asked if r.large_cost_nanos >= 0)
    assert row.unknown == 1, "the one that nobody answered"
    mini = [r for r in asked if r.deployment == "mini/slots"]
    large = [r for r in asked if r.deployment == "mine/large"]
    assert mini and large and all(r.large_cost_nanos == r.cost_nanos > 0 for r in large)
    assert all(r.cost_nanos == r.charge_nanos == 0 < r.large_cost_nanos for r in mini)
    # the last estimates come from what was learned: 20 tokens in, 6 tokens out
    late = sorted(mini, key=lambda r: r.id)[-1]
    assert late.large_cost_nanos == pytest.approx(150_000, rel=0.15)
    assert list(told) == ["requests", "mini_share", "spent_usd", "large_only_usd", "tasks", "all", "rows"]
    assert round(told["all"]["spent_usd"] * 1e9) == row.spent_nanos, "there is nothing but this cascade"
    assert round(told["all"]["large_only_usd"] * 1e9) == row.large_only_nanos + sum(
        r.cost_nanos for r in asked if r.large_cost_nanos < 0
    )
    assert told["requests"] == row.requests and told["mini_share"] == row.mini_requests / row.requests
    assert round(told["spent_usd"] * 1e9) == row.spent_nanos
    assert round(told["large_only_usd"] * 1e9) == row.large_only_nanos
    [task] = told["tasks"]
    assert round(task["saved_usd"] * 1e9) == row.large_only_nanos - row.spent_nanos > 0
    saved = (
        f'wicket_cascade_saved_usd{{route="extract"}} {format_usd(row.large_only_nanos - row.spent_nanos)}'
    )
    assert saved in page and f'by="mini"}} {row.mini_requests}' in page
    environ = {**os.environ, "WICKET_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "wicket.cli", "savings", "--json"]
    printed = subprocess.run(command, env=environ, capture_output=True, check=True, text=True).stdout
    assert json.loads(printed) == told, "the same without a server"
