"""What a teacher's answers and refusals mean."""

from typing import Any

import msgspec
import pytest

from wicket.errors import (
    CallerFault,
    Fault,
    KeyFault,
    ProviderBusy,
    ProviderFault,
    ProviderRefusal,
    UpstreamBroken,
    UpstreamTimeout,
)
from wicket.lab.generation.plan import Spending
from wicket.lab.generation.teacher import Teacher, fault_of, is_fatal, may_go_better, reply_of, was_free
from wicket.upstream.fetch import Response
from wicket.upstream.pool import KeepAlivePool

CHOICE = {"message": {"role": "assistant", "content": "Yes"}, "finish_reason": "stop"}
USAGE = {"prompt_tokens": 1000, "completion_tokens": 10}


def response(status: int, body: Any, **headers: str) -> Response:
    fields = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return Response(status, fields, body if isinstance(body, bytes) else msgspec.json.encode(body))


def error(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, error("bad key"), KeyFault),
        (403, error("flagged by moderation"), ProviderRefusal),
        (402, error("no credit"), CallerFault),
        (404, error("no such model"), CallerFault),
        (429, error("slow down"), ProviderBusy),
        (429, error("used up", "insufficient_quota"), CallerFault),
        (400, error("no"), ProviderRefusal),
        (422, b"<html>", ProviderRefusal),
        (500, error("oops"), ProviderBusy),
        (529, b"[1]", ProviderBusy),
        (302, b"", UpstreamBroken),
    ],
)
def test_every_status_has_its_meaning(status: int, body: Any, kind: type[Fault]) -> None:
    fault = fault_of(response(status, body))
    assert type(fault) is kind and fault.code == f"status_{status}"
    assert is_fatal(fault) is issubclass(kind, CallerFault)
    assert may_go_better(fault) is (kind in (ProviderBusy, UpstreamBroken))
    assert was_free(fault) is (kind is not UpstreamBroken)


def test_a_teacher_says_when_to_come_back() -> None:
    assert fault_of(response(429, b"", retry_after="1.5")).retry_after_ms == 1500
    assert fault_of(response(503, b"", retry_after="Sun, 06 Nov 1994 08:49:37 GMT")).retry_after_ms == 0
    assert fault_of(response(503, b"", retry_after="soon")).retry_after_ms is None


def test_only_what_was_never_sent_is_free() -> None:
    assert was_free(ProviderFault("dns_failed", "")) and was_free(UpstreamTimeout("connect_timeout", ""))
    for fault in (
        UpstreamTimeout("total_timeout", ""),
        UpstreamBroken("cut", ""),
        ProviderFault("reset", ""),
        UpstreamBroken("malformed", ""),
    ):
        assert not was_free(fault)


def test_a_reply_with_what_it_used() -> None:
    prices = ({"input": 1.0, "output": 2.0},)
    found = reply_of(response(200, {"choices": [CHOICE], "usage": USAGE, "model": "m-1"}), prices)
    assert found.used == Spending(1_020_000, 1010) and found.model == "m-1" and found.logprobs is None
    told = response(200, {"choices": [CHOICE], "usage": USAGE}, x_wicket_cost_usd="0.5")
    assert reply_of(told, prices).used == Spending(500_000_000, 1010)
    assert reply_of(response(200, {"choices": [CHOICE]}), prices).used is None


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"choices": []}', b'{"choices": [{}]}', b"[" * 99_999]
)
def test_what_is_no_chat_completion_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        reply_of(response(200, body), None)


@pytest.mark.parametrize("content", [None, [], [{"token": "x"}], "x", [7]])
def test_log_probabilities_of_another_form_are_none(content: Any) -> None:
    choice = {**CHOICE, "logprobs": {"content": content}}
    assert reply_of(response(200, {"choices": [choice], "usage": USAGE}), None).logprobs is None


@pytest.mark.parametrize("url", ["", "host", "ftp://host", "http://", "http://host:port/v1"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(CallerFault, match="is no address"):
        Teacher(KeepAlivePool(), url)
