"""Bounds on what one connection may use: sizes, counts and times, each with its answer."""

import json
import os
import resource
import socket
from typing import Any

import pytest

from tests.path.house import HELLO, Answer, Gateway, Provider, answers, drain
from tests.path.served import eventually

SMALL = 65_536  # the limit of completions and embeddings in the shared configuration
CHAT = 4 * 1024 * 1024


def body_of(size: int, path: str) -> bytes:
    """A good body of exactly `size` bytes."""
    start = {"model": "mine/plain"}
    start |= {"messages": HELLO} if "chat" in path else {"prompt": "x", "input": "x"}  # type: ignore[dict-item]
    text = json.dumps(start)[:-1] + ', "user": "'
    return (text + "u" * (size - len(text) - 2) + '"}').encode()


def parsed(data: bytes) -> Answer:
    """The single answer in what a connection brought."""
    assert len(answers(data)) == 1, data[:200]
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    return Answer(answers(data)[0], {name: value for name, _, value in lines}, body)


@pytest.mark.parametrize(
    ("path", "limit"), [("/v1/chat/completions", CHAT), ("/v1/completions", SMALL), ("/v1/embeddings", SMALL)]
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_may_be_as_large_as_its_route_takes_and_no_larger(
    gateway: Gateway, provider: Provider, path: str, limit: int, is_chunked: bool
) -> None:
    for size, status in [(limit, 200), (limit + 1, 413)]:
        body = body_of(size, path)
        if is_chunked:
            pieces = [body[i : i + 50_000] for i in range(0, len(body), 50_000)]
            data = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
            line = "transfer-encoding: chunked"
        else:
            data, line = body, f"content-length: {size}"
        answer = parsed(gateway.raw(gateway.head(data, line, "connection: close", path=path)))
        assert answer.status == status
        assert status == 200 or (answer.error["code"], answer.error["type"]) == (
            "body_too_large", "invalid_request_error",
        )  # fmt: skip
        if status == 413:
            assert f"{limit:,}" in answer.error["message"] and answer.headers["connection"] == "close"
    assert len(provider.log) == 1


def test_a_body_that_is_far_too_large_is_refused_unread_and_the_answer_arrives(gateway: Gateway) -> None:
    with gateway.dial() as connection:
        connection.sendall(gateway.head(b"", f"content-length: {10**15}"))
        connection.sendall(b"x" * 1_000_000)  # what a client sends before it looks
        answer = parsed(drain(connection))
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")


def test_a_client_that_asks_first_need_not_send_the_body(gateway: Gateway) -> None:
    with gateway.dial() as connection:
        connection.sendall(gateway.head(b"", f"content-length: {10**9}", "expect: 100-continue"))
        assert answers(drain(connection)) == [413]


def test_the_administrations_bodies_are_bounded_too(gateway: Gateway) -> None:
    answer = gateway.request("POST", "/admin/v1/keys", b"x" * (2 << 20))
    assert answer.status in (400, 413) and answer.error["code"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models"])
@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([f"x-{i}: {i}" for i in range(10_000)], "headers_too_large"),
        ([f"x{i}: " for i in range(70)], "too_many_headers"),
        (["x-one: " + "a" * 100_000], "headers_too_large"),
        (["x" * 20_000 + ": a"], "headers_too_large"),
    ],
)
def test_heads_are_bounded_by_count_and_size(
    gateway: Gateway, path: str, lines: list[str], code: str
) -> None:
    answer = parsed(gateway.raw(gateway.head(b"", *lines, "content-length: 0", path=path)))
    assert (answer.status, answer.error["code"]) == (431, code)


def test_a_head_in_many_small_pieces_is_bounded_as_well(gateway: Gateway) -> None:
    with gateway.dial() as connection:
        connection.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n")
        try:
            for i in range(100_000):
                connection.sendall(b"x-%d: a\r\n" % i)
        except (BrokenPipeError, ConnectionResetError):
            pass
        data = drain(connection)
    assert answers(data) in ([431], [])  # a client that never stops writing may lose the answer


def test_a_head_that_trickles_is_cut_off(gateway: Gateway) -> None:
    with gateway.dial() as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
        answer = parsed(drain(connection))
    assert (answer.status, answer.error["code"]) == (408, "request_timeout")
    assert "headers" in answer.error["message"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_a_body_that_stops_is_cut_off(gateway: Gateway, path: str) -> None:
    with gateway.dial() as connection:
        connection.sendall(gateway.head(b'{"model":', "content-length: 100", path=path))
        answer = parsed(drain(connection))
    assert (answer.status, answer.error["code"]) == (408, "request_timeout")
    assert "body" in answer.error["message"]


def test_a_body_that_drips_is_cut_off_although_it_never_stops(gateway: Gateway) -> None:
    with gateway.dial() as connection:
        connection.sendall(gateway.head(b"{", "content-length: 100000"))
        connection.settimeout(0.1)
        data = b""
        while not data:
            connection.sendall(b" ")
            try:
                data = connection.recv(65_536)
            except TimeoutError:
                continue
        assert answers(data) == [408]


def test_a_large_body_over_a_slow_line_is_waited_for(gateway: Gateway) -> None:
    body = body_of(CHAT, "/v1/chat/completions")
    with gateway.dial() as connection:
        connection.sendall(gateway.head(b"", f"content-length: {len(body)}", "connection: close"))
        connection.settimeout(0.15)
        for start in range(0, len(body), 300_000):  # in about two seconds, with a limit of one
            connection.sendall(body[start : start + 300_000])
            try:
                assert connection.recv(1) == b"H"
            except TimeoutError:
                continue
        connection.settimeout(10)
        assert b" 200 OK" in drain(connection)[:20]


def test_who_connects_and_says_nothing_is_let_go_silently(gateway: Gateway) -> None:
    with gateway.dial() as connection:
        assert drain(connection) == b""


def test_idle_and_slow_connections_do_not_keep_others_out(gateway: Gateway) -> None:
    held = [socket.create_connection(gateway.address) for _ in range(300)]
    try:
        for connection in held[::2]:
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n")
        assert gateway.chat().status == 200
    finally:
        for connection in held:
            connection.close()


def test_an_idle_kept_connection_is_closed_after_its_time(open_gateway: Any, provider: Provider) -> None:
    served = open_gateway(
        '[server]\nport = 0\nkeep_alive_s = 1\n[providers.mine]\nbase_url = "{url}"\napi_key = "{secret}"\n'
    )
    body = json.dumps({"model": "mine/plain", "messages": HELLO}).encode()
    for request in (
        served.head(body, f"content-length: {len(body)}"),
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    ):
        with served.dial() as connection:
            connection.sendall(request)
            assert answers(drain(connection)) == [200]


def test_more_requests_than_fit_are_told_when_to_come_back(open_gateway: Any, provider: Provider) -> None:
    from tests.path.house import rule

    served = open_gateway(
        '[server]\nport = 0\nmax_in_flight = 2\n[providers.mine]\nbase_url = "{url}"\napi_key = "{secret}"\n'
    )
    provider.script(rule("stuck", silent=True))
    body = json.dumps({"model": "mine/stuck", "messages": HELLO}).encode()
    with served.dial() as one, served.dial() as two:
        for connection in (one, two):
            connection.sendall(served.head(body, f"content-length: {len(body)}"))
        provider.until(lambda log: len(log) == 2)
        answer = served.chat()
        assert (answer.status, answer.error["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1" and answer.headers["x-should-retry"] == "true"
        assert served.request("GET", "/readyz").status in (200, 503)
    eventually(lambda: served.chat().status == 200)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux can change another process's limits")
def test_a_worker_without_file_descriptors_serves_again_when_it_has_some(open_gateway: Any) -> None:
    served = open_gateway()
    [pid] = served.worker_pids()
    few = len(os.listdir(f"/proc/{pid}/fd")) + 10
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, few))
    held = [socket.create_connection(served.address, timeout=10) for _ in range(60)]
    body = json.dumps({"model": "mine/plain", "messages": HELLO}).encode()
    held[0].sendall(served.head(body, f"content-length: {len(body)}"))
    assert answers(held[0].recv(65_536)) in ([200], [502])  # 502: nothing is left for the provider
    for connection in held:
        connection.close()
    eventually(lambda: is_served(served))
    assert served.worker_pids() == [pid] and "Traceback" not in served.heard()


def is_served(served: Gateway) -> bool:
    try:
        return served.chat().status == 200
    except ConnectionResetError:
        return False
