"""CPU per exchange and per streamed chunk of the keep-alive pool, against an HTTP server on this machine.

    python bench/upstream_client.py PORT [--exchanges N] [--concurrency N] [--rounds N] [--loop NAME]

The server must answer POST /v1/chat/completions: whole, and as an event stream when the body says
`"stream":true`. Pin both to cores of their own (taskset) and quote the medians that this prints: microseconds
of this process's CPU time, the kernel's share of it apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time

import uvloop

from wicket.errors import ProviderFault
from wicket.upstream.pool import KeepAlivePool
from wicket.upstream.request_head import complete, head
from wicket.wire.origin import Origin

WHOLE = b'{"model":"m","messages":[{"role":"user","content":"' + b"x" * 560 + b'"}]}'
STREAM = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'


class Round:
    """Keeps `concurrency` exchanges under way until `left` is used up."""

    def __init__(self, pool: KeepAlivePool, origin: Origin, body: bytes, left: int) -> None:
        self.pool, self.origin, self.left = pool, origin, left
        self.head = head("POST", "/v1/chat/completions", origin, [("authorization", "Bearer x")])
        self.body = body
        self.under_way = self.frames = self.failures = 0
        self.over = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        self.left -= 1
        self.under_way += 1
        sink = CountingSink(self)
        self.pool.send(self.origin, complete(self.head, self.body), sink, connect_ms=5_000)

    def ended(self) -> None:
        self.under_way -= 1
        if self.left:
            self.start()
        elif not self.under_way:
            self.over.set_result(None)


class CountingSink:
    __slots__ = ("round",)

    def __init__(self, owner: Round) -> None:
        self.round = owner

    def on_headers(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        pass

    def on_data(self, data: bytes) -> None:
        self.round.frames += data.count(b"\n\n")

    def on_end(self) -> None:
        self.round.ended()

    def on_failure(self, fault: ProviderFault, *, reused: bool, headers_seen: bool) -> None:
        self.round.failures += 1
        self.round.ended()


async def measure(port: int, body: bytes, exchanges: int, concurrency: int) -> dict[str, float]:
    pool = KeepAlivePool()
    origin = Origin("http", "127.0.0.1", port)
    warm = Round(pool, origin, body, concurrency)
    for _ in range(concurrency):
        warm.start()
    await warm.over
    work = Round(pool, origin, body, exchanges)
    before, at = os.times(), time.perf_counter()
    for _ in range(concurrency):
        work.start()
    await work.over
    wall, after = time.perf_counter() - at, os.times()
    user, system = (after.user - before.user) * 1e6, (after.system - before.system) * 1e6
    await pool.close()
    return {
        "exchanges_per_s": exchanges / wall,
        "user_us": user / exchanges,
        "system_us": system / exchanges,
        "frames": work.frames / exchanges,
        "frames_per_s": work.frames / wall,
        "failures": work.failures,
    }


async def rounds(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    results: dict[str, dict[str, float]] = {}
    for name, body, exchanges in (("whole", WHOLE, args.exchanges), ("stream", STREAM, args.exchanges // 5)):
        runs = [await measure(args.port, body, exchanges, args.concurrency) for _ in range(args.rounds)]
        results[name] = {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("port", type=int)
    parser.add_argument("--exchanges", type=int, default=100_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    args = parser.parse_args()
    factory = uvloop.new_event_loop if args.loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(rounds(args)), indent=2))


if __name__ == "__main__":
    main()
