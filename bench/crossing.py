"""The request path alone, in one process, with stand-ins for the sockets.

Protocol, admission, walk, attempt and reply; bytes that pass, and a caller of another dialect.
`PYTHONPATH=. python bench/crossing.py`; to compare two versions run it in both, in turn.
"""

from __future__ import annotations

import gc
import json
import sys
import time

from tests.unit.gateway.crossings import other_dialect
from tests.unit.server.wire_client import KEY, protocol, records, upstreams

from wicket.server.ingress import Ingress

MESSAGES = [{"role": "user", "content": "Say it. " * 60}]
ANSWER = {
    "id": "c",
    "model": "m",
    "choices": [{"index": 0, "message": {"content": "Paris. " * 100}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 200},
}
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":50}}\n\n'
ROUNDS = 9


def request(path: bytes, streamed: bool) -> bytes:
    """A chat completion whose head is known from the second time on."""
    body = json.dumps({"model": "x", "stream": streamed, "max_tokens": 100, "messages": MESSAGES}).encode()
    head = b"POST %b HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n"
    return head % (path, KEY, len(body)) + body


def frames() -> list[bytes]:
    """Fifty pieces of text, a finish reason, usage and the end mark."""

    def frame(delta: object, finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return b"data: %b\n\n" % json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode()

    return [*[frame({"content": "Paris "}, None)] * 50, frame({}, "stop"), USAGE, b"data: [DONE]\n\n"]


def cpu_us(number: int, path: bytes, streamed: bool) -> float:
    """CPU per request in microseconds."""
    made, transport = protocol(max_headers=100)
    made.serving.ingress = Ingress(["openai_chat", "other"], made.serving.ingress.default)
    sent, answer, pieces = request(path, streamed), json.dumps(ANSWER).encode(), frames()
    pool, kept = upstreams(made), records(made.serving.gate)
    began = time.process_time()
    for _ in range(number):
        made.data_received(sent)
        exchange = pool.exchanges.pop()
        if streamed:
            exchange.sink.on_headers(200, [(b"content-type", b"text/event-stream")])
            for piece in pieces:
                exchange.sink.on_data(piece)
            exchange.sink.on_end()
        else:
            exchange.answer(answer)
        transport.writes.clear()
        kept.clear()
    return (time.process_time() - began) / number * 1e6


if __name__ == "__main__":
    gc.disable()
    sys.modules["wicket.dialects.other"] = other_dialect()
    for where in (b"/v1/chat/completions", b"/other/x:say"):
        for is_streamed, many in ((False, 4_000), (True, 400)):
            best = min(cpu_us(many, where, is_streamed) for _ in range(ROUNDS))
            how = "translated" if where.startswith(b"/other") else "passed on"
            print(f"{'a stream of 50' if is_streamed else 'a whole answer'}, {how}: {best:.1f} µs")
