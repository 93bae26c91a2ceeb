"""A server under everything at once: `make soak` (ten minutes), and a minute of it in `make test-faults`.

Three deployments misbehave in a random mix of all faults, drawn anew every few seconds from a seed; 200
callers stream all the while; workers are killed with SIGKILL and come back. Afterwards:

- no request hung, and none ended but in one of these ways: the whole text, a finish reason and [DONE]; an
  error status; an error in-band; a connection that broke while its worker was being killed;
- each request whose worker lived has exactly one record, and that record says what the caller saw;
- the memory and the open files of the supervisor, and of a worker that was never killed, stayed level.

Prints a summary (`--json`: as JSON) and exits with 1 if any of it is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

WICKET = Path(sys.executable).parent / "wicket"
ADMIN_KEY = "soak-admin-key-0123456789"
TEXT = " ".join(f"word{number}" for number in range(1, 31))
HANG_S = 45.0  # the route's total limit is 15 s
DRAW_EVERY_S = 4.0
KILL_EVERY_S = 12.0  # so that each lives for 20 s, and comes back at once
LEAVING = 0.03  # the share of callers who hang up in the middle
ROUTES = ("plain", "held", "hedged", "continued")
CONFIG = """
[server]
port = {port}
workers = 3
[providers.a]
base_url = "{url}"
api_key = ["a-credential-1-0123456789", "a-credential-2-0123456789"]
prices.one = {{ input = 1.0, output = 2.0 }}
[providers.b]
base_url = "{url}"
api_key = "b-credential-0123456789"
prices.two = {{ input = 3.0, output = 4.0 }}
[providers.c]
base_url = "{url}"
api_key = "c-credential-0123456789"
prefill = true
[models.plain]
deployments = ["a/one", "b/two", "c/three"]
timeouts = {limits}
[models.held]
deployments = ["b/two", "c/three", "a/one"]
commit = "whole"
timeouts = {limits}
[models.hedged]
deployments = ["a/one", "c/three"]
hedge = {{ after_s = 0.5, max_share = 0.1 }}
timeouts = {limits}
[models.continued]
deployments = ["a/one", "b/two", "c/three"]
continue = true
timeouts = {limits}
"""
LIMITS = "{ connect_s = 2, first_token_s = 2, gap_s = 2, total_s = 15 }"


def draw_script(rng: random.Random) -> dict[str, Any]:
    """A random mix: each fault strikes one request in so many of a model."""
    faults: list[dict[str, Any]] = [
        {"error": "rate_limit"},
        {"error": "rate_limit", "headers": {"retry-after": "1"}},
        {"error": "server_error"},
        {"error": "overloaded", "headers": {"retry-after": "30"}},
        {"error": "authentication"},
        {"error": "no_credit"},
        {"error": "html"},
        {"error": "context_length"},
        {"error": "content_policy"},
        {"error": "prefill", "when": {"last_role": "assistant"}},
        {"error": "overloaded", "content_length_off": 40},
        {"reset": True},
        {"close": True},
        {"silent": True},
        {"first_token_ms": 20_000},
        {"first_token_ms": 900},
        {"cut_after": rng.randint(4, 29)},
        {"cut_after": rng.randint(4, 29), "rst": True},
        {"cut_after": 0},
        {"stall_after": rng.randint(4, 29)},
        {"malformed_frame": rng.randint(6, 29)},
        {"error_frame_after": rng.randint(4, 29)},
        {"done": False},
        {"usage": False},
        {"hang_up": True},
        {"split_seed": rng.randint(1, 99), "piece_gap_ms": 1},
        {"read_bytes_s": 2_000},
    ]
    rng.shuffle(faults)
    rules = []
    for model in ("one", "two", "three"):
        for fault in faults[: rng.randint(4, len(faults))]:
            when = {"model": model, "every_nth": rng.randint(8, 40), **fault.get("when", {})}
            rules.append({"gap_ms": 100, **fault, "when": when})
        rules.append({"when": {"model": model}, "gap_ms": 100})
    greetings = [{"fault": rng.choice(["close", "cut", "reset"]), "every_nth": rng.randint(20, 60)}]
    return {"rules": rules, "greetings": greetings, "text": TEXT}


class Outcome:
    """What a caller saw of one request."""

    __slots__ = ("begun", "detail", "ended", "id", "kind")

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.ended = 0.0
        self.id = 0
        self.kind = "hung"
        self.detail = ""


async def ask(port: int, rng: random.Random, number: int) -> Outcome:
    """One request on a connection of its own."""
    outcome = Outcome()
    leave_after = rng.uniform(0, 3) if rng.random() < LEAVING else None
    is_streamed = rng.random() < 0.8
    body = json.dumps(
        {
            "model": rng.choice(ROUTES),
            "messages": [{"role": "user", "content": f"{number} " + "x " * rng.choice([5, 50, 2_000])}],
            "stream": is_streamed,
        }
    ).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    writer = None
    try:
        async with asyncio.timeout(leave_after or HANG_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode() + body)
            await _read(reader, outcome, is_streamed)
    except TimeoutError:
        outcome.kind = "left" if leave_after else "hung"
    except (OSError, asyncio.IncompleteReadError):
        outcome.kind = "broken"
    finally:
        if writer is not None:
            writer.transport.abort()
    outcome.ended = time.monotonic()
    return outcome


async def _read(reader: asyncio.StreamReader, outcome: Outcome, is_streamed: bool) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    found = re.search(r"x-request-id: req_([0-9a-f]{16})", head)
    outcome.id = int(found[1], 16) if found else 0
    status = int(head.split(" ", 2)[1])
    if "transfer-encoding: chunked" not in head:
        length = re.search(r"content-length: (\d+)", head)
        data = await reader.readexactly(int(length[1]) if length else 0)
        _judge_whole(outcome, status, data, is_streamed)
        return
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    _judge_stream(outcome, b"".join(parts))


def _judge_whole(outcome: Outcome, status: int, data: bytes, is_streamed: bool) -> None:
    value = json.loads(data)
    if status >= 400:
        error = value["error"]
        outcome.kind, outcome.detail = ("refused", error["code"]) if error["message"] else ("wrong", "empty")
    elif is_streamed or value["choices"][0]["message"]["content"] != TEXT:
        outcome.kind, outcome.detail = "wrong", data.decode(errors="replace")[:300]
    else:
        outcome.kind = "complete"


def _judge_stream(outcome: Outcome, data: bytes) -> None:
    """The stream ended as HTTP wants it; whether it also ended as an answer is looked at here."""
    frames = [part[6:] for part in data.split(b"\n\n") if part.startswith(b"data: ")]
    is_done = frames[-1:] == [b"[DONE]"]
    values = [json.loads(frame) for frame in frames[: -1 if is_done else None]]
    error = values[-1].get("error") if values else None
    choices = [choice for value in values for choice in value.get("choices", ())]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    finishes = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    if is_done and error is None and text == TEXT and finishes == ["stop"]:
        outcome.kind = "complete"
    elif not is_done and error and error["message"] and TEXT.startswith(text) and not finishes:
        outcome.kind, outcome.detail = "in-band", error["code"]
    else:
        outcome.kind = "wrong"
        outcome.detail = f"done={is_done} error={error} finishes={finishes} text={text!r}"[:300]


class Soak:
    """The processes, what is done to them, and what was seen."""

    def __init__(self, folder: Path, seconds: float, callers: int, seed: int) -> None:
        self.folder, self.seconds, self.callers = folder, seconds, callers
        self.rng = random.Random(seed)
        self.outcomes: list[Outcome] = []
        self.kills: dict[int, float] = {}  # a worker's index → when it was killed
        self.samples: list[tuple[float, dict[str, tuple[float, int]]]] = []
        self.kept = (-1, -1)  # index and process of the worker that is left alone
        self.port, self.upstream_port = _free_port(), _free_port()

    async def run(self) -> dict[str, Any]:
        """All of it; the report."""
        config = self.folder / "wicket.toml"
        url = f"http://127.0.0.1:{self.upstream_port}/v1"
        config.write_text(CONFIG.format(port=self.port, url=url, limits=LIMITS))
        command = [WICKET, "dev", "upstream", "--port", str(self.upstream_port)]
        environ = {name: text for name, text in os.environ.items() if not name.startswith("WICKET_")}
        environ |= {"WICKET_HOME": str(self.folder / "home"), "WICKET_ADMIN_KEY": ADMIN_KEY}
        log = (self.folder / "wicket.log").open("wb")
        started = [
            subprocess.Popen(one, stdout=log, stderr=log, env=environ)  # noqa: ASYNC220 - nothing runs yet
            for one in (command, [WICKET, "serve", "--config", config])
        ]
        server = started[1]
        try:
            await self._wait_ready()
            await self._load(server.pid)
            is_well = (await self._get("/readyz"))[0] == 200
            server.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(server.wait, 60)
            return self._report(is_well, code)
        finally:
            for process in started:
                if process.poll() is None:
                    process.kill()
                process.wait()
            log.close()

    async def _load(self, supervisor: int) -> None:
        end = time.monotonic() + self.seconds
        self.kept = (await self._workers())[0]
        disturbing = [
            asyncio.create_task(work) for work in (self._draw(), self._kill(end - 5), self._watch(supervisor))
        ]
        await asyncio.gather(*(self._caller(number, end) for number in range(self.callers)))
        for task in disturbing:
            task.cancel()
        done = await asyncio.gather(*disturbing, return_exceptions=True)
        for error in done:
            if error is not None and not isinstance(error, asyncio.CancelledError):
                raise error

    async def _caller(self, number: int, end: float) -> None:
        rng = random.Random(f"{number} {self.rng.random()}")
        await asyncio.sleep(rng.uniform(0, 3))
        while time.monotonic() < end:
            self.outcomes.append(await ask(self.port, rng, number))
            await asyncio.sleep(rng.uniform(0, 0.2))

    async def _draw(self) -> None:
        while True:
            data = json.dumps(draw_script(self.rng)).encode()
            url = f"http://127.0.0.1:{self.upstream_port}/__script"
            request = urllib.request.Request(url, data, method="POST")
            for _ in range(5):  # the greetings are for us as well
                with contextlib.suppress(OSError):
                    await asyncio.to_thread(_post, request)
                    break
            await asyncio.sleep(DRAW_EVERY_S)

    async def _kill(self, end: float) -> None:
        while True:
            await asyncio.sleep(KILL_EVERY_S)
            others = [one for one in await self._workers() if one != self.kept and one[0] not in self.kills]
            if others and time.monotonic() < end:
                index, pid = min(others)
                self.kills[index] = time.monotonic()
                os.kill(pid, signal.SIGKILL)

    async def _watch(self, supervisor: int) -> None:
        while True:
            pids = {"supervisor": supervisor, "worker": self.kept[1]}
            self.samples.append((time.monotonic(), {name: _usage(pid) for name, pid in pids.items()}))
            await asyncio.sleep(1)

    async def _workers(self) -> list[tuple[int, int]]:
        while True:
            status, value = await self._get("/admin/v1/status")
            if status == 200:
                return [(one["index"], one["pid"]) for one in value["workers"]]
            await asyncio.sleep(0.2)

    async def _wait_ready(self) -> None:
        for _ in range(600):
            if (await self._get("/readyz"))[0] == 200:
                return
            await asyncio.sleep(0.1)
        raise SystemExit(f"the server did not get ready: {(self.folder / 'wicket.log').read_text()[-2000:]}")

    async def _get(self, path: str) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)

        def get() -> tuple[int, Any]:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status, json.loads(answer.read())
            except OSError:
                return 0, None

        return await asyncio.to_thread(get)

    # the verdict

    def _report(self, is_well: bool, code: int) -> dict[str, Any]:
        kinds = Counter(one.kind for one in self.outcomes)
        failures = [f"wrong: {one.detail}" for one in self.outcomes if one.kind == "wrong"][:10]
        failures += [f"hung: {one.id:016x}" for one in self.outcomes if one.kind == "hung"][:10]
        unexplained = [one for one in self.outcomes if one.kind == "broken" and not self._was_killed(one)]
        failures += [f"broke without reason: {one.id:016x}" for one in unexplained[:10]]
        failures += self._compare_records()
        levels, risen = self._levels()
        failures += risen
        if not is_well:
            failures.append("not ready at the end")
        if code != 0:
            failures.append(f"the server's exit code is {code}")
        if not kinds["complete"]:
            failures.append("nothing was answered")
        return {
            "seconds": self.seconds,
            "callers": self.callers,
            "requests": len(self.outcomes),
            "outcomes": dict(kinds.most_common()),
            "errors": dict(Counter(one.detail for one in self.outcomes if one.detail).most_common(20)),
            "kills": len(self.kills),
            "levels": levels,
            "failures": failures,
            "passed": not failures,
        }

    def _was_killed(self, one: Outcome) -> bool:
        """Whether its worker was killed while it ran; without an id, whether any was."""
        if one.id:
            at = self.kills.get(one.id >> 14 & 0x7F)
            return at is not None and one.begun - 0.5 <= at <= one.ended + 0.5
        return any(one.begun - 0.5 <= at <= one.ended + 0.5 for at in self.kills.values())

    def _compare_records(self) -> list[str]:
        with contextlib.closing(sqlite3.connect(self.folder / "home" / "wicket.db")) as database:
            rows = database.execute("SELECT id, outcome FROM records").fetchall()
        records = dict(rows)
        failures = [] if len(records) == len(rows) else ["a request has two records"]
        seen = Counter(one.id for one in self.outcomes if one.id)
        failures += [f"answered twice: {id:016x}" for id, times in seen.items() if times > 1]
        for one in self.outcomes:
            if not one.id or (one.id >> 14 & 0x7F) in self.kills:
                continue
            said = records.get(one.id)
            wanted = {"complete": "ok", "left": said}.get(one.kind, one.detail)
            if said is None or (said != wanted and one.kind != "broken"):
                failures.append(f"record of {one.id:016x} ({one.kind} {one.detail}): {said}")
        return failures[:10]

    def _levels(self) -> tuple[dict[str, Any], list[str]]:
        """Means of a quarter of the time each: after the warm-up, and at the end of the load."""
        begin, end = self.samples[0][0], self.samples[0][0] + self.seconds
        quarter = self.seconds / 4
        spans = {"early": (begin + quarter, begin + 2 * quarter), "late": (end - quarter, end)}
        levels: dict[str, Any] = {}
        failures = []
        for name in ("supervisor", "worker"):
            row: dict[str, float] = {}
            for span, (since, until) in spans.items():
                found = [usage[name] for at, usage in self.samples if since <= at <= until]
                row[f"{span}_mb"] = round(statistics.mean(mb for mb, _ in found), 1)
                row[f"{span}_files"] = round(statistics.mean(files for _, files in found), 1)
            levels[name] = row
            if row["late_mb"] > row["early_mb"] * 1.1 + 6:
                failures.append(f"the {name}'s memory rose: {row}")
            if row["late_files"] > row["early_files"] * 1.25 + 25:
                failures.append(f"the {name}'s open files rose: {row}")
        return levels, failures


def _post(request: urllib.request.Request) -> None:
    with urllib.request.urlopen(request, timeout=10):
        pass


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _usage(pid: int) -> tuple[float, int]:
    """Resident memory in MB and open files of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(os.listdir(f"/proc/{pid}/fd"))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--callers", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep the server's data here")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = asyncio.run(Soak(folder, args.seconds, args.callers, args.seed).run())
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            print(f"{name:10} {value}")
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
