"""What a route may be told to do about faults: rotate credentials, hedge, continue, limits of time."""

import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.scenarios import TEXT
from tests.faults.wall import ASKED, sha256
from tests.path.house import Answer, Gateway, Provider, rule
from tests.path.served import eventually
from wicket.upstream.scripted import Seen
from wicket.upstream.scripted_script import Rule

pytestmark = pytest.mark.faults

KEYS = [f"credential-number-{number}-0123456789" for number in range(3)]
WORDS = TEXT.split(" ")
FIRST_PART, REST = " ".join(WORDS[:40]), " " + " ".join(WORDS[40:])
USAGE = {"stream": True, "stream_options": {"include_usage": True}}

_SERVER = "[server]\nport = 0\nworkers = 1\n"
_CONFIG = """
[providers.many-{n}]
base_url = "{url}"
api_key = {keys}
prices.m = {{ input = 10.0, output = 20.0 }}
[providers.other-{n}]
base_url = "{url}"
api_key = "other-credential-0123456789"
prefill = true
prices.o = {{ input = 1.0, output = 2.0 }}
[providers.third-{n}]
base_url = "{url}"
api_key = "third-credential-0123456789"
[providers.far-{n}]
base_url = "http://192.0.2.1/v1"  # nobody is there (RFC 5737)
auth = "none"
[models.rotating-{n}]
deployments = ["many-{n}/m", "other-{n}/o"]
[models.patient-{n}]
deployments = ["many-{n}/m"]
retries = 2
[models.hedged-{n}]
deployments = ["third-{n}/t", "other-{n}/o"]
hedge = {{ after_s = 0.3, max_share = 1.0 }}
[models.thrifty-{n}]
deployments = ["third-{n}/t", "other-{n}/o"]
hedge = {{ after_s = 0.1, max_share = 0.25 }}
[models.continued-{n}]
deployments = ["third-{n}/t", "other-{n}/o"]
continue = true
timeouts = {{ gap_s = 1 }}
[models.nobody-continues-{n}]
deployments = ["other-{n}/o", "third-{n}/t"]
continue = true
[models.unreachable-{n}]
deployments = ["far-{n}/x", "other-{n}/o"]
timeouts = {{ connect_s = 0.5 }}
[models.timed-{n}]
deployments = ["third-{n}/t", "other-{n}/o"]
timeouts = {{ first_token_s = 0.5, gap_s = 0.5, total_s = 2 }}
[models.alone-{n}]
deployments = ["third-{n}/t"]
timeouts = {{ first_token_s = 0.3, total_s = 30 }}
"""


NUM_PLACES = 60  # one for each test: what one did to a deployment does not concern the next


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    url, keys = provider.upstream.base_url, json.dumps(KEYS)
    config = _SERVER + "".join(_CONFIG.format(n=n, url=url, keys=keys) for n in range(NUM_PLACES))
    running = Gateway(tmp_path_factory.mktemp("options"), config)
    try:
        yield running.wait_ready()
    finally:
        running.close()


_places = itertools.count()


@pytest.fixture
def place() -> int:
    return next(_places)


@pytest.fixture
def script(provider: Provider) -> Any:
    def change(*rules: Rule) -> None:
        provider.script(*rules, text=TEXT)

    return change


Ask = Callable[..., tuple[Answer, dict[str, Any]]]


@pytest.fixture
def ask(gateway: Gateway, place: int) -> Ask:
    """Ask a model at this test's own place; its deployments are told without the place's number."""

    def asked(model: str, **fields: Any) -> tuple[Answer, dict[str, Any]]:
        body = {"model": f"{model}-{place}", "messages": ASKED, **USAGE, **fields}
        answer = gateway.post("/v1/chat/completions", body)
        record = gateway.record(answer.headers["x-request-id"])
        for told in (record, *record["attempts"]):
            told["deployment"] = told["deployment"].replace(f"-{place}/", "/")
        return answer, record

    return asked


def tries(record: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["deployment"], one["reason"], one["kind"]) for one in record["attempts"]]


def key_of(seen: Seen) -> int:
    return [sha256(key) for key in KEYS].index(seen.key_sha256)


# Rotation


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("authentication", "provider_auth_failed"),
        ("permission", "provider_auth_failed"),
        ("rate_limit", "rate_limit_exceeded"),
        ("no_credit", "provider_quota_exhausted"),
    ],
)
def test_the_next_credential_is_tried_at_once(
    ask: Ask, provider: Provider, script: Any, error: str, reason: str
) -> None:
    script(*[rule(when={"key": key}, error=error, headers={"retry-after": "2"}) for key in KEYS[:2]])
    answer, record = ask("rotating")
    assert answer.text == TEXT
    assert tries(record) == [("many/m", reason, ""), ("many/m", reason, ""), ("many/m", "ok", "")]
    assert [key_of(seen) for seen in provider.log] == [0, 1, 2]
    assert provider.last.at_ms - provider.log[0].at_ms < 1_900, "no Retry-After is waited for"
    assert record["charge_usd"] == record["attempts"][-1]["cost_usd"] > 0


def test_all_credentials_limited_means_a_wait_and_then_the_next_deployment(
    ask: Ask, provider: Provider, script: Any
) -> None:
    script(*[rule(when={"key": key}, error="rate_limit", headers={"retry-after": "1"}) for key in KEYS])
    answer, record = ask("rotating")
    assert answer.text == TEXT
    assert [one["deployment"] for one in record["attempts"]] == ["many/m"] * 4 + ["other/o"]
    assert [key_of(seen) for seen in provider.log[:4]] == [0, 1, 2, 2]
    assert provider.log[3].at_ms - provider.log[2].at_ms >= 950
    assert record["deployment"] == "other/o"


@pytest.mark.parametrize("fault", [{"error": "overloaded"}, {"cut_after": 0}, {"malformed_frame": 2}])
def test_a_failing_provider_is_not_asked_with_its_other_credentials(
    ask: Ask, provider: Provider, script: Any, fault: dict[str, Any]
) -> None:
    script(rule("m", **fault))
    answer, record = ask("rotating")
    assert answer.text == TEXT and record["deployment"] == "other/o"
    assert {key_of(seen) for seen in provider.log[:-1]} == {0}


def test_more_second_tries_if_the_route_says_so(ask: Ask, provider: Provider, script: Any) -> None:
    script(rule("m", when={"to_nth": 2}, error="overloaded"))
    answer, _ = ask("patient")
    assert answer.text == TEXT and [key_of(seen) for seen in provider.log] == [0, 0, 0]


# Hedging


@pytest.mark.parametrize("late", [{"first_token_ms": 60_000}, {"silent": True}])
@pytest.mark.parametrize("is_streamed", [True, False])
def test_a_late_first_token_is_raced_and_the_loser_let_go(
    ask: Ask, provider: Provider, script: Any, late: dict[str, Any], is_streamed: bool
) -> None:
    script(rule("t", **late))
    fields = {} if is_streamed else {"stream": False, "stream_options": None}
    answer, record = ask("hedged", **fields)
    text = answer.text if is_streamed else answer.json["choices"][0]["message"]["content"]
    assert text == TEXT and answer.headers["x-wicket-deployment"].startswith("other-")
    assert tries(record) == [("third/t", "hedge_lost", ""), ("other/o", "ok", "hedge")]
    first = provider.log[0]
    provider.until(lambda _: first.ended_ms is not None)
    assert first.client_gone


def test_a_losers_cost_is_ours(ask: Ask, script: Any) -> None:
    """The hedge is slower here, so it is the one that costs and is not charged."""
    script(rule("t", first_token_ms=600), rule("o", first_token_ms=60_000))
    answer, record = ask("hedged")
    assert answer.text == TEXT
    assert tries(record) == [("third/t", "ok", ""), ("other/o", "hedge_lost", "hedge")]
    lost = record["attempts"][1]
    assert lost["is_estimated"] and lost["input_tokens"] > 0 and lost["cost_usd"] > 0
    assert record["charge_usd"] == 0 and record["cost_usd"] == lost["cost_usd"], "third/t has no price"


def test_hedges_stay_within_their_share(ask: Ask, script: Any) -> None:
    script(rule("t", first_token_ms=400))
    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(lambda _: ask("thrifty"), range(40)))
    assert all(answer.text == TEXT for answer, _ in done)
    hedges = [one for _, record in done for one in record["attempts"] if one["kind"] == "hedge"]
    assert 1 <= len(hedges) <= 10, "a quarter of forty at most"


# Continuation


def _continuing(**more: Any) -> Rule:
    return rule("o", when={"last_role": "assistant"}, **{"text": REST, **more})


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"cut_after": 40}, "cut"),
        ({"stall_after": 40}, "gap_timeout"),
        ({"malformed_frame": 42}, "malformed"),
        ({"cut_after": 40, "rst": True}, "cut"),
    ],
)
def test_a_broken_answer_is_continued(
    ask: Ask, provider: Provider, script: Any, fault: dict[str, Any], reason: str
) -> None:
    script(rule("t", gap_ms=2, **fault), _continuing())
    answer, record = ask("continued")
    assert answer.text == TEXT
    assert tries(record) == [("third/t", reason, ""), ("other/o", "ok", "continuation")]
    assert provider.last.fields["messages"] == [*ASKED, {"role": "assistant", "content": FIRST_PART}]
    chunks = answer.chunks
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["model"] for chunk in chunks} == {"t", "o"}, "each part says who wrote it"
    roles = [choice["delta"].get("role") for chunk in chunks for choice in chunk["choices"]]
    assert [role for role in roles if role] == ["assistant"]
    assert b": continued by other-" in answer.body
    last = record["attempts"][1]
    assert record["charge_usd"] == last["cost_usd"] > 0, "the broken part is ours"
    assert (record["output_tokens"], chunks[-1]["usage"]["completion_tokens"]) == (20, 20)
    assert chunks[-1]["usage"]["continued"] == {"completion_tokens_before": 40}
    assert record["first_token_ms"] == record["attempts"][0]["first_token_ms"]


def test_what_was_said_is_not_said_again(ask: Ask, script: Any) -> None:
    script(rule("t", cut_after=40, gap_ms=2), _continuing(text=TEXT))
    assert ask("continued")[0].text == TEXT


def test_a_token_limit_counts_both_parts(ask: Ask, provider: Provider, script: Any) -> None:
    script(rule("t", cut_after=40, gap_ms=2), _continuing())
    ask("continued", max_tokens=50)
    assert provider.last.fields["max_tokens"] == 10


def broken(answer: Answer, code: str) -> None:
    assert json.loads(answer.frames[-1])["error"]["code"] == code
    assert b"[DONE]" not in answer.body and b"prefill" not in answer.body


@pytest.mark.parametrize("fault", [{"error": "prefill"}, {"error": "bad_request"}, {"error": "overloaded"}])
def test_who_refuses_to_continue_is_never_heard_of(ask: Ask, script: Any, fault: dict[str, Any]) -> None:
    script(rule("t", cut_after=40, gap_ms=2), rule("o", **fault))
    answer, record = ask("continued")
    broken(answer, "cut")
    assert (record["outcome"], record["charge_usd"]) == ("cut", 0)


def test_a_continuation_that_breaks_too_is_an_error_of_its_own(ask: Ask, script: Any) -> None:
    script(rule("t", cut_after=40, gap_ms=2), _continuing(malformed_frame=5, gap_ms=2))
    answer, record = ask("continued")
    broken(answer, "malformed")
    assert record["charge_usd"] == 0


CALL = [{"name": "look", "arguments": '{"a": 1, "b": 2, "c": 3}'}]


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({"n": 2}, {}),
        ({"response_format": {"type": "json_object"}}, {}),
        ({"messages": [*ASKED, {"role": "assistant", "content": "word0"}]}, {}),
        ({}, {"tool_calls": CALL, "cut_after": 3}),
        ({}, {"reasoning": "let me think about it", "cut_after": 3}),
    ],
)
def test_what_is_not_plain_text_is_not_continued(
    ask: Ask, provider: Provider, script: Any, fields: dict[str, Any], more: dict[str, Any]
) -> None:
    script(rule("t", **{"cut_after": 40, "gap_ms": 2, **more}))
    answer, record = ask("continued", **fields)
    broken(answer, "cut")
    assert len(record["attempts"]) == len(provider.log) == 1


def test_only_who_is_known_to_continue_is_asked_to(ask: Ask, provider: Provider, script: Any) -> None:
    script(rule("o", cut_after=40, gap_ms=2))
    answer, _ = ask("nobody-continues")
    broken(answer, "cut")
    assert len(provider.log) == 1


def test_a_caller_who_leaves_a_continuation_ends_it(
    gateway: Gateway, place: int, provider: Provider, script: Any
) -> None:
    script(rule("t", cut_after=40, gap_ms=2), _continuing(silent=True))
    body = json.dumps({"model": f"continued-{place}", "messages": ASKED, "stream": True}).encode()
    with gateway.next_record("client_gone") as record, gateway.dial() as connection:
        connection.sendall(gateway.head(body, f"content-length: {len(body)}"))
        eventually(lambda: len(provider.log) == 2)
    assert tries(record)[1] == (f"other-{place}/o", "client_gone", "continuation")
    assert record["charge_usd"] == 0


# Limits of time


def test_connecting_has_a_limit(ask: Ask, script: Any) -> None:
    script()
    answer, record = ask("unreachable")
    assert answer.text == TEXT and record["attempts"][0]["reason"] in ("connect_timeout", "connect_failed")


def test_the_first_token_has_a_limit_while_somebody_else_is_there(ask: Ask, script: Any) -> None:
    script(rule("t", first_token_ms=60_000))
    answer, record = ask("timed")
    assert answer.text == TEXT and record["attempts"][0]["reason"] == "first_token_timeout"
    script(rule("t", first_token_ms=1_500))
    answer, record = ask("alone")
    assert answer.text == TEXT and len(record["attempts"]) == 1, "nobody else, so it is waited for"


def test_a_gap_has_a_limit(ask: Ask, script: Any) -> None:
    script(rule("t", stall_after=3))
    broken(ask("timed")[0], "gap_timeout")


def test_all_of_it_has_a_limit(ask: Ask, script: Any) -> None:
    script(rule("t", gap_ms=300))
    broken(ask("timed")[0], "total_timeout")


# What the transport does


def test_a_request_that_is_read_slowly_goes_elsewhere(ask: Ask, script: Any) -> None:
    script(rule("t", read_bytes_s=50_000))
    big = [{"role": "user", "content": "x" * 3_000_000}]
    answer, record = ask("timed", messages=big)
    assert answer.text == TEXT and record["attempts"][0]["reason"] == "first_token_timeout"


def test_a_flapping_provider_is_not_noticed(ask: Ask, script: Any) -> None:
    script(rule("t", when={"period_s": 0.6, "to_s": 0.3}, error="overloaded"))
    reasons = set()
    for _ in range(12):
        answer, record = ask("timed")
        assert answer.text == TEXT
        reasons |= {one["reason"] for one in record["attempts"]}
    assert reasons == {"ok", "provider_unavailable"}


@pytest.mark.parametrize("off", [50, -50])
@pytest.mark.parametrize("is_streamed", [True, False])
def test_a_wrong_length_is_never_half_an_answer(ask: Ask, script: Any, off: int, is_streamed: bool) -> None:
    chunk = {"id": "c", "model": "t", "choices": [{"index": 0, "delta": {"content": "half"}}]}
    body = f"data: {json.dumps(chunk)}\n\n" * 3 if is_streamed else json.dumps(
        {"id": "c", "model": "t", "choices": [{"index": 0, "message": {"content": "half" * 50}}]}
    )  # fmt: skip
    kind = "text/event-stream" if is_streamed else "application/json"
    script(rule("t", body=body, content_length_off=off, headers={"content-type": kind}))
    fields = {} if is_streamed else {"stream": False, "stream_options": None}
    answer, record = ask("timed", **fields)
    if is_streamed:
        broken(answer, "cut" if off > 0 else "malformed")
    else:
        assert answer.json["choices"][0]["message"]["content"] == TEXT
        assert record["attempts"][0]["reason"] in ("cut", "malformed")
