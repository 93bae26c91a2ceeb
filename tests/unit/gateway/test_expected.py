from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from wicket.accounts.callers import Caller
from wicket.accounts.record import OtherUsage, Record
from wicket.accounts.token_rates import TYPICAL_OUTPUT_TOKENS, OutputSizes
from wicket.dialects.contract import Counts
from wicket.dialects.openai_chat import CHAT, EMBEDDINGS
from wicket.gateway.attempt import Attempt
from wicket.gateway.call import Call
from wicket.gateway.counting import counts_of, usage_of
from wicket.gateway.expected import expected_output, most_output, note_costs
from wicket.gateway.request import Rates, RequestHeads
from wicket.gateway.settle import settle
from wicket.routing.deployment import Deployment, Route
from wicket.wire.fields import peek
from wicket.wire.origin import Origin

FREE = (0, 0, None, None, 0)


def deployment(id: str, prices: Any = (1_000_000, 2_000_000, None, None, 0), **more: Any) -> Deployment:
    provider, _, model = id.partition("/")
    return Deployment(
        id=id,
        provider=provider,
        model=model,
        origin=Origin("http", "h", 80),
        price_id=f"{id}@1" if prices else "",
        prices=prices,
        **more,
    )


SMALL = deployment("p/small")
LARGE = deployment("p/large", (10_000_000, 40_000_000, None, None, 0))
UNKNOWN = deployment("p/unknown", None)
LOCAL = deployment("compact/mini", FREE, engine="compact")


def call(*deployments: Deployment, api: Any = CHAT, number: int = 1, **fields: Any) -> Call:
    body = json.dumps({"model": "x", "messages": [{"role": "user", "content": "hi"}], **fields}).encode()
    route = Route(name="x", deployments=deployments)
    caller = Caller(key_id=1, name="a", digest=b"")
    return Call(number, api, caller, peek(body), len(body), "x", route, False, False, 0, 0)


def noted(asked: Call, one: Deployment, counts: tuple[int, int] | None, rates: Rates) -> Record:
    answer = Attempt(0, asked, RequestHeads(rates).find(one, CHAT, False), lambda _: None, lambda: 5)
    usage = None if counts is None else {"prompt_tokens": counts[0], "completion_tokens": counts[1]}
    answer.on_headers(200, [(b"content-type", b"application/json")])
    answer.on_data(json.dumps({"choices": [{"message": {"content": "yes"}}], "usage": usage}).encode())
    answer.on_end()
    record = settle(asked, [answer], answer, 200, "ok", 9)
    note_costs(record, asked, answer, rates)
    return record


@pytest.mark.parametrize(
    ("route", "answered", "large"),
    [
        ((SMALL, LARGE), SMALL, 10 * 10_000 + 5 * 40_000),
        ((SMALL, LARGE), LARGE, 10 * 10_000 + 5 * 40_000),
        ((LARGE, SMALL, SMALL), SMALL, 10 * 10_000 + 5 * 40_000),
        ((SMALL,), SMALL, 10 * 1_000 + 5 * 2_000),
        ((LOCAL, LARGE), LOCAL, 10 * 10_000 + 5 * 40_000),
        ((LOCAL,), LOCAL, 0),
        ((UNKNOWN,), UNKNOWN, -1),
        ((UNKNOWN, SMALL), UNKNOWN, 10 * 1_000 + 5 * 2_000),
    ],
)
def test_the_largest_is_the_dearest_of_the_route(
    route: tuple[Deployment, ...], answered: Deployment, large: int
) -> None:
    # 10 tokens of 1 USD per million are 10 µUSD: 10,000 nano-USD
    assert noted(call(*route), answered, (10, 5), Rates()).large_cost_nanos == large


def test_nobody_answered_nothing_is_known() -> None:
    asked = call(SMALL, LARGE)
    record = settle(asked, [], None, 502, "reset", 9)
    note_costs(record, asked, None, Rates())
    assert (record.estimate_nanos, record.large_cost_nanos) == (-1, -1)


def test_the_estimate_is_what_was_known_before_the_answer() -> None:
    rates, asked = Rates(), call(SMALL, number=16)  # one in sixteen teaches
    given = -(-asked.body_bytes // 4)
    other = noted(call(SMALL, number=1), SMALL, (10, 4), rates)
    assert other.estimate_nanos == given * 1_000 + TYPICAL_OUTPUT_TOKENS * 2_000
    noted(asked, SMALL, (10, 4), rates)
    assert rates.answers.expect(SMALL.id) == 4
    assert noted(call(UNKNOWN), UNKNOWN, (1, 1), rates).estimate_nanos == -1


def test_answers_are_no_longer_than_anybody_allows() -> None:
    rates, short = Rates(), deployment("p/short", max_output_tokens=50)
    assert expected_output(call(SMALL), SMALL, rates) == TYPICAL_OUTPUT_TOKENS
    assert expected_output(call(SMALL, max_tokens=7), SMALL, rates) == 7
    assert expected_output(call(short), short, rates) == most_output(call(short), short) == 50
    assert most_output(call(short, max_tokens=7, n=3), short) == 21
    assert most_output(call(SMALL), SMALL) == 0
    assert expected_output(call(SMALL, api=EMBEDDINGS), SMALL, rates) == 0


def test_sizes_follow_the_last_answers_and_forget_the_oldest_model() -> None:
    sizes = OutputSizes()
    for _ in range(400):
        sizes.learn("a", 1_000)
    for _ in range(400):
        sizes.learn("a", 10)
    assert 10 <= sizes.expect("a") <= 12
    for number in range(5_000):
        sizes.learn(f"m{number}", 1)
    assert sizes.expect("a") == TYPICAL_OUTPUT_TOKENS


def test_counts_and_usage_are_each_other() -> None:
    every = Counts(*range(1, 16), service="flex", image_size="1024x1024")
    assert counts_of(usage_of(every)) == every
    plain = Counts(5, 4, 3, 2, 1)
    assert usage_of(plain).other is None and counts_of(usage_of(plain)) == plain
    told = {"service": "flex", "image_size": "1024x1024", "tools": ("code_interpreter",)}
    for name in Counts.__struct_fields__[5:]:
        one = msgspec.structs.replace(plain, **{name: told.get(name, 3)})
        if name == "image_size":  # says something of images only
            assert usage_of(one).other is None
            one = msgspec.structs.replace(one, images=2)
        assert usage_of(one).other is not None
        # a tool of the provider's is no count: a price is looked for, and the record says that there is none
        assert counts_of(usage_of(one)) == (plain if name == "tools" else one)
        if name != "tools":
            assert usage_of(one).other != OtherUsage()
