"""What the path costs in Python, with stand-ins for the sockets: two source trees in turn, in one run.

    python bench/path.py OLD/src NEW/src
    python bench/path.py --limits

The second form compares one tree with itself: a key without meters, and one whose requests are held against a
credit, a budget and two limits (requests and tokens per minute), at a priced deployment both times.

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
CHUNK = 100
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


def meter(gate: Any) -> None:
    """Have the one key's requests held against four meters, with leases that last."""
    import msgspec

    from wicket.accounts.meters import MINUTE, MONTH, NANOS, REQUESTS, TOKENS, Meter, credit_meter

    many = 1 << 60
    meters = [
        Meter("limit:1", "key:1", REQUESTS, many, MINUTE),
        Meter("limit:2", "team:1", TOKENS, many, MINUTE),
        Meter("budget:3", "organisation:1", NANOS, many, MONTH),
        credit_meter("team:1"),
    ]
    gate.metering.set_meters(meters, is_whole=True)
    ids = tuple(one.id for one in meters)
    for lease in gate.metering._open(ids).all:
        lease.free = lease.level = many
    for caller in list(gate.callers._by_digest.values()):
        gate.callers.add(msgspec.structs.replace(caller, meters=ids))


def measure(num: int, kind: str = "") -> dict[str, float]:
    """CPU microseconds of a whole and of a streamed request (16 frames) in this process: the best chunk.

    `kind` "plain" and "metered" are at a priced deployment, the latter with meters.
    """
    from tests.unit.server.wire_client import protocol, records, upstreams

    made, transport = protocol()
    routes: Any = made.serving.gate.routes  # a configuration compiles its routes once, the stand-in doesn't
    route = routes.resolve("a")
    if kind:
        import msgspec

        one = msgspec.structs.replace(
            route.deployments[0],
            prices=(150_000, 600_000, 75_000, None, 0),
            price_id="p/m",
            max_output_tokens=16_384,
        )
        route = msgspec.structs.replace(route, deployments=(one,))
    if kind == "metered":
        meter(made.serving.gate)
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
                made.serving.gate.metering.take_drawn()  # with each batch of records
        found[name] = min(chunks) / CHUNK * 1e6
    return found


def one(source: str, num: int, kind: str = "") -> dict[str, float]:
    """The same in a process that runs `source`."""
    tree = Path(source).resolve()
    environ = {**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree.parent}"}
    command = [sys.executable, __file__, "--measure", str(num), "--kind", kind]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    values: dict[str, float] = json.loads(ran.stdout)
    return values


def main() -> None:
    """Print medians and the median of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--measure", type=int, default=0)
    parser.add_argument("--kind", default="")
    parser.add_argument("--limits", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=10_000)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.kind)))
        return
    if options.limits:
        here = str(Path(__file__).parents[1] / "src")
        runs = ((here, "plain"), (here, "metered"))
    else:
        old, new = options.sources
        runs = ((old, ""), (new, ""))
    num = options.requests
    pairs = [tuple(one(tree, num, kind) for tree, kind in runs) for _ in range(options.rounds)]
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
