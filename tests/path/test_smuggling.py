"""Requests whose end is in doubt are refused, and no second request is ever answered as part of the first.

RFC 9112 §6.3 (message body length) and §11.2 (request smuggling).
"""

import json

import pytest

from tests.path.house import HELLO, Gateway, Provider, answers, drain, rule

BODY = json.dumps({"model": "mine/plain", "messages": HELLO}).encode()
LENGTH = f"content-length: {len(BODY)}"
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
SECOND = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        ([LENGTH, "transfer-encoding: chunked"], CHUNKED),
        (["transfer-encoding: chunked", LENGTH], CHUNKED),
        ([LENGTH, f"content-length: {len(BODY) + 1}"], BODY),
        ([LENGTH, LENGTH], BODY),
        ([f"content-length: {len(BODY)}, {len(BODY)}"], BODY),
        ([f"content-length: +{len(BODY)}"], BODY),
        ([f"content-length: -{len(BODY)}"], BODY),
        ([f"content-length: 0x{len(BODY):x}"], BODY),
        ([f"content-length: {len(BODY)} 0"], BODY),
        (["content-length: "], BODY),
        (["content-length: 99999999999999999999999999"], BODY),
        ([f"content-length : {len(BODY)}"], BODY),
        (["x-a: b", f" content-length: {len(BODY)}"], BODY),
        (["x-a: b", f"\tcontinued: {len(BODY)}", LENGTH], BODY),
        (["transfer-encoding: xchunked"], CHUNKED),
        (["transfer-encoding: chunked, identity"], CHUNKED),
        (["transfer-encoding: identity"], CHUNKED),
        (["transfer-encoding : chunked"], CHUNKED),
        (["transfer-encoding: chunked", "transfer-encoding: chunked"], CHUNKED),
        (["transfer-encoding: chunked", "transfer-encoding: x"], CHUNKED),
        (["transfer-encoding: \x0bchunked"], CHUNKED),
        (["transfer-encoding: chunked"], b"ZZ\r\n" + BODY),
        (["transfer-encoding: chunked"], b"-1\r\n" + BODY),
        (["transfer-encoding: chunked"], b"+%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
        (["transfer-encoding: chunked"], b"0x%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
        (["transfer-encoding: chunked"], b"%x\r\n%bXX0\r\n\r\n" % (len(BODY), BODY)),
        (["transfer-encoding: chunked"], b"fffffffffffffffff\r\n" + BODY),
        (["transfer-encoding: chunked"], b"%x\n%b\n0\n\n" % (len(BODY), BODY)),
        (["x\x00y: 1", LENGTH], BODY),
        (["x-a: 1\x00", LENGTH], BODY),
        (["x-a: 1\r", LENGTH], BODY),
        (["x-a: 1\rcontent-length: 3", LENGTH], BODY),
        (["no colon here", LENGTH], BODY),
        ([": nameless", LENGTH], BODY),
        (["authorization: Bearer another-key-0123456789", LENGTH], BODY),
    ],
)
def test_a_head_with_two_readings_is_refused_and_the_rest_is_not_read(
    gateway: Gateway, provider: Provider, lines: list[str], body: bytes
) -> None:
    got = gateway.raw(gateway.head(body, *lines) + SECOND)
    assert answers(got) in ([400], [501]), got[:300]
    assert json.loads(got.split(b"\r\n\r\n", 1)[1])["error"]["type"] == "invalid_request_error"
    assert b"connection: close" in got.lower() and b"\r\nx-request-id: req_" in got and provider.log == []


def test_bare_line_feeds_in_a_head_are_refused(gateway: Gateway, provider: Provider) -> None:
    head = gateway.head(b"", LENGTH).replace(b"\r\n", b"\n")
    assert answers(gateway.raw(head + BODY + SECOND)) == [400]
    one = gateway.head(b"", LENGTH).replace(b"\r\nhost: x\r\n", b"\nhost: x\r\n")
    assert answers(gateway.raw(one + BODY + SECOND)) == [400]
    assert provider.log == []


def test_a_body_on_another_route_is_not_the_next_request(gateway: Gateway, provider: Provider) -> None:
    inner = gateway.head(BODY, LENGTH)
    got = gateway.raw(
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(inner)
        + inner
    )
    assert answers(got) == [200] and provider.log == []


def test_chunk_extensions_and_trailers_are_not_the_next_request(gateway: Gateway, provider: Provider) -> None:
    body = b"%x;a=b\r\n%b\r\n0;c=d\r\nx-trailer: GET / HTTP/1.1\r\ncontent-length: 5\r\n\r\n" % (
        len(BODY),
        BODY,
    )
    got = gateway.raw(gateway.head(body, "transfer-encoding: chunked", "connection: close"))
    assert answers(got) in ([200], [400]) and len(provider.log) <= 1


def test_a_pipelined_second_request_is_left_unanswered_and_the_connection_ends(
    gateway: Gateway, provider: Provider
) -> None:
    one = gateway.head(BODY, LENGTH)
    got = gateway.raw(one + one + one)
    assert answers(got) == [200] and len(provider.log) == 1
    assert b"connection: close" in got.split(b"\r\n\r\n", 1)[0]


def test_a_pipelined_request_behind_a_stream_does_not_mix_into_it(
    gateway: Gateway, provider: Provider
) -> None:
    streamed = json.dumps({"model": "mine/plain", "messages": HELLO, "stream": True}).encode()
    got = gateway.raw(
        gateway.head(streamed, f"content-length: {len(streamed)}")
        + b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    )
    assert answers(got) == [200] and got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_every_cut_of_a_request_into_two_packets_is_the_same_request(
    gateway: Gateway, provider: Provider
) -> None:
    data = gateway.head(BODY, LENGTH, "connection: close")
    for cut in range(1, len(data), 7):
        assert answers(gateway.raw(data[:cut], data[cut:])) == [200]


@pytest.mark.parametrize(
    "garbage", [b"\x00\x01\x02", b"\xff" * 50, b"GARBAGE\r\n\r\n", b"\r\n\r\n \r\n", b"{}"]
)
def test_garbage_behind_a_running_stream_does_not_mix_into_it(
    gateway: Gateway, provider: Provider, garbage: bytes
) -> None:
    provider.script(rule(gap_ms=20))
    streamed = json.dumps({"model": "mine/plain", "messages": HELLO, "stream": True}).encode()
    with gateway.dial() as connection:
        connection.sendall(gateway.head(streamed, f"content-length: {len(streamed)}"))
        got = connection.recv(65_536)
        connection.sendall(garbage)
        got += drain(connection)
    assert answers(got) == [200] and got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
