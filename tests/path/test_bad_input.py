"""What callers get wrong: each has its status, its code and its field, and the server serves on."""

import json
from typing import Any

import pytest

from tests.path.house import CANARY, HELLO, Gateway, Provider, answers, drain, rule
from tests.path.served import eventually

CHAT = "/v1/chat/completions"
GOOD = {"model": "mine/plain", "messages": HELLO}


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b"null", "invalid_json", None),
        (b"[]", "invalid_json", None),
        (b'"text"', "invalid_json", None),
        (b'{"model":"mine/plain","messages":[]', "invalid_json", None),
        (b'{"model":"mine/plain"} x', "invalid_json", None),
        (b"{'model': 1}", "invalid_json", None),
        (b'{"model":"mine/plain","messages":[{"role":"user","content":"\xff\xfe"}]}', "invalid_json", None),
        (b"\xef\xbb\xbf{}", "invalid_json", None),
        (b'{"model":"m","x":NaN}', "invalid_json", None),
        (b'{"model":"m","x":01}', "invalid_json", None),
        (b'{"model":"m","x":"\x01"}', "invalid_json", None),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "invalid_json", None),
        (b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "invalid_json", None),
        (b"{}", "missing_field", "model"),
        (b'{"model":null}', "missing_field", "model"),
        (b'{"model":""}', "missing_field", "model"),
        (b'{"model":7,"messages":[{}]}', "invalid_type", "model"),
        (b'{"model":["a"],"messages":[{}]}', "invalid_type", "model"),
        (b'{"model":"a b","messages":[{}]}', "invalid_value", "model"),
        (b'{"model":"a\\r\\nx-evil: 1","messages":[{}]}', "invalid_value", "model"),
        (b'{"model":"a\\u0000","messages":[{}]}', "invalid_value", "model"),
        (json.dumps({"model": "m" * 300, "messages": HELLO}).encode(), "invalid_value", "model"),
        (b'{"model":"mine/plain"}', "missing_field", "messages"),
        (b'{"model":"mine/plain","messages":"hi"}', "invalid_type", "messages"),
        (b'{"model":"mine/plain","messages":{}}', "invalid_type", "messages"),
        (b'{"model":"mine/plain","messages":null}', "invalid_type", "messages"),
        (b'{"model":"mine/plain","messages":[]}', "invalid_value", "messages"),
        (b'{"model":"mine/plain","messages":[\n ]}', "invalid_value", "messages"),
        (json.dumps({**GOOD, "max_tokens": -1}).encode(), "invalid_value", "max_tokens"),
        (json.dumps({**GOOD, "max_tokens": 0}).encode(), "invalid_value", "max_tokens"),
        (json.dumps({**GOOD, "max_tokens": 1.5}).encode(), "invalid_type", "max_tokens"),
        (json.dumps({**GOOD, "max_tokens": "many"}).encode(), "invalid_type", "max_tokens"),
        (
            json.dumps({**GOOD, "max_completion_tokens": -5}).encode(),
            "invalid_value",
            "max_completion_tokens",
        ),
        (json.dumps({**GOOD, "stream": "yes"}).encode(), "invalid_type", "stream"),
        (json.dumps({**GOOD, "stream": 1}).encode(), "invalid_type", "stream"),
        (
            json.dumps({**GOOD, "stream": True, "stream_options": 7}).encode(),
            "invalid_type",
            "stream_options",
        ),
    ],
)
def test_a_body_that_is_wrong_names_its_field(
    gateway: Gateway, provider: Provider, body: bytes, code: str, param: str | None
) -> None:
    answer = gateway.post(CHAT, body)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, code, param)
    assert answer.error["type"] == "invalid_request_error"
    assert len(answer.body) < 1_000 and provider.log == []


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/completions", {"model": "mine/plain"}, "prompt"),
        ("/v1/embeddings", {"model": "mine/plain"}, "input"),
        ("/v1/embeddings", {"model": "mine/plain", "input": "x", "stream": True}, "stream"),
    ],
)
def test_each_route_has_its_own_needs(gateway: Gateway, path: str, body: Any, param: str) -> None:
    answer = gateway.post(path, body)
    assert (answer.status, answer.error["param"]) == (400, param)


def test_of_a_repeated_field_the_last_counts_and_one_goes_out(gateway: Gateway, provider: Provider) -> None:
    body = b'{"model":"mine/wrong","model":"mine/plain","messages":[{"role":"user","content":"x"}]}'
    assert gateway.post(CHAT, body).status == 200
    assert provider.last.body.count('"model"') == 1 and provider.last.model == "plain"


def test_a_lone_surrogate_in_an_unread_field_is_the_providers_affair(
    gateway: Gateway, provider: Provider
) -> None:
    assert gateway.post(CHAT, b'{"model":"mine/plain","messages":[{"content":"\\ud800"}]}').status in (
        200,
        400,
    )


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        ("pear", "model_not_found", ["pair"]),
        ("nothing-like-it-at-all", "model_not_found", ["/v1/models"]),
        ("groq/llama-3.3-70b-versatile", "provider_not_configured", ["GROQ_API_KEY"]),
        ("openai/gpt-4o-mini", "provider_not_configured", ["OPENAI_API_KEY"]),
        ("gpt-4o-mini", "provider_not_configured", ["OPENAI_API_KEY"]),
        ("mini", None, ["mini"]),
        ("mine/", None, []),
        ("../../etc/passwd", None, []),
        ("%s%s%n{0}", None, []),
    ],
)
def test_a_model_that_is_not_there_says_what_is(
    gateway: Gateway, provider: Provider, model: str, code: str | None, words: list[str]
) -> None:
    answer = gateway.chat(model)
    assert answer.status == 404 and answer.error["param"] == "model"
    assert code is None or answer.error["code"] == code
    assert all(word in answer.error["message"] for word in words)
    assert provider.log == []


@pytest.mark.parametrize(
    ("header", "code", "word"),
    [
        (None, "missing_api_key", "Authorization"),
        ("", "missing_api_key", "empty"),
        ("Bearer ", "missing_api_key", "not set"),
        ("Bearer $OPENAI_API_KEY", "invalid_api_key", "shell"),
        ("Bearer ${OPENAI_API_KEY}", "invalid_api_key", "shell"),
        ("Bearer $apikey", "invalid_api_key", "shell"),
        ("Bearer wk-0123456789abcdefghijklmnop" + CANARY, "invalid_api_key", "not known"),
        ("Bearer short", "invalid_api_key", "not known"),
        ("Bearer " + "x" * 8_000, "invalid_api_key", "not known"),
        ("Bearer sk-proj-" + CANARY, "invalid_api_key", "provider"),
        ("Basic " + CANARY, "invalid_authorization", "Basic"),
        ("wk-0123456789abcdefghijklmnopqr", "invalid_authorization", "Bearer"),
        ("Bearer \xe9\xff" + "x" * 30, "invalid_api_key", "not known"),
    ],
)
def test_a_key_that_does_not_open_says_why(
    gateway: Gateway, provider: Provider, header: str | None, code: str, word: str
) -> None:
    sent = {} if header is None else {"authorization": header}
    answer = gateway.post(CHAT, GOOD, None, **sent)
    assert (answer.status, answer.error["code"]) == (401, code)
    assert answer.error["type"] == "authentication_error" and word in answer.error["message"]
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert CANARY.encode() not in answer.body and provider.log == []


def test_revoked_and_expired_keys_are_refused(gateway: Gateway) -> None:
    key = gateway.admin("POST", "/admin/v1/keys", {"name": "gone"})
    assert gateway.chat(key=key["key"]).status == 200
    gateway.admin("DELETE", f"/admin/v1/keys/{key['id']}")
    eventually(lambda: gateway.chat(key=key["key"]).status == 401, limit_s=1)  # says the contract
    brief = gateway.admin("POST", "/admin/v1/keys", {"name": "brief", "expires_in_s": 1})["key"]
    assert gateway.chat(key=brief).status == 200
    eventually(lambda: gateway.chat(key=brief).status == 401, limit_s=5)
    answer = gateway.chat(key=brief)
    assert answer.error["code"] == "expired_api_key" and "expired" in answer.error["message"]


def test_a_key_for_some_models_opens_only_these(gateway: Gateway, provider: Provider) -> None:
    key = gateway.admin("POST", "/admin/v1/keys", {"name": "few", "models": ["pair"]})["key"]
    assert gateway.chat("pair", key=key).status == 200
    answer = gateway.chat("mine/plain", key=key)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (403, "model_not_allowed", "model")
    assert [seen.model for seen in provider.log] == ["first"]


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/openai/v1/embeddings"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])
def test_another_method_is_told_which_one(gateway: Gateway, path: str, method: str) -> None:
    answer = gateway.request(method, path)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert method == "HEAD" or answer.error["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/chat/completion", 404),
        ("/v1/chat/completions/", 404),
        ("/v1//chat/completions", 404),
        ("/V1/CHAT/COMPLETIONS", 404),
        ("/v1/../v1/chat/completions", 404),
        ("/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/" + "a" * 10_000, 404),
        ("/v1/requests/req_zzzz", 400),
        ("/v1/models/" + "x" * 2_000, 404),
        ("/v1/models/%00%ff", 404),
        ("/%", 404),
    ],
)
def test_an_absurd_path_is_an_answer_in_shape(gateway: Gateway, path: str, status: int) -> None:
    for method in ("GET", "POST"):
        answer = gateway.request(method, path)
        assert answer.status in (status, 405) and answer.error["message"]
        assert len(answer.body) < 2_000


@pytest.mark.parametrize(
    "target", [b"*", b"http://[::1/v1/models", b"//", b"?", b"x", b"/\xff\xfe", b"/a b", b"/\x00", b""]
)
def test_a_target_that_is_no_path_is_a_4xx(gateway: Gateway, target: bytes) -> None:
    got = gateway.raw(b"GET " + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert answers(got) in ([400], [404])


def test_a_query_does_not_hide_the_route(gateway: Gateway) -> None:
    assert gateway.post(CHAT + "?api-version=2024-10-21&x=%00", GOOD).status == 200


@pytest.mark.parametrize(
    "greeting",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-x\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
     b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n", b"GARBAGE\r\n\r\n", b"POST\r\n\r\n"],
)  # fmt: skip
def test_what_is_not_http_is_refused_in_shape(gateway: Gateway, greeting: bytes) -> None:
    got = gateway.raw(greeting)
    assert (
        answers(got) == [400] and json.loads(got.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "invalid_http"
    )


def test_http_1_0_gets_a_whole_answer_and_the_end(gateway: Gateway) -> None:
    body = json.dumps(GOOD).encode()
    head = gateway.head(body, f"content-length: {len(body)}").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    got = gateway.raw(head)
    assert answers(got) == [200] and b"connection: close" in got


def test_http_1_0_gets_a_stream_without_chunks(gateway: Gateway) -> None:
    body = json.dumps({**GOOD, "stream": True}).encode()
    head = gateway.head(body, f"content-length: {len(body)}").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    top, _, rest = gateway.raw(head).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in top and rest.startswith(b"data: {") and rest.endswith(b"[DONE]\n\n")


def test_expect_100_continue_is_answered_before_the_body(gateway: Gateway) -> None:
    body = json.dumps(GOOD).encode()
    with gateway.dial() as connection:
        connection.sendall(gateway.head(b"", f"content-length: {len(body)}", "expect: 100-continue"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize("wish", ["h2c", "websocket", "TLS/1.0, h2c"])
def test_a_wish_for_another_protocol_is_passed_over(
    gateway: Gateway, provider: Provider, wish: str, is_split: bool
) -> None:
    """As Java's own client sends it, the body in a segment of its own or not (RFC 9110 §7.8)."""
    provider.script()
    body = json.dumps({"model": "mine/plain", "messages": HELLO}).encode()
    lines = ("Connection: Upgrade, HTTP2-Settings, close", f"Upgrade: {wish}", "HTTP2-Settings: AAEAAEAAAA")
    whole = gateway.head(body, *lines, f"content-length: {len(body)}")
    place = len(whole) - len(body)
    pieces = (whole[:40], whole[40:place], whole[place:-9], whole[-9:]) if is_split else (whole,)
    got = gateway.raw(*pieces)
    assert answers(got) == [200] and b"Paris" in got
    assert [seen.fields["messages"] for seen in provider.log] == [HELLO]
    assert b"upgrade" not in got.lower()


def test_an_upgrade_is_declined_and_the_request_answered_or_refused(gateway: Gateway) -> None:
    with gateway.dial() as connection:  # which stays open, as it may
        connection.sendall(
            b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
        )
        got = connection.recv(65_536)
    assert answers(got) and answers(got)[0] in (400, 401)


def test_nothing_of_a_body_or_key_reaches_the_log(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(error="server_error"))
    for body in (
        {**GOOD, "messages": [{"role": "user", "content": CANARY}]},
        {"model": CANARY, "messages": HELLO},
        {**GOOD, "max_tokens": CANARY},
    ):
        assert gateway.post(CHAT, body).status >= 400
    gateway.post(CHAT, b'{"model": "' + CANARY.encode())
    gateway.post(CHAT, GOOD, f"wk-{CANARY}-{CANARY}")
    assert CANARY not in gateway.heard()


def test_the_callers_own_text_does_not_come_back_in_an_error(gateway: Gateway) -> None:
    answer = gateway.post(CHAT, {**GOOD, "max_tokens": CANARY})
    assert answer.status == 400 and CANARY.encode() not in answer.body


def test_an_answers_header_cannot_be_injected_by_the_provider(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(headers={"x-request-id": "a\tb" + "c" * 200, "x-wicket-cost-usd": "0"}))
    answer = gateway.chat()
    assert answer.status == 200 and answer.headers["x-wicket-cost-usd"] == "0.00001"


def test_pipelined_cold_requests_end_the_connection_cleanly(gateway: Gateway) -> None:
    one = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    with gateway.dial() as connection:
        connection.sendall(one * 3)
        got = drain(connection)
    assert set(answers(got)) == {200}


def test_cors_is_for_the_named_origins_and_nonsense_stays_nonsense(open_gateway: Any) -> None:
    served = open_gateway(
        '[server]\nport = 0\ncors_origins = ["https://a.example"]\n'
        '[providers.mine]\nbase_url = "{url}"\napi_key = "{secret}"\n'
    )
    asked = {"access_control_request_method": "POST", "access_control_request_headers": "authorization"}
    preflight = served.request("OPTIONS", CHAT, None, None, origin="https://a.example", **asked)
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == "https://a.example"
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    other = served.request("OPTIONS", CHAT, None, None, origin="https://b.example", **asked)
    assert "access-control-allow-origin" not in other.headers
    for key in ("", "wk-not-a-key-0123456789"):
        answer = served.post(CHAT, GOOD, key, origin="https://a.example")
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert answers(served.raw(b"\x00nonsense\r\n\r\n")) == [400]
    assert "Traceback" not in served.heard()


@pytest.mark.parametrize(
    ("old", "new", "status", "code"),
    [
        ("host: x\r\n", "", 400, "missing_host"),
        ("host: x\r\n", "host: x\r\nhost: y\r\n", 400, "repeated_header"),
        ("host: x\r\n", "host: x\r\ncontent-encoding: gzip\r\n", 415, "unsupported_encoding"),
        ("host: x\r\n", "host: x\r\ncontent-encoding: identity\r\n", 200, ""),
        ("content-length: 100\r\n", "transfer-encoding: gzip, chunked\r\n", 501, "unsupported_coding"),
    ],
)
def test_a_head_that_the_standard_refuses(
    gateway: Gateway, old: str, new: str, status: int, code: str
) -> None:
    body = json.dumps(GOOD).encode().ljust(100)
    head = gateway.head(b"", "content-length: 100", "connection: close")
    got = gateway.raw(head.replace(old.encode(), new.encode()) + body)
    assert answers(got) == [status] and code.encode() in got
