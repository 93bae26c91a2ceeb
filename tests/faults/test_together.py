"""Where plans, health and the walk meet, over a real server: what one of them alone can't show."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.scenarios import TEXT
from tests.faults.wall import ASKED
from tests.path.house import Answer, Gateway, Provider, names, rule, sse
from tests.path.served import eventually

pytestmark = pytest.mark.faults

WORDS = TEXT.split(" ")
FIRST_PART, REST = " ".join(WORDS[:40]), " " + " ".join(WORDS[40:])
USAGE = {"stream": True, "stream_options": {"include_usage": True}}
CONFIG = """
[server]
port = 0
metrics_public = true
[providers.one]
base_url = "{url}"
auth = "none"
prices.learn = {{ input = 10.0, output = 20.0 }}
[providers.two]
base_url = "{url}"
auth = "none"
prefill = true
prices.o = {{ input = 1.0, output = 2.0 }}
[providers.claude]
base_url = "{url}"
dialect = "anthropic_messages"
auth = "x-api-key"
api_key = "claude-credential-0123456789"
prefill = true
prices.c = {{ input = 1.0, output = 2.0 }}
[providers.google]
base_url = "{url}"
dialect = "gemini"
auth = "x-goog-api-key"
api_key = "google-credential-0123456789"
[models.learned]
deployments = ["one/learn", "two/o"]
hedge = {{ after = 0.9, max_share = 0.1 }}
markup = 0.5
[models.across]
deployments = ["one/across", "claude/c"]
continue = true
[models.everything]
deployments = ["one/alone"]
hedge = {{ after_s = 0.05, max_share = 1.0 }}
continue = true
max_attempts = 1
retries = 0
[models.once]
deployments = ["one/once", "two/o"]
max_attempts = 1
[models.no-second]
deployments = ["one/no-second", "two/o"]
retries = 0
[models.hurried]
deployments = ["one/hurried"]
timeouts = {{ total_s = 1 }}
[models.held]
deployments = ["one/held", "two/o"]
continue = true
hedge = {{ after_s = 0.2, max_share = 1.0 }}
timeouts = {{ gap_s = 1 }}
[models.refusing]
deployments = ["one/refusing", "two/o"]
continue = true
[models.refusing-held]
deployments = ["one/refusing", "two/o"]
commit = "whole"
[models.claude]
deployments = ["claude/c", "two/o"]
[models.google]
deployments = ["google/g", "two/o"]
[providers.narrow]
base_url = "{url}"
auth = "none"
max_concurrent = 1
prices.n = {{ input = 1.0, output = 2.0 }}
[models.queued]
deployments = ["one/queued", "narrow/n"]
hedge = {{ after_s = 0.2, max_share = 1.0 }}
[models.cheap]
deployments = ["one/cheap"]
hedge = {{ after_s = 0.2, max_share = 1.0 }}
[models.dear]
deployments = ["two/o"]
markup = 1.0
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG.format(url=provider.upstream.base_url)
    running = Gateway(tmp_path_factory.mktemp("together"), config)
    try:
        yield running.wait_ready()
    finally:
        running.close()


def ask(gateway: Gateway, model: str, **fields: Any) -> tuple[Answer, dict[str, Any]]:
    answer = gateway.post("/v1/chat/completions", {"model": model, "messages": ASKED, **USAGE, **fields})
    return answer, gateway.record(answer.headers["x-request-id"])


def tries(record: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["deployment"], one["reason"], one["kind"]) for one in record["attempts"]]


def plan(gateway: Gateway, model: str, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = gateway.chat(model, wicket={"explain": True}, **fields).json
    return found


# Hedging by what was learned


def test_a_route_learns_when_late_is_late(gateway: Gateway, provider: Provider) -> None:
    provider.script(text=TEXT)
    num_asked = 40
    assert plan(gateway, "learned", stream=True)["candidates"][0]["health"]["late_ms"] is None
    for _ in range(num_asked):
        assert ask(gateway, "learned")[0].text == TEXT
    told = plan(gateway, "learned", stream=True)
    assert told["candidates"][0]["health"]["late_ms"] < 2_000, "learned from traffic"
    assert told["hedge"] == {"after": 0.9, "after_s": None, "max_share": 0.1}

    provider.script(rule("learn", when={"every_nth": 8}, first_token_ms=3_000), text=TEXT)
    num_more = 240
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: ask(gateway, "learned"), range(num_more)))
    assert all(answer.text == TEXT for answer, _ in done)
    hedged = [(answer, record) for answer, record in done if len(record["attempts"]) > 1]
    assert 10 <= len(hedged) <= (num_asked + num_more) // 10, (
        "most of the thirty late ones, within the budget"
    )
    for answer, record in hedged:
        [lost] = [one for one in record["attempts"] if one["reason"] == "hedge_lost"]
        [won] = [one for one in record["attempts"] if one["reason"] == "ok"]
        assert [one["kind"] for one in record["attempts"]] == ["", "hedge"]
        assert answer.headers["x-wicket-deployment"] == record["deployment"] == won["deployment"]
        assert record["charge_usd"] == pytest.approx(1.5 * won["cost_usd"])
        assert (
            record["cost_usd"] == pytest.approx(won["cost_usd"] + lost["cost_usd"]) and lost["cost_usd"] > 0
        )
        assert lost["started_ms"] <= lost["ended_ms"] <= record["total_ms"]
    lost_there = [one for one in provider.log if one.model == "learn" and one.client_gone]
    assert lost_there, "who lost was let go"
    state = plan(gateway, "learned", stream=True)["candidates"][0]["health"]
    assert not state["is_cooling"], "losing a race is no failure"


def test_hedging_and_markup_across_models(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule("cheap", first_token_ms=60_000), text=TEXT)
    answer, record = ask(gateway, "cheap", models=["dear"])
    assert answer.text == TEXT
    assert tries(record) == [("one/cheap", "hedge_lost", ""), ("two/o", "ok", "hedge")]
    assert record["charge_usd"] == pytest.approx(2 * record["attempts"][1]["cost_usd"])
    assert record["charge_usd"] > 0


def test_a_hedge_that_never_left_the_queue_costs_nothing(gateway: Gateway, provider: Provider) -> None:
    held = json.dumps({"model": "narrow/held", "messages": ASKED}).encode()
    provider.script(rule("held", silent=True), rule("queued", first_token_ms=900), text=TEXT)
    with gateway.dial() as holder:
        holder.sendall(gateway.head(held, f"content-length: {len(held)}"))
        provider.until(lambda log: len(log) == 1)
        answer, record = ask(gateway, "queued")
    assert answer.text == TEXT and names(provider.log) == ["held", "queued"]
    assert tries(record) == [("one/queued", "ok", ""), ("narrow/n", "hedge_lost", "hedge")]
    assert record["attempts"][1]["cost_usd"] == record["cost_usd"] == 0


# Continuation through the hub


def claude_stream(text: str) -> str:
    events: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": {
                "id": "msg_1", "type": "message", "role": "assistant", "model": "c-1", "content": [],
                "stop_reason": None, "usage": {"input_tokens": 50, "output_tokens": 1},
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
            for word in text.replace(" ", " \0").split("\0")
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20},
        },
        {"type": "message_stop"},
    ]  # fmt: skip
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)


EVENTS = {"content-type": "text/event-stream"}


def test_an_answer_is_continued_by_a_provider_of_another_dialect(
    gateway: Gateway, provider: Provider
) -> None:
    provider.script(
        rule("across", cut_after=40, gap_ms=2), rule("c", body=claude_stream(REST), headers=EVENTS), text=TEXT
    )
    answer, record = ask(gateway, "across")
    assert answer.text == TEXT
    assert tries(record) == [("one/across", "cut", ""), ("claude/c", "ok", "continuation")]
    last = provider.last
    assert last.path == "/v1/messages"
    said = last.fields["messages"][-1]
    assert said["role"] == "assistant" and FIRST_PART in json.dumps(said["content"])
    assert {chunk["model"] for chunk in answer.chunks} == {"across", "c-1"}
    assert len({chunk["id"] for chunk in answer.chunks}) == 1
    roles = [choice["delta"].get("role") for chunk in answer.chunks for choice in chunk["choices"]]
    assert [role for role in roles if role] == ["assistant"]
    usage = answer.chunks[-1]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (50, 20)
    assert usage["continued"] == {"completion_tokens_before": 40}
    assert record["charge_usd"] == record["attempts"][1]["cost_usd"] == pytest.approx(90e-6)


# Bounds


def test_one_deployment_with_everything_on_is_asked_once(gateway: Gateway, provider: Provider) -> None:
    provider.script(text=TEXT)
    assert ask(gateway, "everything")[0].text == TEXT
    provider.script(rule("alone", error="overloaded"))
    answer, record = ask(gateway, "everything")
    assert answer.status >= 500 and len(record["attempts"]) == len(provider.log) == 1
    provider.script(rule("alone", cut_after=5, gap_ms=2), text=TEXT)
    answer, record = ask(gateway, "everything")
    assert json.loads(answer.frames[-1])["error"]["code"] == "cut" and len(record["attempts"]) == 1
    provider.script(rule("alone", first_token_ms=400), text=TEXT)
    answer, record = ask(gateway, "everything")
    assert answer.text == TEXT and len(record["attempts"]) == 1, "nobody to race"


@pytest.mark.parametrize(("model", "asked"), [("once", ["once"]), ("no-second", ["no-second", "o"])])
def test_the_bounds_of_a_route_hold(
    gateway: Gateway, provider: Provider, model: str, asked: list[str]
) -> None:
    provider.script(rule(model, error="overloaded"), text=TEXT)
    answer, _ = ask(gateway, model)
    assert names(provider.log) == asked
    assert answer.status == (200 if "o" in asked else 503)


def test_no_wait_is_begun_that_outlasts_the_request(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule("hurried", error="rate_limit", headers={"retry-after": "2"}))
    answer, record = ask(gateway, "hurried")
    assert (answer.status, answer.error["code"]) == (429, "rate_limit_exceeded")
    assert answer.headers["retry-after"] == "2" and len(record["attempts"]) == 1
    assert record["total_ms"] < 1_000


def test_a_held_answer_is_raced_and_replaced_but_never_continued(
    gateway: Gateway, provider: Provider
) -> None:
    provider.script(rule("held", first_token_ms=60_000), text=TEXT)
    answer, record = ask(gateway, "held", wicket={"commit": "whole"})
    assert answer.text == TEXT
    assert tries(record) == [("one/held", "hedge_lost", ""), ("two/o", "ok", "hedge")]
    provider.script(rule("held", cut_after=40, gap_ms=2), text=TEXT)
    answer, record = ask(gateway, "held", wicket={"commit": "whole"})
    assert answer.text == TEXT and {chunk["model"] for chunk in answer.chunks} == {"o"}
    assert tries(record) == [("one/held", "cut", ""), ("two/o", "ok", "")]
    provider.script(
        rule("held", first_token_ms=400, stall_after=4),
        rule("o", first_token_ms=60_000, when={"to_nth": 1}),
        text=TEXT,
    )
    answer, record = ask(gateway, "held", wicket={"commit": "whole"})
    assert answer.text == TEXT, "who lost the race is asked again when the winner falls silent"


# Refusals


FILTERED = {
    "error": {"message": "Blocked by our filter.", "code": "content_filter", "type": "invalid_request_error"}
}


@pytest.mark.parametrize("model", ["refusing", "refusing-held"])
def test_a_filter_that_ends_a_stream_is_the_answer(gateway: Gateway, provider: Provider, model: str) -> None:
    """`finish_reason: content_filter` is how the provider ends its answer: it reaches the caller as it is."""
    provider.script(rule("refusing", finish_reason="content_filter", text="I can say"), text=TEXT)
    answer, record = ask(gateway, model)
    finishes = [choice["finish_reason"] for chunk in answer.chunks for choice in chunk["choices"]]
    assert [one for one in finishes if one] == ["content_filter"] and answer.text == "I can say"
    assert names(provider.log) == ["refusing"] and record["outcome"] == "ok"


@pytest.mark.parametrize("model", ["refusing", "refusing-held"])
def test_a_refusal_inside_a_stream_is_not_routed_around(
    gateway: Gateway, provider: Provider, model: str
) -> None:
    begun = json.dumps({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "I can"}}]})
    pieces = {"split_every": len(begun) + 10, "piece_gap_ms": 300}
    provider.script(
        rule("refusing", body=sse(begun.encode(), json.dumps(FILTERED).encode()), headers=EVENTS, **pieces)
    )
    answer, record = ask(gateway, model)
    assert names(provider.log) == ["refusing"], "nobody else is asked, nobody continues it"
    if model == "refusing":
        assert json.loads(answer.frames[-1])["error"]["message"] == "Blocked by our filter."
    else:
        assert (answer.status, answer.error["message"]) == (400, "Blocked by our filter.")
    assert record["charge_usd"] == 0 and record["outcome"] == record["attempts"][0]["reason"]


BLOCKED = {
    "type": "error",
    "error": {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"},
}
REFUSED = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "c-1", "content": [],
    "stop_reason": "refusal", "usage": {"input_tokens": 5, "output_tokens": 1},
}  # fmt: skip
PROHIBITED = {
    "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
    "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5},
    "modelVersion": "g-1",
}


@pytest.mark.parametrize("error", ["bad_request", "content_policy"])
def test_what_a_hedge_is_refused_does_not_spoil_a_late_answer(
    gateway: Gateway, provider: Provider, error: str
) -> None:
    provider.script(rule("cheap", first_token_ms=1_200), rule("o", error=error), text=TEXT)
    answer, record = ask(gateway, "cheap", models=["dear"])
    assert answer.text == TEXT and names(provider.log) == ["cheap", "o"]
    assert [one["kind"] for one in record["attempts"]] == ["", "hedge"] and record["outcome"] == "ok"


@pytest.mark.parametrize(
    ("model", "asked", "status", "body"),
    [("claude", "c", 400, BLOCKED), ("claude", "c", 200, REFUSED), ("google", "g", 200, PROHIBITED)],
)
def test_other_families_refusals_are_not_routed_around(
    gateway: Gateway, provider: Provider, model: str, asked: str, status: int, body: dict[str, Any]
) -> None:
    provider.script(
        rule(when={"path": "/messages"}, status=status, body=body),
        rule(when={"path": ":generateContent"}, status=status, body=body),
    )
    answer, record = ask(gateway, model, stream=False, stream_options=None)
    assert len(provider.log) == 1, names(provider.log)
    if status == 400:
        assert (answer.status, answer.error["code"]) == (400, "content_filter")
    elif answer.status == 200:
        assert answer.json["choices"][0]["finish_reason"] == "content_filter"
    else:
        assert answer.error["code"] in ("content_filter", "content_policy_violation"), answer.body
    assert len(record["attempts"]) == 1


# What is left of all that


def test_nothing_runs_or_waits_afterwards(gateway: Gateway) -> None:
    """Races, continuations, queues and refusals are over, and nobody is spared for them."""

    def is_quiet() -> bool:
        status = gateway.admin("GET", "/admin/v1/status")
        [lane] = status["lanes"]
        running = [one["deployment"] for one in status["deployments"] if one["running"]]
        return not running and not lane["running"] and not lane["waiting"]

    eventually(is_quiet)
    text = gateway.request("GET", "/metrics", key=None).body.decode()
    running = re.findall(r"^wicket_deployment_running\{.*\} (\S+)$", text, re.MULTILINE)
    assert len(running) >= 8 and set(running) == {"0"}
    assert 'wicket_lane_running{provider="narrow"} 0' in text
    found = {one["deployment"]: one for one in gateway.admin("GET", "/admin/v1/status")["deployments"]}
    for calm in ("one/learn", "one/cheap", "one/queued", "one/refusing", "narrow/n", "claude/c"):
        assert found.get(calm, {"state": "closed"})["state"] == "closed", calm
