"""What the path costs in Python, with stand-ins for the sockets: two source trees in turn, in one run.

    python bench/path.py OLD/src NEW/src

Each round is two processes, each of which answers requests from the protocol's first byte to the record,
whole and streamed, on a route with one deployment, and tells its best chunk: so what else the machine does
counts less. Each tree brings the stand-ins of its own unit tests, beside its `src`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ANSWER = (
    b'{"model":"m","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2}}'
)
CHUNK = 250
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer wk-a-key-of-these-tests\r\n"
FRAME = b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n'
LAST = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
HEADERS = [
    (b"content-type", b"application/json"),
    *((b"x-header-%d" % number, b"some value") for number in range(8)),
    (b"x-ratelimit-limit-requests", b"10000"),
    (b"x-ratelimit-remaining-requests", b"9999"),
    (b"x-ratelimit-reset-requests", b"8.64s"),
]


def measure(num: int) -> dict[str, float]:
    """CPU microseconds of a whole and of a streamed request (16 frames) in this process: the best chunk."""
    from tests.unit.server.wire_client import protocol, records, upstreams

    made, transport = protocol()
    routes: Any = made.serving.gate.routes  # a configuration compiles its routes once, the stand-in doesn't
    route = routes.resolve("a")
    routes.resolve = lambda name: route
    body = b'{"model":"a","messages":[{"role":"user","content":"' + b"x" * 500 + b'"}]%b}'
    found = {}
    for name, more in (("whole", b""), ("stream", b',"stream":true')):
        sent = body % more
        request = HEAD + b"content-length: %d\r\n\r\n" % len(sent) + sent
        is_stream = bool(more)
        headers = [(b"content-type", b"text/event-stream"), *HEADERS[1:]] if is_stream else HEADERS
        chunks, began = [], time.process_time()
        for number in range(num):
            if number and not number % CHUNK:
                now = time.process_time()
                chunks.append(now - began)
                began = now
            made.data_received(request)
            exchange = upstreams(made).exchanges.pop()
            exchange.sink.on_headers(200, headers)
            if is_stream:
                for _ in range(16):
                    exchange.sink.on_data(FRAME)
                exchange.sink.on_data(LAST)
            else:
                exchange.sink.on_data(ANSWER)
                exchange.sink.on_end()
            transport.writes.clear()
            if len(records(made.serving.gate)) >= 1000:
                records(made.serving.gate).clear()
        found[name] = min(chunks) / CHUNK * 1e6
    return found


def one(source: str, num: int) -> dict[str, float]:
    """The same in a process that runs `source`."""
    tree = Path(source).resolve()
    environ = {**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree.parent}"}
    command = [sys.executable, __file__, "--measure", str(num)]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    values: dict[str, float] = json.loads(ran.stdout)
    return values


def main() -> None:
    """Print medians and the median of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--measure", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=10_000)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    old, new = options.sources
    pairs = [(one(old, options.requests), one(new, options.requests)) for _ in range(options.rounds)]
    for name in ("whole", "stream"):
        olds, news = [p[0][name] for p in pairs], [p[1][name] for p in pairs]
        ratios = sorted(b / a for a, b in zip(olds, news, strict=True))
        print(
            f"{name}: best {min(olds):.2f} → {min(news):.2f} µs, ratio {min(news) / min(olds):.3f}; "
            f"median {statistics.median(olds):.2f} → {statistics.median(news):.2f}, of the ratios "
            f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
        )


if __name__ == "__main__":
    main()
