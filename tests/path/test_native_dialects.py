"""OpenAI's callers before Bedrock, Cohere and Ollama in their own dialects, through a real server.

Bedrock's and Cohere's answers are recorded ones; what Cohere streams and Ollama answers is made here as
their references show it.
"""

from __future__ import annotations

import calendar
import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.path.house import Answer, Gateway
from tests.path.replayed import recorded
from tests.unit.dialects.bedrock_converse.framing import framed
from wicket.upstream.sigv4 import signed_headers
from wicket.wire.aws_keys import AwsKeys

KEYS = AwsKeys(
    access_key_id="AKIDTEST", secret_access_key="sss-secret", session_token="ttt-token", region="eu-west-1"
)
CONFIG = """
[server]
port = 0
workers = 1
[providers.signed]
row = "bedrock"
base_url = "{url}"
auth = "sigv4"
region = "eu-west-1"
access_key_id = "env:TEST_KEY_ID"
secret_access_key = "env:TEST_SECRET_KEY"
session_token = "env:TEST_TOKEN"
[providers.bedrock]
base_url = "{url}"
api_key = "bedrock-key"
[providers.cohere]
base_url = "{url}/v2"
api_key = "cohere-key"
[providers.ollama]
base_url = "{url}/v1"
"""
TOOL = {
    "type": "function",
    "function": {
        "name": "get_temperature",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
ASK = [{"role": "user", "content": "What is it?"}]
Reply = tuple[int, str, bytes]


class Provider:
    """Answers each target as it was told, the last answer again and again; remembers what it was asked."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.seen: list[tuple[str, dict[str, str], Any]] = []
        self.bodies: list[bytes] = []
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                provider.bodies.append(body)
                provider.seen.append((self.path, headers, json.loads(body)))
                left = provider.replies[self.path]
                status, kind, data = left.pop(0) if len(left) > 1 else left[0]
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("x-amzn-RequestId", "aws-0001")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for at in range(0, len(data), 61):
                    piece = data[at : at + 61]
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def will(self, target: str, *replies: Reply) -> None:
        self.replies[target] = list(replies)
        self.seen.clear()
        self.bodies.clear()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.close()


@pytest.fixture(scope="module")
def gateway(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    environ = {
        "TEST_KEY_ID": KEYS.access_key_id,
        "TEST_SECRET_KEY": KEYS.secret_access_key,
        "TEST_TOKEN": KEYS.session_token,
    }
    running = Gateway(tmp_path_factory.mktemp("native"), CONFIG.replace("{url}", provider.url), **environ)
    try:
        yield running.wait_ready()
        said = running.heard()
        assert not [
            leak for leak in (KEYS.secret_access_key, KEYS.session_token, "Traceback") if leak in said
        ]
    finally:
        running.close()


def as_recorded(file: str, number: int = 0) -> Reply:
    found = recorded(file, number)
    return found.status, found.response.header("content-type"), found.response.body


def lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def events(*values: Any) -> bytes:
    return b"".join(f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode() for value in values)


def message_of(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json["choices"][0]["message"]
    return found


# Bedrock

NOVA = "us.amazon.nova-micro-v1:0"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_signed_request_is_signed_for_what_is_sent(
    gateway: Gateway, provider: Provider, streamed: bool
) -> None:
    target = f"/model/us.amazon.nova-micro-v1%3A0/converse{'-stream' if streamed else ''}"
    provider.will(target, as_recorded("bedrock/stream_short" if streamed else "bedrock/text"))
    before = int(time.time())
    answer = gateway.chat(f"signed/{NOVA}", stream=streamed, max_tokens=50)
    assert answer.status == 200, answer.body
    assert answer.headers["x-wicket-upstream-request-id"] == "aws-0001"
    ((path, headers, body),) = provider.seen
    moment = calendar.timegm(time.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ"))
    assert before - 1 <= moment <= time.time() + 1
    signed = {"host": headers["host"], "content-type": headers["content-type"]}
    expected = dict(signed_headers("POST", path, signed, provider.bodies[0], KEYS, moment))
    assert {name: headers[name] for name in expected} == expected
    assert body["inferenceConfig"] == {"maxTokens": 50}
    wanted = "application/vnd.amazon.eventstream" if streamed else "application/json"
    assert headers["accept"] == wanted


def test_bedrock_answers_with_text_and_counts(gateway: Gateway, provider: Provider) -> None:
    provider.will("/model/us.amazon.nova-micro-v1%3A0/converse", as_recorded("bedrock/text"))
    answer = gateway.chat(f"bedrock/{NOVA}")
    said = json.loads(recorded("bedrock/text").response.body)
    assert message_of(answer)["content"] == said["output"]["message"]["content"][0]["text"]
    assert answer.json["usage"]["prompt_tokens"] == said["usage"]["inputTokens"]
    assert answer.json["model"] == f"bedrock/{NOVA}"
    assert provider.seen[0][1]["authorization"] == "Bearer bedrock-key"


def test_bedrock_streams_tool_calls_and_takes_their_results(gateway: Gateway, provider: Provider) -> None:
    model = json.loads(json.dumps(recorded("bedrock/stream_tools").path)).split("/")[2]
    target = f"/model/{model.replace(':', '%3A')}/converse-stream"
    provider.will(target, as_recorded("bedrock/stream_tools"), as_recorded("bedrock/stream_short"))
    first = gateway.chat(
        f"bedrock/{model}", stream=True, tools=[TOOL], stream_options={"include_usage": True}
    )
    calls: dict[int, dict[str, Any]] = {}
    for chunk in first.chunks:
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls") or ():
                known = calls.setdefault(call["index"], {"id": call.get("id"), "name": "", "arguments": ""})
                known["name"] += call["function"].get("name") or ""
                known["arguments"] += call["function"].get("arguments") or ""
    assert calls and all(json.loads(call["arguments"] or "{}") is not None for call in calls.values())
    assert first.chunks[-1]["usage"]["prompt_tokens"] > 0
    reasons = [c["finish_reason"] for chunk in first.chunks for c in chunk["choices"] if c["finish_reason"]]
    assert reasons == ["tool_calls"]
    made = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
        }
        for call in calls.values()
    ]
    turns = [*ASK, {"role": "assistant", "content": None, "tool_calls": made}]
    turns += [{"role": "tool", "tool_call_id": call["id"], "content": "21"} for call in made]
    second = gateway.chat(f"bedrock/{model}", stream=True, messages=turns)
    assert second.text
    body = provider.seen[1][2]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    results = [block["toolResult"]["toolUseId"] for block in body["messages"][2]["content"]]
    assert results == [call["id"] for call in made] and body["toolConfig"]["tools"]  # the history needs it


def test_bedrock_s_errors_come_as_openai_s(gateway: Gateway, provider: Provider) -> None:
    target = "/model/nope/converse"
    provider.will(target, as_recorded("bedrock/error_model"))
    answer = gateway.chat("bedrock/nope")
    assert answer.status == 404 and answer.error["code"] == "model_not_found"
    assert answer.headers["x-wicket-upstream-request-id"] == "aws-0001"
    begun = framed("messageStart", {"role": "assistant"})
    begun += framed("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "a"}})
    thrown = framed("throttlingException", {"message": "Too many requests"}, kind="exception")
    kind = "application/vnd.amazon.eventstream"
    provider.will(f"{target}-stream", (200, kind, begun + thrown))
    answer = gateway.chat("bedrock/nope", stream=True)
    assert b'"error"' in answer.body and b"Too many requests" in answer.body
    assert b'"finish_reason":"stop"' not in answer.body


def test_a_damaged_stream_is_never_a_normal_stop(gateway: Gateway, provider: Provider) -> None:
    status, kind, data = as_recorded("bedrock/stream_short")
    broken = bytearray(data)
    broken[len(data) // 2] ^= 1
    provider.will("/model/m/converse-stream", (status, kind, bytes(broken)))
    answer = gateway.chat("bedrock/m", stream=True)
    assert answer.status == 502 or b'"error"' in answer.body
    assert b'"finish_reason":"stop"' not in answer.body


# Cohere

USAGE = {"billed_units": {"input_tokens": 5, "output_tokens": 7}, "tokens": {"input_tokens": 90}}


def cohere_stream(*middle: Any, reason: str = "COMPLETE") -> Reply:
    end = {"type": "message-end", "delta": {"finish_reason": reason, "usage": USAGE}}
    start = {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}}
    return 200, "text/event-stream", events(start, *middle, end)


def content(kind: str, **said: Any) -> dict[str, Any]:
    return {"type": kind, "index": 0, "delta": {"message": {"content": said}}}


def test_cohere_over_turns(gateway: Gateway, provider: Provider) -> None:
    provider.will("/v2/chat", as_recorded("cohere/tools_turns", 0), as_recorded("cohere/tools_turns", 1))
    first = gateway.chat("cohere/command-r-plus", tools=[TOOL], tool_choice="required", top_p=0.5, top_k=3)
    said = json.loads(recorded("cohere/tools_turns").response.body)
    message = message_of(first)
    assert first.json["choices"][0]["finish_reason"] == "tool_calls"
    assert [one["id"] for one in message["tool_calls"]] == [
        one["id"] for one in said["message"]["tool_calls"]
    ]
    assert message["reasoning_content"] == said["message"]["tool_plan"]
    assert first.json["usage"]["prompt_tokens"] == said["usage"]["billed_units"]["input_tokens"]
    _, headers, body = provider.seen[0]
    assert headers["authorization"] == "Bearer cohere-key" and body["tool_choice"] == "REQUIRED"
    assert (body["p"], body["k"], body["model"]) == (0.5, 3, "command-r-plus")
    results = [{"role": "tool", "tool_call_id": one["id"], "content": "30"} for one in message["tool_calls"]]
    second = gateway.chat("cohere/command-r-plus", tools=[TOOL], messages=[*ASK, message, *results])
    assert second.status == 200
    assert provider.seen[1][2]["messages"][1]["tool_plan"] == said["message"]["tool_plan"]


def test_cohere_streams(gateway: Gateway, provider: Provider) -> None:
    start = content("content-start", type="text", text="")
    pieces = [start, *[content("content-delta", text=text) for text in ("Gr", "üß", "e")]]
    provider.will("/v2/chat", cohere_stream(*pieces, {"type": "content-end", "index": 0}))
    answer = gateway.chat("cohere/command-a", stream=True, stream_options={"include_usage": True})
    assert answer.text == "Grüße" and answer.chunks[-1]["usage"]["completion_tokens"] == 7
    provider.will("/v2/chat", cohere_stream(*pieces, reason="ERROR"))
    answer = gateway.chat("cohere/command-a", stream=True)
    assert b'"error"' in answer.body and b'"finish_reason":"stop"' not in answer.body


def test_cohere_s_embeddings_go_by_its_compatibility_api(gateway: Gateway, provider: Provider) -> None:
    found = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "model": "e",
    }
    provider.will("/compatibility/v1/embeddings", (200, "application/json", json.dumps(found).encode()))
    answer = gateway.post("/v1/embeddings", {"model": "cohere/embed-v4.0", "input": ["a"]})
    assert answer.status == 200 and answer.json["data"] == found["data"]
    assert provider.seen[0][2] == {"model": "embed-v4.0", "input": ["a"]}


def test_cohere_s_refusal_is_told(gateway: Gateway, provider: Provider) -> None:
    provider.will("/v2/chat", (498, "application/json", b'{"message":"blocked output"}'))
    answer = gateway.chat("cohere/command-a")
    assert answer.error["code"] == "content_filter" and answer.error["message"] == "blocked output"


# Ollama

SAID = {"model": "qwen3", "created_at": "2026-11-01T10:00:00.123456789Z"}
DONE = {**SAID, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop",
        "prompt_eval_count": 26, "eval_count": 8}  # fmt: skip


def piece(**message: Any) -> dict[str, Any]:
    return {**SAID, "message": {"role": "assistant", "content": "", **message}, "done": False}


def test_ollama_over_turns(gateway: Gateway, provider: Provider) -> None:
    call = {"function": {"name": "get_temperature", "arguments": {"city": "Oslo"}}}
    whole = {
        **DONE,
        "message": {"role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [call, call]},
    }
    stream = lines(piece(thinking="So"), piece(content="30 "), piece(content="°C"), DONE)
    provider.will("/api/chat", (200, "application/json", lines(whole)), (200, "application/x-ndjson", stream))
    first = gateway.chat("ollama/qwen3", tools=[TOOL], temperature=0.5, max_tokens=9, reasoning_effort="low")
    message = message_of(first)
    ids = [one["id"] for one in message["tool_calls"]]
    assert len(set(ids)) == 2 and message["reasoning_content"] == "Hm."
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"city": "Oslo"}
    body = provider.seen[0][2]
    assert body["options"] == {"num_predict": 9, "temperature": 0.5} and body["think"] == "low"
    assert body["stream"] is False and body["truncate"] is False
    results = [{"role": "tool", "tool_call_id": id, "content": "30"} for id in ids]
    second = gateway.chat(
        "ollama/qwen3",
        stream=True,
        messages=[*ASK, message, *results],
        stream_options={"include_usage": True},
    )
    assert second.text == "30 °C" and second.chunks[-1]["usage"]["prompt_tokens"] == 26
    sent = provider.seen[1][2]["messages"]
    assert sent[1]["tool_calls"][0]["function"]["arguments"] == {"city": "Oslo"}
    assert [one.get("tool_name") for one in sent] == [None, None, "get_temperature", "get_temperature"]


def test_ollama_s_errors(gateway: Gateway, provider: Provider) -> None:
    provider.will("/api/chat", (404, "application/json", b'{"error":"model \'x\' not found"}'))
    assert gateway.chat("ollama/x").error["code"] == "model_not_found"
    stream = lines(piece(content="a"), {"error": "the runner stopped"})
    provider.will("/api/chat", (200, "application/x-ndjson", stream))
    answer = gateway.chat("ollama/x", stream=True)
    assert b"the runner stopped" in answer.body and b'"finish_reason":"stop"' not in answer.body
    provider.will("/api/chat", (200, "application/x-ndjson", lines(piece(content="a"))))
    answer = gateway.chat("ollama/x", stream=True)
    assert b'"error"' in answer.body and b'"finish_reason":"stop"' not in answer.body
