"""Deployments that fail are spared and come back: over HTTP, between workers, and for whoever looks."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.path.conftest import Open
from tests.path.house import MINE, Gateway, Provider, names, rule
from tests.path.served import eventually
from wicket.accounts.request_ids import parse_id
from wicket.upstream.scripted import Seen

PAIR = """
[server]
port = 0
workers = {workers}
metrics_public = true
[providers.one]
base_url = "{{url}}"
{more}
[providers.two]
base_url = "{{url}}"
auth = "none"
[models.pair]
deployments = ["one/first", "two/second"]
"""
DOWN_S = 4.0


def config(workers: int = 1, more: str = 'auth = "none"') -> str:
    return PAIR.format(workers=workers, more=more)


def shown(gateway: Gateway, deployment: str) -> dict[str, Any]:
    found = gateway.admin("GET", "/admin/v1/status")["deployments"]
    return next((one for one in found if one["deployment"] == deployment), {"state": "closed"})


def keys(log: list[Seen]) -> list[str]:
    known = {hashlib.sha256(key.encode()).hexdigest(): key for key in ("key-a", "key-b")}
    return [known.get(seen.key_sha256, "?") for seen in log]


def until(look: Callable[[], bool], limit_s: float = 45.0) -> None:
    eventually(look, limit_s)


def test_an_outage_is_gone_round_and_the_recovery_is_noticed(open_gateway: Open, provider: Provider) -> None:
    gateway = open_gateway(config())
    provider.script(rule("first", when={"to_s": DOWN_S}, error="server_error"))
    began, served = time.monotonic(), []
    while not served or served[-1] != "one/first":
        answer = gateway.chat("pair")
        assert answer.status == 200
        served.append(answer.headers["x-wicket-deployment"])
        assert time.monotonic() - began < DOWN_S + 45
        time.sleep(0.05)
    log = provider.log
    asked = [seen for seen in log if seen.model == "first" and seen.rule == 0]
    assert len(served) > 10 and len(asked) < len(served) / 2  # most went elsewhere without asking first
    assert log[-1].model == "first" and shown(gateway, "one/first")["state"] == "closed"
    [attempt] = gateway.record(answer.headers["x-request-id"])["attempts"]
    assert (attempt["deployment"], attempt["reason"], attempt["is_probe"]) == ("one/first", "ok", True)


def test_a_limited_deployment_is_left_alone_as_long_as_it_asks(
    open_gateway: Open, provider: Provider
) -> None:
    gateway = open_gateway(config())
    limited = {"error": "rate_limit", "headers": {"retry-after": "120"}}
    provider.script(rule("first", **limited))
    for _ in range(4):
        assert gateway.chat("pair").headers["x-wicket-deployment"] == "two/second"
    assert names(provider.log) == ["first", "second", "second", "second", "second"]
    assert gateway.chat("one/first").status == 429  # whoever wants that one only still asks it
    state = shown(gateway, "one/first")
    assert (state["state"], state["reason"]) == ("open", "rate_limit_exceeded") and state["cooldown_s"] > 60


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "refusal",
    [
        {"error": "authentication"},
        {"error": "no_credit"},
        {"error": "rate_limit", "headers": {"retry-after": "90"}},
    ],
    ids=["401", "quota", "429"],
)
def test_the_next_request_begins_with_the_credential_that_works(
    open_gateway: Open, provider: Provider, refusal: dict[str, Any], workers: int
) -> None:
    gateway = open_gateway(config(workers, 'api_key = ["key-a", "key-b"]'))
    provider.script(rule("first", when={"key": "key-a"}, **refusal))
    first = gateway.record(gateway.chat("pair").headers["x-request-id"])
    assert [one["deployment"] for one in first["attempts"]] == ["one/first", "one/first"]
    assert keys(provider.log) == ["key-a", "key-b"]
    of_credential = refusal["error"] != "rate_limit"

    def is_known() -> bool:
        status = gateway.admin("GET", "/admin/v1/status")
        return bool(status["credentials"] if of_credential else status["deployments"])

    until(is_known)
    gateway.worker_pids()
    provider.script(rule("first", when={"key": "key-a"}, **refusal))
    served_by = set()
    while len(served_by) < workers or len(provider.log) < 3:
        served_by.add(parse_id(gateway.chat("pair").headers["x-request-id"]) >> 14 & 0x7F)
    assert set(keys(provider.log)) == {"key-b"}  # in every worker


def test_metrics_and_status_show_what_is_spared(open_gateway: Open, provider: Provider) -> None:
    gateway = open_gateway(config(1, 'api_key = ["key-a", "key-b"]'))
    good = {"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "25"}
    provider.script(
        rule("first", when={"key": "key-a"}, error="authentication"),
        rule("second", headers={**good, "x-ratelimit-reset-requests": "10m0s"}),
        rule("gone", error="server_error"),
    )
    gateway.chat("pair")
    gateway.chat("two/second")
    for _ in range(3):
        gateway.chat("two/gone")
    until(lambda: shown(gateway, "two/second").get("headroom") == 0.25)
    status = gateway.admin("GET", "/admin/v1/status")
    [barred] = status["credentials"]
    assert (barred["provider"], barred["credential"], barred["state"]) == ("one", 0, "open")
    assert 0 < barred["cooldown_s"] <= 30 and barred["reason"] == "provider_auth_failed"
    second = shown(gateway, "two/second")
    assert second["first_token_ms"] > 0 and second["running"] == 0
    text = gateway.request("GET", "/metrics").body.decode()
    assert 'wicket_deployment_state{deployment="two/second",credential="0",state="closed"} 1' in text
    assert 'wicket_deployment_headroom{deployment="two/second",credential="0"} 0.25' in text
    assert 'wicket_credential_cooldown_seconds{provider="one",credential="0"}' in text
    assert "two/gone" not in text  # a name that a caller made up
    assert shown(gateway, "two/gone")["state"] != "closed"


def test_a_provider_that_is_configured_anew_is_asked_anew(open_gateway: Open, provider: Provider) -> None:
    gateway = open_gateway(config(2, 'api_key = ["key-a"]'))
    provider.script(rule("first", when={"key": "key-a"}, error="authentication"))
    assert gateway.chat("pair").headers["x-wicket-deployment"] == "two/second"
    until(lambda: bool(gateway.admin("GET", "/admin/v1/status")["credentials"]))
    changed = gateway.file.read_text().replace("key-a", "key-b")
    gateway.file.write_text(changed)
    until(lambda: gateway.admin("GET", "/admin/v1/status")["config"]["version"] == 2)
    assert gateway.admin("GET", "/admin/v1/status")["credentials"] == []
    until(lambda: gateway.chat("pair").headers["x-wicket-deployment"] == "one/first")


def test_active_probes_spare_callers_and_let_one_request_in_when_they_are_good(
    open_gateway: Open, provider: Provider
) -> None:
    gateway = open_gateway(config(2, 'api_key = "key-a"\nprobe_s = 1'))
    broken = rule("first", error="server_error")
    provider.script(rule("", when={"path": "/models"}, status=503, body="no"), broken)
    while shown(gateway, "one/first")["state"] == "closed":
        assert gateway.chat("pair").status == 200
    seen = names(provider.log).count("first")

    def probes() -> list[Seen]:
        return [one for one in provider.log if one.path.endswith("/models")]

    while len(probes()) < 2:  # each begins another cooldown
        assert gateway.chat("pair").headers["x-wicket-deployment"] == "two/second"
    assert {one.method for one in probes()} == {"GET"} and set(keys(probes())) == {"key-a"}
    assert names(provider.log).count("first") == seen
    provider.script()
    until(lambda: gateway.chat("pair").headers["x-wicket-deployment"] == "one/first")
    assert probes()


def test_a_refused_credential_is_probed_with_itself(open_gateway: Open, provider: Provider) -> None:
    gateway = open_gateway(config(1, 'api_key = "key-a"\nprobe_s = 1'))
    provider.script(rule(when={"key": "key-a"}, error="authentication"))
    assert gateway.chat("pair").headers["x-wicket-deployment"] == "two/second"
    provider.until(lambda log: len([one for one in log if one.method == "GET"]) == 2)
    assert gateway.chat("pair").headers["x-wicket-deployment"] == "two/second"
    assert set(keys([one for one in provider.log if one.method == "GET"])) == {"key-a"}
    provider.script()
    until(lambda: gateway.chat("pair").headers["x-wicket-deployment"] == "one/first")
    until(lambda: gateway.admin("GET", "/admin/v1/status")["credentials"] == [])


def test_nothing_is_probed_unasked(open_gateway: Open, provider: Provider) -> None:
    gateway = open_gateway(
        MINE + '[models.pair]\ndeployments = ["mine/first", "mine/second"]\n[server]\nport=0'
    )
    provider.script(rule("first", error="server_error"))
    for _ in range(4):
        gateway.chat("pair")
    assert all(one.method == "POST" for one in provider.log)
