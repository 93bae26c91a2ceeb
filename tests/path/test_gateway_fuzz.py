"""Seeded nonsense over real sockets, and many callers at once: answers are whole, in shape and one's own."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.path.house import HELLO, STOP, Gateway, Provider, answers, delta, rule, sse, stream_rule

BODY = json.dumps({"model": "mine/plain", "messages": HELLO}).encode()
PIECES = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b" ",
    b":",
    b"0",
    b"\xff",
    b"{",
    b"}",
    b'"',
    b"\t",
    b"%",
    b"?",
    b",",
]
PIECES += [
    b"content-length: 3\r\n",
    b"transfer-encoding: chunked\r\n",
    b"chunked",
    b"HTTP/1.1",
    b"POST ",
    b"-1",
]


def mutated(draw: random.Random, data: bytes) -> bytes:
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data))
        match draw.randrange(4):
            case 0:
                data = data[:at] + draw.choice(PIECES) + data[at:]
            case 1:
                data = data[:at] + data[at + draw.randint(1, 6) :]
            case 2:
                data = data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
            case _:
                end = at + draw.randint(1, 30)
                data = data[:end] + data[at:]
    return data


def test_mutated_requests_get_an_answer_in_shape_or_a_closed_connection(gateway: Gateway) -> None:
    seen: set[int] = set()
    good = gateway.head(BODY, f"content-length: {len(BODY)}", "connection: close")

    def attempt(seed: int) -> None:
        data = mutated(random.Random(seed), good)
        with gateway.dial() as connection:
            connection.sendall(data)
            connection.shutdown(1)  # nothing more comes: who waits for more is let go at once
            got = b""
            try:
                while piece := connection.recv(65_536):
                    got += piece
            except ConnectionResetError:
                pass
        found = answers(got)
        assert found[1:] in ([], [400]), (seed, data, got)  # what is left of a shortened body is no request
        seen.update(found)
        if len(found) == 1 and found[0] >= 400:
            error = json.loads(got.split(b"\r\n\r\n", 1)[1])["error"]
            assert error["code"] and found[0] < 500, (seed, got)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(600)))
    assert {400, 401, 404} <= seen


def test_mutated_bodies_are_answered_in_shape(gateway: Gateway) -> None:
    seen: set[int] = set()
    full = {"model": "mine/plain", "messages": HELLO, "stream": True, "max_tokens": 5, "stream_options": {}}

    def attempt(seed: int) -> None:
        answer = gateway.post("/v1/chat/completions", mutated(random.Random(seed), json.dumps(full).encode()))
        seen.add(answer.status)
        assert answer.status == 200 or answer.error["code"]
        assert answer.status < 500, (seed, answer)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(300)))
    assert {200, 400} <= seen


def test_a_provider_that_sends_nonsense_is_never_more_than_an_error(
    gateway: Gateway, provider: Provider
) -> None:
    good = sse(delta("one"), delta("two"), STOP, b"[DONE]").encode()
    for seed in range(60):
        data = mutated(random.Random(seed), good).decode("latin-1")
        provider.script(stream_rule(data, split_seed=seed))
        answer = gateway.chat(stream=True)
        assert answer.status in (200, 502), (seed, data)
        if answer.status == 200:
            *frames, last = answer.frames
            assert last == b"[DONE]" or "error" in json.loads(last), (seed, data, answer.body)
            assert b"[DONE]" not in frames
        else:
            assert answer.error["code"]
    for seed in range(60):
        whole = mutated(
            random.Random(seed), b'{"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}'
        )
        provider.script(rule(body=whole.decode("latin-1")))
        assert gateway.chat().status in (200, 400, 502), (seed, whole)


def test_many_at_once_each_get_their_own_answer(gateway: Gateway, provider: Provider) -> None:
    own = {f"question {i}": f"answer {i} " + "word " * (i % 17) + f"end {i}" for i in range(240)}
    provider.script(rule(split_seed=3), answers=own)

    def ask(item: tuple[int, tuple[str, str]]) -> None:
        number, (question, wanted) = item
        fields: dict[str, Any] = {"messages": [{"role": "user", "content": question}]}
        if number % 2:
            assert gateway.chat(stream=True, **fields).text == wanted
        else:
            assert gateway.chat(**fields).json["choices"][0]["message"]["content"] == wanted

    with ThreadPoolExecutor(24) as pool:
        list(pool.map(ask, enumerate(own.items())))
