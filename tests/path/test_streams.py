"""Streams over a real server: whole frames, usage as asked for, ends and cuts, slow and lost clients."""

import json
import random
import socket
from decimal import Decimal
from typing import Any

import pytest

from tests.path.house import (
    HELLO,
    MINE,
    STOP,
    USAGE,
    Gateway,
    Provider,
    delta,
    drain,
    rule,
    sse,
    stream_rule,
)
from tests.path.served import eventually

GOOD = sse(delta("Hel"), delta("lo"), STOP, USAGE, b"[DONE]")
ASKED = {"stream": True, "stream_options": {"include_usage": True}}


def test_a_stream_arrives_as_it_was_sent(gateway: Gateway, provider: Provider) -> None:
    odd = b'{"id" : "c","choices":[{"delta":{"content":"caf\\u00e9","new":[1.0]}}],"system_fingerprint":null}'
    provider.script(stream_rule(sse(odd, STOP, b"[DONE]")))
    answer = gateway.chat(stream=True)
    assert answer.frames == [odd, STOP, b"[DONE]"]
    assert answer.headers["x-wicket-deployment"] == "mine/plain"


def test_usage_is_asked_for_and_kept_from_a_client_that_did_not_ask(
    gateway: Gateway, provider: Provider
) -> None:
    answer = gateway.chat(stream=True)
    assert provider.last.fields["stream_options"] == {"include_usage": True}
    assert answer.text == "Paris is the capital of France."
    assert not [chunk for chunk in answer.chunks if "usage" in chunk]
    record = gateway.record(answer.headers["x-request-id"])
    assert (record["input_tokens"], record["output_tokens"]) == (2, 6)
    assert record["is_stream"] and not record["is_estimated"] and record["first_token_ms"] > 0


def test_other_stream_options_are_kept(gateway: Gateway, provider: Provider) -> None:
    gateway.chat(stream=True, stream_options={"include_obfuscation": False})
    options = provider.last.fields["stream_options"]
    assert options == {"include_obfuscation": False, "include_usage": True}


def test_the_usage_frame_holds_the_cost(gateway: Gateway, provider: Provider) -> None:
    answer = gateway.chat(**ASKED)
    *_, last = answer.chunks
    assert last["choices"] == [] and last["usage"]["completion_tokens"] == 6
    assert Decimal(str(last["usage"]["cost"])) == Decimal("0.00001")  # 2 x 0.5 + 6 x 1.5, per million
    assert gateway.record(answer.headers["x-request-id"])["charge_usd"] == last["usage"]["cost"]
    assert sum("usage" in chunk for chunk in answer.chunks) == 1


def test_usage_that_does_not_come_is_estimated_in_the_frame(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(usage=False))
    *_, last = gateway.chat(**ASKED).chunks
    assert last["usage"]["is_estimated"] is True and last["usage"]["completion_tokens"] == 6
    assert last["object"] == "chat.completion.chunk" and last["choices"] == []


def test_usage_in_the_finishing_chunk_counts(gateway: Gateway, provider: Provider) -> None:
    usage = {"prompt_tokens": 70, "completion_tokens": 50}
    stop = json.dumps({**json.loads(STOP), "usage": usage}).encode()
    provider.script(stream_rule(sse(delta("x"), stop, b"[DONE]")))
    answer = gateway.chat(stream=True)
    record = gateway.record(answer.headers["x-request-id"])
    assert (record["input_tokens"], record["output_tokens"], record["is_estimated"]) == (70, 50, False)


def test_completions_stream_too(gateway: Gateway) -> None:
    body = {"model": "mine/plain", "prompt": "x", "stream": True}
    assert gateway.post("/v1/completions", body).text == "Paris is the capital of France."


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
@pytest.mark.parametrize("split", [{"split_every": 1}, {"split_seed": 7}, {}])
def test_any_line_end_and_any_split_give_the_same_frames(
    gateway: Gateway, provider: Provider, end: bytes, split: dict[str, Any]
) -> None:
    frames = [delta("caf\u00e9 \u2615"), delta("lo"), STOP, USAGE, b"[DONE]"]
    comment = b": keep\xc3\xa9" + end + b"event: x" + end[: len(end) // 2] + b"id: 3" + end
    body = "\ufeff" + comment.decode() + sse(*frames, end=end)
    provider.script(stream_rule(body, **split))
    answer = gateway.chat(stream=True)
    assert answer.frames == [frames[0], frames[1], STOP, b"[DONE]"]


def test_random_splits_of_many_frames_lose_nothing(gateway: Gateway, provider: Provider) -> None:
    draw = random.Random(11)
    words = [
        "".join(draw.choices("abc \u00e9\u2615\U0001f600\n\r", k=draw.randint(1, 9))) for _ in range(120)
    ]
    body = sse(*map(delta, words), STOP, b"[DONE]")
    for seed in range(8):
        provider.script(stream_rule(body, split_seed=seed))
        assert gateway.chat(stream=True).text == "".join(words)


def test_a_data_field_over_several_lines_is_one_frame(gateway: Gateway, provider: Provider) -> None:
    body = 'data: {"id":"c","choices":\ndata:[{"index":0,"delta":{"content":"two"}}]}\n\n'
    provider.script(stream_rule(body + sse(STOP, b"[DONE]")))
    assert b'"two"' in gateway.chat(stream=True).body


@pytest.mark.parametrize("done", [True, False])
def test_a_finish_reason_is_an_end_with_or_without_done(
    gateway: Gateway, provider: Provider, done: bool
) -> None:
    provider.script(rule(done=done))
    answer = gateway.chat(stream=True)
    assert answer.frames[-1] == b"[DONE]" and answer.text == "Paris is the capital of France."
    assert gateway.record(answer.headers["x-request-id"])["outcome"] == "ok"


def test_an_upstream_that_never_closes_after_its_finish_reason_is_not_waited_for(
    gateway: Gateway, provider: Provider
) -> None:
    provider.script(stream_rule(sse(delta("x"), STOP), content_length_off=10))
    assert gateway.chat(stream=True).text == "x"


def test_a_last_frame_without_its_blank_line_counts(gateway: Gateway, provider: Provider) -> None:
    provider.script(stream_rule(sse(delta("x"), STOP) + "data: [DONE]"))
    assert gateway.chat(stream=True).text == "x"


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        ({"cut_after": 3}, "cut"),
        ({"cut_after": 3, "rst": True}, "cut"),
        ({"error_frame_after": 3}, "provider_error"),
        ({"malformed_frame": 4}, "malformed"),
    ],
)
def test_a_stream_that_breaks_says_so_in_band(
    gateway: Gateway, provider: Provider, actions: dict[str, Any], code: str
) -> None:
    provider.script(rule(gap_ms=20, **actions))
    answer = gateway.chat(stream=True)
    assert answer.status == 200 and b"[DONE]" not in answer.body
    *frames, last = answer.frames
    assert json.loads(last)["error"]["code"] == code
    said = [json.loads(frame)["choices"][0]["delta"].get("content", "") for frame in frames]
    assert "".join(said).startswith("Paris is") and all(b"error" not in frame for frame in frames)
    record = gateway.record(answer.headers["x-request-id"])
    assert record["outcome"] == code and record["is_estimated"] and record["output_tokens"] >= 2


def test_a_provider_that_falls_silent_is_given_up(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(stall_after=2))
    answer = gateway.chat("brief", stream=True)
    assert json.loads(answer.frames[-1])["error"]["code"] == "gap_timeout"
    provider.until(lambda log: log[-1].client_gone)


def test_a_provider_that_drips_for_ever_meets_the_total_limit(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(gap_ms=100, text="x " * 1_000))
    answer = gateway.chat("brief", stream=True)
    assert json.loads(answer.frames[-1])["error"]["code"] == "total_timeout"


def test_an_answer_that_is_not_streamed_although_asked_is_an_error(
    gateway: Gateway, provider: Provider
) -> None:
    provider.script(rule(body={"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}))
    answer = gateway.chat(stream=True)
    assert (answer.status, answer.error["code"]) == (502, "malformed")


def test_tool_calls_and_reasoning_are_output(gateway: Gateway, provider: Provider) -> None:
    provider.script(
        rule(tool_calls=[{"name": "weather", "arguments": '{"city": "Paris"}'}], reasoning="Let me see.")
    )
    answer = gateway.chat(stream=True)
    deltas = [choice["delta"] for chunk in answer.chunks for choice in chunk["choices"]]
    calls = [call for found in deltas for call in found.get("tool_calls", [])]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city": "Paris"}'
    assert "".join(found.get("reasoning_content", "") for found in deltas) == "Let me see."
    record = gateway.record(answer.headers["x-request-id"])
    assert record["outcome"] == "ok" and record["first_token_ms"] > 0


def test_a_client_that_leaves_ends_the_upstream_and_pays_for_what_came(
    gateway: Gateway, provider: Provider
) -> None:
    provider.script(rule(stall_after=5))
    body = json.dumps({"model": "mine/plain", "messages": HELLO, "stream": True}).encode()
    with gateway.next_record("client_gone") as record:
        with gateway.dial() as connection:
            connection.sendall(gateway.head(body, f"content-length: {len(body)}"))
            got = b""
            while b" of" not in got:
                got += connection.recv(65_536)
        provider.until(lambda log: log[-1].client_gone)
    assert (record["outcome"], record["status"]) == ("client_gone", 200)
    assert record["is_estimated"] and record["output_tokens"] == 5 and record["cost_usd"] > 0
    assert record["attempts"][0]["reason"] == "client_gone"


def test_a_client_that_leaves_before_the_first_token_ends_the_upstream(
    gateway: Gateway, provider: Provider
) -> None:
    provider.script(rule(silent=True))
    body = json.dumps({"model": "mine/plain", "messages": HELLO}).encode()
    with gateway.next_record("client_gone") as record:
        with gateway.dial() as connection:
            connection.sendall(gateway.head(body, f"content-length: {len(body)}"))
            provider.until(bool)
        provider.until(lambda log: log[-1].client_gone)
    assert (record["outcome"], record["status"]) == ("client_gone", 499)


def test_half_closing_counts_as_leaving(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(silent=True))
    body = json.dumps({"model": "mine/plain", "messages": HELLO}).encode()
    with gateway.dial() as connection:
        connection.sendall(gateway.head(body, f"content-length: {len(body)}"))
        provider.until(bool)
        connection.shutdown(socket.SHUT_WR)
        assert drain(connection) == b""
    provider.until(lambda log: log[-1].client_gone)


def test_a_stream_outlives_the_limit_on_idle_connections(open_gateway: Any, provider: Provider) -> None:
    served = open_gateway("[server]\nport = 0\nkeep_alive_s = 1\n" + MINE)
    provider.script(rule(gap_ms=500))
    body = json.dumps({"model": "mine/plain", "messages": HELLO, "stream": True}).encode()
    with served.dial() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b" 200 " in connection.recv(65_536)
        connection.sendall(served.head(body, f"content-length: {len(body)}"))
        got = b""
        while not got.endswith(b"0\r\n\r\n"):
            data = connection.recv(65_536)
            assert data, got
            got += data
    assert b"[DONE]" in got


def test_a_client_that_does_not_read_bounds_what_is_read_for_it(open_gateway: Any) -> None:
    """The bound: the stream buffer, one read beyond it, and what the kernel holds in its sockets."""
    buffer, kernel = 65_536, 12 * 1024 * 1024
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        served = open_gateway(
            f"[server]\nport = 0\nstream_buffer_bytes = {buffer}\n" + MINE.replace("{url}", url)
        )
        [pid] = served.worker_pids()
        before = resident_bytes(pid)
        body = json.dumps({"model": "mine/plain", "messages": HELLO, "stream": True}).encode()
        with served.dial() as client:
            client.sendall(served.head(body, f"content-length: {len(body)}"))
            upstream, _ = listener.accept()
            with upstream:
                upstream.recv(65_536)
                upstream.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
                sent = flood(upstream, 256 * 1024 * 1024)
                assert buffer < sent < kernel
                assert resident_bytes(pid) - before < kernel
                assert served.request("GET", "/healthz").status == 200  # nobody else waits
                got = 0
                while got < sent:  # it reads again: everything is there
                    got += len(client.recv(1 << 20))
                assert flood(upstream, 1024) > 0
                client.close()
                assert drain(upstream) == b""  # our side of it is closed as well
        eventually(lambda: served.newest().get("outcome") == "client_gone")


def flood(connection: socket.socket, limit: int) -> int:
    """Send frames until the other side takes no more for half a second; the bytes it took."""
    frame = b"data: " + delta("y" * 16_000) + b"\n\n"
    sent = 0
    connection.settimeout(0.5)
    while sent < limit:
        try:
            sent += connection.send(frame[sent % len(frame) :])
        except TimeoutError:
            break
    return sent


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4_096


def test_two_choices_end_when_both_have(gateway: Gateway, provider: Provider) -> None:
    def choice(index: int, text: str, reason: str | None = None) -> bytes:
        found = {"index": index, "delta": {"content": text} if text else {}, "finish_reason": reason}
        return json.dumps({"id": "c", "model": "up", "choices": [found]}).encode()

    frames = [choice(0, "one"), choice(0, "", "stop"), choice(1, "two"), choice(1, "", "stop"), b"[DONE]"]
    body = sse(*frames)
    # Cut in three, with more than a second of silence after the first choice's end.
    provider.script(stream_rule(body, split_every=-(-len(body) // 3), piece_gap_ms=1_300))
    answer = gateway.chat(stream=True, n=2)
    assert answer.frames == frames


@pytest.mark.parametrize("n", [2, 3])
def test_choices_that_end_in_one_frame_all_count(gateway: Gateway, provider: Provider, n: int) -> None:
    ends = [{"index": i, "delta": {}, "finish_reason": "stop"} for i in range(n)]
    last = json.dumps({"id": "c", "model": "up", "choices": ends}).encode()
    provider.script(stream_rule(sse(delta("x"), last)))  # neither usage nor [DONE]
    answer = gateway.chat(stream=True, n=n)
    assert answer.frames[-1] == b"[DONE]"
