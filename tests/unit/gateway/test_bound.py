"""How much a request may use at most, as callers of each dialect say it; and what they hear of limits."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.callers import Caller
from wicket.accounts.lease_words import Word
from wicket.accounts.meters import CONCURRENT, DAY, MINUTE, MONTH, NANOS, REQUESTS, Meter, credit_meter
from wicket.accounts.price import Price
from wicket.dialects.contract import Api, module
from wicket.dialects.translation import Allowance
from wicket.gateway.bound import LEAST_TOKENS, REFERENCE_TOKENS, UNSAID_TOKENS, Bound, Terms
from wicket.gateway.call import Call
from wicket.gateway.crossing import hearing
from wicket.gateway.refusals import refusal
from wicket.routing.deployment import Deployment, Route
from wicket.wire.fields import peek
from wicket.wire.origin import Origin

ONE = Deployment(id="p/m", provider="p", model="m", origin=Origin("http", "up", 80), max_output_tokens=16_384)
PRICE = Price("p/m", 1_000_000, 4_000_000, 500_000)  # 1 and 4 USD per million tokens
SAMPLES: list[tuple[str, str, dict[str, Any], tuple[int, int]]] = [
    ("openai_chat", "chat.completions", {"messages": []}, (0, 1)),
    ("openai_chat", "chat.completions", {"max_tokens": 9, "max_completion_tokens": 7, "n": 3}, (7, 3)),
    ("openai_chat", "chat.completions", {"max_tokens": None}, (0, 1)),
    ("openai_chat", "completions", {"prompt": ["a", "b"], "best_of": 4, "n": 2, "max_tokens": 5}, (5, 8)),
    ("openai_chat", "completions", {"prompt": [1, 2, 3]}, (0, 1)),
    ("openai_chat", "embeddings", {"input": "x", "max_tokens": 3}, (0, 0)),
    ("openai_responses", "responses", {"max_output_tokens": 11}, (11, 1)),
    ("anthropic_messages", "messages", {"max_tokens": 12}, (12, 1)),
    ("anthropic_messages", "messages.count_tokens", {"messages": []}, (0, 0)),
    ("gemini", "generateContent", {"generationConfig": {"maxOutputTokens": 5, "candidateCount": 2}}, (5, 2)),
    ("gemini", "generateContent", {"generation_config": {"max_output_tokens": 6}}, (6, 1)),
    ("gemini", "countTokens", {"contents": []}, (0, 0)),
]


def api_of(dialect: str, name: str) -> Api:
    return next(api for api in module(dialect).APIS if api.name == name)


def call_of(fields: dict[str, Any], dialect: str = "openai_chat", name: str = "chat.completions") -> Call:
    body = json.dumps(fields).encode()
    route = Route(name="m", deployments=(ONE,))
    return Call(
        id=1, api=api_of(dialect, name), caller=Caller(1, "a", b""), fields=peek(body), body_bytes=len(body),
        model="m", route=route, is_streamed=False, wants_usage=False, started_us=0, unix_ms=0,
    )  # fmt: skip


@pytest.mark.parametrize(("dialect", "name", "fields", "expected"), SAMPLES)
def test_each_dialect_says_how_long_answers_may_be(
    dialect: str, name: str, fields: dict[str, Any], expected: tuple[int, int]
) -> None:
    call = call_of(fields, dialect, name)
    bound = Bound(call, Terms((ONE,), call.api, [(PRICE, 0)]))
    assert (bound.output, bound.num) == expected
    voice = hearing(dialect)
    if expected[1]:
        limited = voice.limited(call.fields, call.api, 3, ONE)  # type: ignore[union-attr]
        again = msgspec.structs.replace(call, fields=limited)
        assert Bound(again, Terms((ONE,), call.api, [(PRICE, 0)])).output == 3
        kept = {name: raw for name, raw in call.fields.items() if name in limited and "max" not in name}
        assert kept.keys() - {"generationConfig", "generation_config"} <= limited.keys()


def test_what_is_named_but_not_sent_counts() -> None:
    parts = [
        {"type": "text", "text": 'see "url": "https://x"'},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "file", "file": {"file_id": "f"}},
    ]
    call = call_of({"messages": [{"role": "user", "content": parts}]})
    bound = Bound(call, Terms((ONE,), call.api, []))
    assert bound.input == call.body_bytes + 64 + 2 * REFERENCE_TOKENS
    small = msgspec.structs.replace(ONE, context_tokens=1_000)
    assert Bound(call, Terms((small,), call.api, [])).input == 1_000


def test_unsaid_outputs_hold_a_sixteenth_or_4096_tokens() -> None:
    call = call_of({"messages": []})
    bound = Bound(call, Terms((ONE,), call.api, [(PRICE, 0)]))
    assert bound.unsaid_paid(0)[0] == UNSAID_TOKENS
    assert bound.unsaid_paid(16 * bound.nanos(8_000))[0] in range(7_990, 8_001)
    assert bound.unsaid_paid(10**15) == (16_384, bound.nanos(16_384))
    brief = Terms((msgspec.structs.replace(ONE, max_output_tokens=100),), call.api, [(PRICE, 0)])
    assert Bound(call, brief).unsaid_paid(0)[0] == 100


@given(nanos=st.integers(0, 10**9), output=st.integers(1, 100_000), markup=st.integers(-1_000_000, 10**6))
def test_what_is_affordable_is_paid_for(nanos: int, output: int, markup: int) -> None:
    call = call_of({"messages": []})
    bound = Bound(call, Terms((ONE,), call.api, [(PRICE, markup)]))
    found = bound.affordable(nanos, output)
    assert min(LEAST_TOKENS, output) <= found <= output
    assert found == min(LEAST_TOKENS, output) or bound.nanos(found) <= nanos
    assert found == output or bound.nanos(found + 1) > nanos


def test_the_dearest_of_a_plan_with_its_markup_counts() -> None:
    call = call_of({"messages": [], "max_tokens": 10})
    dear = Price("d", 5_000_000, 5_000_000)
    bound = Bound(call, Terms((ONE, ONE), call.api, [(PRICE, 0), (dear, 500_000)]))
    assert bound.nanos(10) == -(-(bound.input + 10) * 5_000 * 3 // 2)


TEAM = "team:1"
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("meter", "word", "status", "code", "retry_ms", "says"),
    [
        (Meter("l", TEAM, REQUESTS, 60, MINUTE), Word("l", 2, wait_ms=900), 429, "rate_limit_exceeded", 900,
         "This team's limit of 60 requests per minute"),
        (Meter("l", "key:1", CONCURRENT, 5), Word("l", 2), 429, "concurrency_limit_exceeded", 1_000,
         "This key's"),
        (credit_meter(TEAM), Word("c", 2, level=5, free=5), 402, "insufficient_credit", None, "0.000000005"),
        (credit_meter(TEAM), Word("c", 2, level=-5), 402, "insufficient_credit", None, "of 0 USD"),
        (credit_meter(TEAM), Word("c", 2, level=50), 429, "credit_held", 1_000, "under way"),
        (Meter("b", TEAM, NANOS, 10**9, MONTH, model="m"), Word("b", 2, level=1, free=1, resets_ms=DAY_MS),
         402, "budget_exceeded", None, "This team's 'm' budget of 1 USD per month has 0.000000001 USD left"),
        (Meter("b", TEAM, NANOS, 10, DAY), Word("b", 2, level=10), 429, "budget_held", 1_000, "under way"),
    ],
)  # fmt: skip
def test_refusals_name_the_limit_and_whose_it_is(
    meter: Meter, word: Word, status: int, code: str, retry_ms: int | None, says: str
) -> None:
    fault = refusal(meter, word, 20, 0)
    assert (fault.status, fault.code, fault.retry_after_ms) == (status, code, retry_ms)
    assert says in fault.message
    assert status != 402 or fault.kind == "insufficient_quota"
    anthropic = json.loads(hearing("anthropic_messages").fault_body(fault, "r"))  # type: ignore[union-attr]
    assert anthropic["error"]["type"] == ("billing_error" if status == 402 else "rate_limit_error")
    google = json.loads(hearing("gemini").fault_body(fault, "r"))  # type: ignore[union-attr]
    delays = [one["retryDelay"] for one in google["error"]["details"] if "retryDelay" in one]
    assert delays == ([] if retry_ms is None else [f"{retry_ms / 1_000:g}s"])


def test_limits_are_told_in_the_callers_dialect() -> None:
    requests, tokens = Allowance(60, 59, 1_000), Allowance(150_000, 149_984, 360_000)
    openai = hearing("openai_chat").allowance_lines(requests, tokens, 0)  # type: ignore[union-attr]
    assert openai.splitlines() == [
        b"x-ratelimit-limit-requests: 60",
        b"x-ratelimit-remaining-requests: 59",
        b"x-ratelimit-reset-requests: 1s",
        b"x-ratelimit-limit-tokens: 150000",
        b"x-ratelimit-remaining-tokens: 149984",
        b"x-ratelimit-reset-tokens: 6m0s",
    ]
    anthropic = hearing("anthropic_messages").allowance_lines(None, tokens, 500)  # type: ignore[union-attr]
    assert anthropic.splitlines() == [
        b"anthropic-ratelimit-tokens-limit: 150000",
        b"anthropic-ratelimit-tokens-remaining: 149984",
        b"anthropic-ratelimit-tokens-reset: 1970-01-01T00:06:01Z",
    ]
