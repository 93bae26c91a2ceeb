"""Falling back over a real server: what may be tried elsewhere, what may not, and what the record keeps."""

import json
from typing import Any

import pytest

from tests.path.house import Gateway, Provider, names, rule


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("actions", "asked_first"),
    [
        ({"error": "server_error"}, 2),
        ({"error": "overloaded"}, 2),
        ({"error": "html"}, 2),
        ({"reset": True}, 3),  # the first was on a kept connection: asked again outside the count
        ({"error": "rate_limit", "headers": {"retry-after": "60"}}, 1),
        ({"error": "rate_limit", "headers": {"retry-after": "0"}}, 2),
        ({"error": "authentication"}, 1),
        ({"error": "no_credit"}, 1),
        ({"error": "no_model"}, 1),
        ({"error": "context_length"}, 1),
        ({"status": 200, "body": "<html></html>"}, 1),
        ({"status": 200, "body": {"error": {"message": "inside"}}}, 1),
    ],
)
def test_what_the_provider_did_wrong_is_tried_elsewhere(
    gateway: Gateway, provider: Provider, actions: dict[str, Any], asked_first: int, stream: bool
) -> None:
    gateway.chat("mine/first")  # so that a connection is kept
    provider.script(rule("first", **actions))
    answer = gateway.chat("pair", stream=stream)
    assert answer.status == 200 and answer.headers["x-wicket-deployment"] == "mine/second"
    assert names(provider.log) == ["first"] * asked_first + ["second"]
    record = gateway.record(answer.headers["x-request-id"])
    assert (record["deployment"], record["outcome"]) == ("mine/second", "ok")
    assert [attempt["deployment"] for attempt in record["attempts"]] == (
        ["mine/first"] * asked_first + ["mine/second"]
    )


@pytest.mark.parametrize("error", ["bad_request", "content_policy", "content_filter"])
def test_what_the_caller_did_wrong_is_not_tried_elsewhere(
    gateway: Gateway, provider: Provider, error: str
) -> None:
    provider.script(rule("first", error=error))
    answer = gateway.chat("pair")
    assert answer.status == 400 and names(provider.log) == ["first"]
    assert answer.headers["x-should-retry"] == "false"


def test_a_moment_later_the_same_deployment_is_asked_once_more(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule("first", when={"to_nth": 1}, error="server_error"))
    answer = gateway.chat("pair")
    assert answer.headers["x-wicket-deployment"] == "mine/first"
    assert names(provider.log) == ["first", "first"]


def test_a_break_before_the_first_token_is_invisible(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule("first", cut_after=0))
    answer = gateway.chat("pair", stream=True)
    assert answer.text == "Paris is the capital of France."
    assert answer.headers["x-wicket-deployment"] == "mine/second"


def test_a_break_after_the_first_token_is_told_and_nobody_else_is_asked(
    gateway: Gateway, provider: Provider
) -> None:
    provider.script(rule("first", cut_after=2, gap_ms=20))
    answer = gateway.chat("pair", stream=True)
    assert json.loads(answer.frames[-1])["error"]["code"] == "cut"
    assert names(provider.log) == ["first"]


def test_a_route_that_holds_its_answers_hides_a_break_in_the_middle(
    gateway: Gateway, provider: Provider
) -> None:
    provider.script(rule("first", cut_after=3, gap_ms=20))
    answer = gateway.chat("held", stream=True)
    assert answer.text == "Paris is the capital of France."
    assert b"first" not in answer.body and names(provider.log)[-1] == "second"
    record = gateway.record(answer.headers["x-request-id"])
    assert record["attempts"][0]["reason"] == "cut" and record["attempts"][0]["output_tokens"] > 0


def test_a_late_first_token_means_the_next_while_there_is_one(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule("first", silent=True), rule("second", first_token_ms=600))
    answer = gateway.chat("late", stream=True)
    assert answer.text == "Paris is the capital of France."  # the last one gets its time
    record = gateway.record(answer.headers["x-request-id"])
    assert [attempt["reason"] for attempt in record["attempts"]] == ["first_token_timeout", "ok"]
    provider.until(lambda log: log[0].client_gone)


def test_when_nobody_can_the_last_word_counts(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule("first", error="authentication"), rule("second", error="no_credit"))
    answer = gateway.chat("pair")
    assert (answer.status, answer.error["code"]) == (502, "provider_quota_exhausted")
    assert answer.headers["x-wicket-deployment"] == "mine/second"
    record = gateway.record(answer.headers["x-request-id"])
    assert record["charge_usd"] == 0 and record["outcome"] == "provider_quota_exhausted"


def test_a_context_that_is_too_small_outlives_later_faults(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule("first", error="context_length"), rule("second", error="authentication"))
    answer = gateway.chat("pair")
    assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")


def test_a_kept_connection_that_went_stale_costs_nothing(gateway: Gateway, provider: Provider) -> None:
    assert gateway.chat("mine/a").status == 200
    provider.script(rule("a", hang_up=True), rule("b", when={"to_nth": 1}, close=True))
    assert gateway.chat("mine/a").status == 200  # and the connection is closed by the provider
    assert gateway.chat("mine/a").status == 200
    answer = gateway.chat("mine/b")
    assert answer.status == 200


def test_only_what_answers_is_charged(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule("first", error="server_error"))
    answer = gateway.chat("pair")
    record = gateway.record(answer.headers["x-request-id"])
    assert record["output_tokens"] == 6 and record["attempts"][0]["output_tokens"] == 0
