"""The bytes of an answer, written to a transport that keeps them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.server.wire_client import Kept, protocol
from wicket.errors import BusyFault, UpstreamBroken
from wicket.server.reply import HttpReply, StatusLines


def reply(keep_alive: bool = True, **more: Any) -> tuple[HttpReply, Kept]:
    made, transport = protocol()
    return HttpReply(made, made.serving.ingress.default, keep_alive, more.pop("cors", b""), **more), transport


def test_a_whole_answer_is_one_write_with_its_length() -> None:
    made, transport = reply()
    made.whole(200, b"x-request-id: r\r\n", b'{"a":1}')
    assert transport.writes == [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: r\r\n"
        b'content-length: 7\r\n\r\n{"a":1}'
    ]
    assert not transport.is_closing()


def test_an_answer_that_is_the_last_says_so_and_closes() -> None:
    made, transport = reply(keep_alive=False)
    made.whole(200, b"", b"{}")
    assert b"\r\nconnection: close\r\n" in transport.writes[0] and transport.is_closing()


def test_a_streams_head_goes_out_with_its_first_bytes() -> None:
    made, transport = reply()
    made.begin(b"x-request-id: r\r\n")
    assert transport.writes == []
    made.write(b"data: 1\n\n")
    made.write(b"data: 2\n\n")
    made.finish()
    head, _, first = transport.writes[0].partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head and b"x-request-id: r" in head
    assert [first, *transport.writes[1:]] == [b"9\r\ndata: 1\n\n\r\n", b"9\r\ndata: 2\n\n\r\n", b"0\r\n\r\n"]


def test_a_stream_without_a_frame_still_has_its_head() -> None:
    made, transport = reply()
    made.begin(b"")
    made.finish()
    assert len(transport.writes) == 1 and transport.writes[0].endswith(b"\r\n\r\n0\r\n\r\n")


def test_without_chunks_the_end_of_the_connection_is_the_end() -> None:
    made, transport = reply(keep_alive=False, is_chunked=False)
    made.begin(b"")
    made.write(b"data: 1\n\n")
    made.finish()
    sent = b"".join(transport.writes)
    assert b"chunked" not in sent and sent.endswith(b"\r\n\r\ndata: 1\n\n") and transport.is_closing()


def test_a_refusal_has_openais_shape_and_headers() -> None:
    made, transport = reply(cors=b"access-control-allow-origin: *\r\n")
    made.refuse(BusyFault("overloaded", "Later.", retry_after_ms=1_500), b"x-request-id: r\r\n")
    head, _, body = transport.writes[0].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 ") and b"retry-after: 2" in head and b"retry-after-ms: 1500" in head
    assert b"access-control-allow-origin: *" in head
    assert body == (
        b'{"error":{"message":"Later.","type":"rate_limit_error","param":null,"code":"overloaded"}}'
    )


def test_an_error_in_band_ends_without_done() -> None:
    made, transport = reply()
    made.begin(b"")
    made.fail_in_band(UpstreamBroken("cut", "Cut."))
    sent = b"".join(transport.writes)
    assert b'data: {"error":{"message":"Cut."' in sent and b"[DONE]" not in sent
    assert sent.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("gone", [False, True])
def test_nothing_is_written_after_the_end_or_to_who_left(gone: bool) -> None:
    made, transport = reply()
    if gone:
        transport.close()
    else:
        made.whole(200, b"", b"{}")
    before = list(transport.writes)
    made.whole(200, b"", b"{}")
    made.write(b"x")
    made.finish()
    made.fail_in_band(UpstreamBroken("cut", "Cut."))
    made.refuse(UpstreamBroken("cut", "Cut."), b"")
    assert transport.writes == before


def test_status_lines_follow_the_servers_headers() -> None:
    lines = StatusLines()
    first = [(b"date", b"one")]
    assert lines.find(200, first) == b"HTTP/1.1 200 OK\r\ndate: one\r\n" == lines.find(200, first)
    assert lines.find(404, first) == b"HTTP/1.1 404 Not Found\r\ndate: one\r\n"
    assert lines.find(200, [(b"date", b"two")]) == b"HTTP/1.1 200 OK\r\ndate: two\r\n"
