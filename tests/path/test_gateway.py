"""The main job over a real server: what goes in, what reaches the provider, what comes back and is kept."""

import json
import re
from decimal import Decimal

import pytest

from tests.path.house import HELLO, SECRET, Gateway, Provider, delta, rule, sse, stream_rule


def test_a_whole_chat_answer_is_the_providers_own_bytes(gateway: Gateway, provider: Provider) -> None:
    body = (
        '{"id": "x",  "choices":[{"message":{"content":"caf\\u00e9 ☕"},"finish_reason":"stop"}],"odd":1e2}'
    )
    provider.script(rule(body=body))
    answer = gateway.chat()
    assert (answer.status, answer.body) == (200, body.encode())
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-wicket-deployment"] == "mine/plain"
    assert re.fullmatch(r"req_[0-9a-f]{16}", answer.headers["x-request-id"])


@pytest.mark.parametrize("prefix", ["/v1", "/openai/v1"])
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/chat/completions", {"messages": HELLO}),
        ("/completions", {"prompt": "Say it."}),
        ("/embeddings", {"input": ["one", "two words"]}),
    ],
)
def test_each_route_reaches_the_providers_own(
    gateway: Gateway, provider: Provider, prefix: str, path: str, fields: dict[str, object]
) -> None:
    answer = gateway.post(prefix + path, {"model": "mine/plain", **fields})
    assert answer.status == 200 and provider.last.path == "/v1" + path
    assert answer.json["model"] == "plain"
    record = gateway.record(answer.headers["x-request-id"])
    assert record["api"] == path.strip("/").replace("/", ".")
    assert record["input_tokens"] == provider.last.input_tokens
    assert record["output_tokens"] == provider.last.output_tokens


def test_unknown_fields_pass_byte_for_byte_and_the_model_is_renamed(
    gateway: Gateway, provider: Provider
) -> None:
    rest = (
        '"messages":[ {"role":"user","content":"\\u0041\\ud83d\\ude00 ☕\\/"} ] ,'
        '"temperature":0.70000000000000001,"seed":9007199254740993,"new_field" : {"b":1, "a" : [ 1.0,1e5 ]},'
        '"метка":"ja"'
    )
    assert (
        gateway.post("/v1/chat/completions", f'{{ "model" : "mine/plain", {rest} }}'.encode()).status == 200
    )
    seen = provider.last.body
    assert seen.startswith('{"model":"plain"')
    for value in (
        '[ {"role":"user","content":"\\u0041\\ud83d\\ude00 ☕\\/"} ]', '0.70000000000000001',
        "9007199254740993", '{"b":1, "a" : [ 1.0,1e5 ]}',
    ):  # fmt: skip
        assert value in seen
    assert list(json.loads(seen)) == ["model", "messages", "temperature", "seed", "new_field", "метка"]


def test_what_is_wickets_own_never_goes_out(gateway: Gateway, provider: Provider) -> None:
    ours = {
        "models": ["mine/plain", "dear"],
        "provider": {"order": ["mine"], "max_price": {"prompt": 9}},
        "route": "fallback",
        "wicket": {"commit": "whole"},
    }
    assert gateway.chat(**ours, user="u").status == 200
    assert list(provider.last.fields) == ["model", "messages", "user"]


def test_nothing_of_the_callers_headers_goes_out_but_the_trace(gateway: Gateway, provider: Provider) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = gateway.post(
        "/v1/chat/completions",
        {"model": "mine/plain", "messages": HELLO},
        traceparent=trace, tracestate="a=b", cookie="c=d", x_forwarded_for="1.2.3.4", openai_organization="o",
    )  # fmt: skip
    headers = dict(provider.last.headers)
    assert sorted(headers) == sorted(
        ["host", "accept", "accept-encoding", "content-type", "user-agent", "content-length", "traceparent"]
    )
    own = answer.headers["x-request-id"].removeprefix("req_")
    assert headers["traceparent"] == f"00-4bf92f3577b34da6a3ce929d0e0e4736-{own}-01"


@pytest.mark.parametrize("trace", ["", "00-zz-00f067aa0ba902b7-01", "00-" + "a" * 200, "ff\xff"])
def test_a_broken_trace_is_left_out(gateway: Gateway, provider: Provider, trace: str) -> None:
    body = {"model": "mine/plain", "messages": HELLO}
    assert gateway.post("/v1/chat/completions", body, traceparent=trace).status == 200
    assert "traceparent" not in dict(provider.last.headers)


def test_the_credential_goes_out_and_the_callers_key_does_not(gateway: Gateway, provider: Provider) -> None:
    import hashlib

    assert gateway.chat().status == 200
    assert provider.last.key_sha256 == hashlib.sha256(SECRET.encode()).hexdigest()


@pytest.mark.parametrize(
    ("model", "input", "output", "factor"),
    [("mine/plain", "0.5", "1.5", "1"), ("mine/dear", "3", "15", "1"), ("dear", "3", "15", "1.25")],
)
def test_the_cost_is_exact_to_the_price(
    gateway: Gateway, provider: Provider, model: str, input: str, output: str, factor: str
) -> None:
    usage = {"prompt_tokens": 12_345, "completion_tokens": 678, "total_tokens": 13_023}
    body = {"id": "x", "model": "up", "choices": [{"finish_reason": "stop"}], "usage": usage}
    provider.script(rule(body=body))
    answer = gateway.chat(model)
    cost = (12_345 * Decimal(input) + 678 * Decimal(output)) / 1_000_000
    record = gateway.record(answer.headers["x-request-id"])
    assert Decimal(answer.headers["x-wicket-cost-usd"]) == cost * Decimal(factor)
    assert record["cost_usd"] == float(cost)
    assert record["charge_usd"] == float(cost * Decimal(factor))
    assert record["served_model"] == "up" and record["model"] == model


def test_cached_tokens_cost_their_own_price(gateway: Gateway, provider: Provider) -> None:
    usage = {"prompt_tokens": 1_000, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 900}}
    provider.script(rule(body={"choices": [{"finish_reason": "stop"}], "usage": usage}))
    answer = gateway.chat("mine/dear")
    assert Decimal(answer.headers["x-wicket-cost-usd"]) == Decimal("0.00057")  # 100 x 3 + 900 x 0.3


def test_an_unpriced_model_has_no_cost_header(gateway: Gateway) -> None:
    answer = gateway.chat("mine/unpriced")
    assert answer.status == 200 and "x-wicket-cost-usd" not in answer.headers


def test_usage_that_is_not_reported_is_estimated_and_says_so(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(usage=False))
    answer = gateway.chat()
    record = gateway.record(answer.headers["x-request-id"])
    assert record["is_estimated"] is True and record["output_tokens"] > 0 and record["input_tokens"] > 0


def test_a_stranger_does_not_see_ones_record(gateway: Gateway) -> None:
    mine = gateway.admin("POST", "/admin/v1/keys", {"name": "mine"})
    other = gateway.admin("POST", "/admin/v1/keys", {"name": "other"})
    answer = gateway.chat(key=mine["key"])
    gateway.record(answer.headers["x-request-id"])  # it is there
    path = f"/v1/requests/{answer.headers['x-request-id']}"
    assert gateway.request("GET", path, key=mine["key"]).status == 200
    refused = gateway.request("GET", path, key=other["key"])
    assert (refused.status, refused.error["code"]) == (404, "unknown_request")


def test_one_connection_carries_many_requests_in_turn(gateway: Gateway, provider: Provider) -> None:
    import http.client

    from tests.path.house import read

    body = json.dumps({"model": "mine/plain", "messages": HELLO})
    streamed = json.dumps({"model": "mine/plain", "messages": HELLO, "stream": True})
    sent = {"authorization": f"Bearer {gateway.key}"}
    connection = http.client.HTTPConnection(*gateway.address)
    seen = []
    for data, path in [
        (body, "/v1/chat/completions"), (streamed, "/v1/chat/completions"), (None, "/v1/models"),
        (body, "/v1/chat/completions"), ("{", "/v1/chat/completions"), (None, "/healthz"),
        (streamed, "/v1/chat/completions"),
    ]:  # fmt: skip
        connection.request("POST" if data else "GET", path, data, sent)
        seen.append(read(connection).status)
        assert connection.sock is not None  # kept
    connection.close()
    assert seen == [200, 200, 200, 200, 400, 200, 200]


def test_an_error_inside_a_200_is_an_error(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(body={"error": {"message": "Broken inside.", "code": 500}}))
    answer = gateway.chat()
    assert answer.status == 502 and answer.error["message"] == "Broken inside."
    assert gateway.record(answer.headers["x-request-id"])["outcome"] == "provider_error"


@pytest.mark.parametrize(
    ("actions", "status", "code"),
    [
        ({"error": "bad_request"}, 400, "invalid_request"),
        ({"error": "context_length"}, 400, "context_length_exceeded"),
        ({"error": "content_policy"}, 400, "content_policy_violation"),
        ({"error": "authentication"}, 502, "provider_auth_failed"),
        ({"error": "no_model"}, 404, "model_not_found"),
        ({"error": "rate_limit"}, 429, "rate_limit_exceeded"),
        ({"error": "no_credit"}, 502, "provider_quota_exhausted"),
        ({"error": "server_error"}, 502, "provider_unavailable"),
        ({"error": "overloaded"}, 503, "provider_unavailable"),
        ({"error": "html"}, 502, "provider_unavailable"),
        ({"status": 200, "body": "<html>Welcome</html>"}, 502, "malformed"),
        ({"status": 200, "body": ""}, 502, "malformed"),
        ({"status": 302, "body": ""}, 502, "malformed"),
        ({"status": 418, "body": "short"}, 418, "invalid_request"),
        ({"body": {"choices": 7}}, 502, "malformed"),
        ({"reset": True}, 502, "reset"),
        ({"close": True}, 502, "reset"),
        ({"content_length_off": 50}, 502, "cut"),
    ],
)
def test_each_way_a_provider_fails_has_its_status_and_code(
    gateway: Gateway, provider: Provider, actions: dict[str, object], status: int, code: str
) -> None:
    provider.script(rule(**actions))
    answer = gateway.chat()
    assert (answer.status, answer.error["code"]) == (status, code)
    assert "<html" not in answer.error["message"] and SECRET not in answer.body.decode()
    record = gateway.record(answer.headers["x-request-id"])
    assert (record["status"], record["outcome"]) == (status, code)
    assert answer.headers["x-wicket-deployment"] == "mine/plain"


def test_a_provider_that_cannot_be_reached_is_named(gateway: Gateway) -> None:
    answer = gateway.chat("unserved")
    assert (answer.status, answer.error["code"]) == (502, "connect_failed")
    assert "127.0.0.1:9" in answer.error["message"]


def test_retry_after_of_the_last_provider_is_passed_on(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(error="rate_limit", headers={"retry-after": "17"}))
    answer = gateway.chat()
    assert answer.status == 429 and answer.headers["retry-after"] == "17"
    assert len(provider.log) == 1  # too long to wait for


def test_cors_is_off_and_then_only_for_the_named_origins(gateway: Gateway) -> None:
    plain = gateway.post(
        "/v1/chat/completions", {"model": "mine/plain", "messages": HELLO}, origin="https://a.example"
    )
    assert not [name for name in plain.headers if name.startswith("access-control")]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        {"usage": {"prompt_tokens": 10**30, "completion_tokens": 1}},
        {"usage": {"prompt_tokens": 2**63, "completion_tokens": 2**64}},
        {"usage": {"prompt_tokens": 2**62, "completion_tokens": 2**62, "total_tokens": 1}},
        {"usage": {"prompt_tokens": -5, "completion_tokens": -7}},
        {
            "usage": {
                "prompt_tokens": 1,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": 10**25},
            }
        },
        {"usage": {"prompt_tokens": 1e300, "completion_tokens": 0.5}},
        {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 10**40, "new": [10**30]}},
        {"usage": {"prompt_tokens": "7"}},
        {"usage": []},
        {"model": "m" * 1_000_000},
        {"model": 'two\nlines" of \\ {nonsense} \x00'},
        {"model": 7},
    ],
)
def test_absurd_facts_from_a_provider_do_not_stop_the_records(
    gateway: Gateway, provider: Provider, said: dict[str, object], stream: bool
) -> None:
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "model": "up", **said}
    if stream:
        usage = {"choices": [], "usage": end.pop("usage", None)}
        frames = [delta("x"), json.dumps(end).encode(), json.dumps(usage).encode()]
        provider.script(stream_rule(sse(*frames, b"[DONE]")))
    else:
        provider.script(rule(body=end))
    more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    answer = gateway.chat("mine/dear", **more)
    assert answer.status in (200, 502) and b"internal_error" not in answer.body
    record = gateway.record(answer.headers["x-request-id"])
    assert record["cost_usd"] >= 0 and len(record["served_model"]) < 1_000
    provider.script()
    after = gateway.chat()
    assert gateway.record(after.headers["x-request-id"])["output_tokens"] == 6
    assert gateway.request("GET", "/metrics").status == 200
