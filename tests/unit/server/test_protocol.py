"""The inference protocol fed byte by byte, with an upstream that answers when told."""

from __future__ import annotations

import json

import pytest

from tests.unit.server.wire_client import KEY, protocol, records, upstreams
from wicket.errors import UpstreamBroken

BODY = b'{"model":"a","messages":[{"role":"user","content":"x"}]}'
ANSWER = (
    b'{"model":"m","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
)


def request(*lines: bytes, body: bytes = BODY, path: bytes = b"/v1/chat/completions") -> bytes:
    head = [b"POST " + path + b" HTTP/1.1", b"host: x", b"authorization: Bearer " + KEY, *lines]
    return b"\r\n".join([*head, b"content-length: %d" % len(body), b"", b""]) + body


def error(data: bytes) -> tuple[int, str]:
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head[9:12]), json.loads(body)["error"]["code"]


def test_a_request_in_single_bytes_is_answered_once_and_recorded() -> None:
    made, transport = protocol()
    for byte in request():
        assert upstreams(made).exchanges == []
        made.data_received(bytes([byte]))
    [exchange] = upstreams(made).exchanges
    assert exchange.request.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: up\r\n")
    exchange.answer(ANSWER)
    assert len(transport.writes) == 1 and transport.writes[0].endswith(ANSWER)
    [record] = records(made.serving.gate)
    assert (record.outcome, record.usage.output_tokens, record.key_id) == ("ok", 2, 1)
    assert not made.serving.gate.active


def test_a_kept_connection_takes_the_next_request() -> None:
    made, transport = protocol()
    for _ in range(3):
        made.data_received(request())
        upstreams(made).exchanges[-1].answer(ANSWER)
    assert len(transport.writes) == 3 and not transport.is_closing()
    assert len({record.id for record in records(made.serving.gate)}) == 3


def test_leaving_cancels_and_records() -> None:
    made, _ = protocol()
    made.data_received(request())
    made.connection_lost(None)
    [exchange] = upstreams(made).exchanges
    assert exchange.is_cancelled and [r.outcome for r in records(made.serving.gate)] == ["client_gone"]
    exchange.sink.on_data(b"late")  # concerns nobody


def test_a_failure_is_an_answer() -> None:
    made, transport = protocol()
    made.data_received(request())
    upstreams(made).exchanges[0].fail(UpstreamBroken("malformed", "Odd."))
    assert error(transport.writes[0]) == (502, "malformed")
    assert records(made.serving.gate)[0].outcome == "malformed"


def test_a_slow_reader_pauses_whoever_answers() -> None:
    made, _ = protocol()
    streamed = BODY[:-1] + b',"stream":true}'
    made.data_received(request(body=streamed))
    [exchange] = upstreams(made).exchanges
    exchange.sink.on_headers(200, [(b"content-type", b"text/event-stream")])
    exchange.sink.on_data(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
    made.pause_writing()
    assert exchange.is_paused
    made.resume_writing()
    assert not exchange.is_paused


def test_a_pause_before_the_first_frame_counts_from_it() -> None:
    made, _ = protocol()
    made.data_received(request(body=BODY[:-1] + b',"stream":true}'))
    [exchange] = upstreams(made).exchanges
    made.pause_writing()
    exchange.sink.on_headers(200, [(b"content-type", b"text/event-stream")])
    exchange.sink.on_data(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
    assert exchange.is_paused


def test_a_pipelined_request_is_not_read_and_the_connection_ends_after_the_answer() -> None:
    made, transport = protocol()
    made.data_received(request() + request())
    [exchange] = upstreams(made).exchanges
    exchange.answer(ANSWER)
    assert b"connection: close" in transport.writes[0] and len(transport.writes) == 1
    assert transport.has_ended and len(upstreams(made).exchanges) == 1


@pytest.mark.parametrize(
    ("lines", "status", "code"),
    [
        ([b"x: " + b"a" * 3_000], 431, "headers_too_large"),
        ([b"x%d: a" % i for i in range(30)], 431, "too_many_headers"),
        ([b"authorization: Bearer twice"], 400, "repeated_header"),
        ([b"content-length: 1"], 400, "invalid_http"),
        ([b"transfer-encoding: chunked"], 400, "invalid_http"),
    ],
)
def test_a_head_beyond_the_bounds_is_refused_and_our_side_ends(
    lines: list[bytes], status: int, code: str
) -> None:
    made, transport = protocol(max_headers=20, max_header_bytes=2_048)
    made.data_received(request(*lines))
    assert error(transport.writes[0]) == (status, code)
    made.data_received(request())
    assert len(transport.writes) == 1 and transport.has_ended and upstreams(made).exchanges == []


def test_who_was_refused_and_stays_is_closed_soon() -> None:
    made, transport = protocol()
    made.data_received(b"nonsense\r\n\r\n")
    assert transport.has_ended and not transport.is_closing()
    made.check_time(made.reading_since + 1)
    assert not transport.is_closing()
    made.check_time(made.reading_since + 3)
    assert transport.is_closing()


def test_the_time_for_a_head_counts_from_its_beginning() -> None:
    made, transport = protocol(header_s=10)
    made.data_received(b"POST /v1/chat/completions HTTP/1.1\r\n")
    began = made.reading_since
    made.check_time(began + 9)
    made.data_received(b"x: y\r\n")
    assert transport.writes == [] and made.reading_since == began
    made.check_time(began + 11)
    assert error(transport.writes[0]) == (408, "request_timeout")


def test_the_time_for_a_body_grows_with_what_has_come() -> None:
    made, transport = protocol(body_s=10)
    body = BODY[:-1] + b',"user":"' + b"u" * 1_000_000 + b'"}'
    data = request(body=body)
    made.data_received(data[:500_000])
    began = made.reading_since
    made.check_time(began + 30)  # 10 s and 1 s for each 16 KiB
    assert transport.writes == []
    made.check_time(began + 50)
    assert error(transport.writes[0]) == (408, "request_timeout")


def test_an_idle_connection_is_closed_after_its_time_and_a_silent_one_at_once() -> None:
    made, transport = protocol(keep_alive_s=20)
    made.data_received(request())
    made.check_time(made.started_us / 1e6 + 10_000)  # busy: no limit of ours
    upstreams(made).exchanges[0].answer(ANSWER)
    made.check_time(made.idle_since + 19)
    assert not transport.is_closing()
    made.check_time(made.idle_since + 21)
    assert transport.is_closing() and len(transport.writes) == 1
    silent, other = protocol(header_s=10)
    silent.check_time(silent.reading_since + 11)
    assert other.is_closing() and other.writes == []


@pytest.mark.parametrize("size", [2_000, 2_001])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_at_its_routes_bound(size: int, is_chunked: bool) -> None:
    made, transport = protocol(body={"chat.completions": 2_000})
    body = BODY[:-1] + b',"user":"'
    body += b"u" * (size - len(body) - 2) + b'"}'
    if is_chunked:
        head = request(b"transfer-encoding: chunked", body=b"").replace(b"content-length: 0\r\n", b"")
        made.data_received(head + b"%x\r\n%b\r\n0\r\n\r\n" % (size, body))
    else:
        made.data_received(request(body=body))
    if size == 2_000:
        assert len(upstreams(made).exchanges) == 1
    else:
        assert error(transport.writes[0]) == (413, "body_too_large")


def test_a_draining_connection_finishes_its_answer_and_ends() -> None:
    made, transport = protocol()
    made.data_received(request())
    made.shutdown()
    assert not transport.is_closing()
    upstreams(made).exchanges[0].answer(ANSWER)
    assert b"connection: close" in transport.writes[0] and transport.is_closing()


def test_cors_is_there_for_named_origins_only() -> None:
    made, transport = protocol()
    made.serving.cors = frozenset({b"https://a.example"})
    for origin, is_named in [(b"https://a.example", True), (b"https://b.example", False)]:
        made.data_received(request(b"origin: " + origin))
        upstreams(made).exchanges[-1].answer(ANSWER)
        assert (b"access-control-allow-origin: " + origin in transport.writes[-1]) is is_named


def test_a_mistake_of_our_own_is_answered_recorded_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    made, transport = protocol()
    upstreams(made).is_broken = True
    made.data_received(request())
    assert error(transport.writes[0]) == (500, "internal_error")
    [record] = records(made.serving.gate)
    assert (record.status, record.outcome) == (500, "internal_error") and not made.serving.gate.active
    assert (
        "failed inside" in caplog.text and KEY.decode() not in caplog.text and '"content"' not in caplog.text
    )
    upstreams(made).is_broken = False
    made.data_received(request())  # the connection serves on
    upstreams(made).exchanges[0].answer(ANSWER)
    assert transport.writes[1].endswith(ANSWER)
