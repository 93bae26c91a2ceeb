"""A mini's answers over its host's HTTP, beside plain chat answers of the same checkpoint by another host.

SmolLM2-135M stands in for a trained mini: its card is made by hand, its answers are short by themselves.
Both hosts run throughout and are asked in turn, so that what else runs on the machine falls on both; what
counts are the ratios. Packages: wicket[compact].
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import workload as w

from wicket.engines import launch
from wicket.minis.answers import AnswerShape
from wicket.minis.card import MiniCard
from wicket.minis.confidence import Calibration
from wicket.minis.familiarity import learn

AT_ONCE = 16
OUTPUT_TOKENS = 16
COUNTRIES = [
    "France", "Italy", "Spain", "Portugal", "Germany", "Austria", "Poland", "Hungary", "Greece", "Turkey",
    "Egypt", "Kenya", "Japan", "China", "India", "Peru", "Chile", "Cuba", "Norway", "Sweden", "Finland",
]  # fmt: skip


def question(number: int) -> str:
    return f"What is the capital of {COUNTRIES[number % len(COUNTRIES)]}? Answer in one short sentence."


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("engine", timeout=120)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


class Host:
    """One host process; `ask` sends one request on one of its kept connections."""

    def __init__(self, folder: Path, spec: str, threads: int) -> None:
        self.path = folder / f"{spec[:4]}.sock"
        options = launch.EngineOptions(label="m", threads=threads, max_batch=AT_ONCE)
        command = launch.command("compact", spec, self.path, folder, options)
        self.process = subprocess.Popen(command, env=launch.environment(os.environ))
        while not self.path.exists():
            time.sleep(0.05)
        self.kept = [Connection(self.path) for _ in range(AT_ONCE)]
        while self.send(0, "GET", "/readyz")[0] != 200:
            time.sleep(0.1)

    def send(self, connection: int, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        self.kept[connection].request(method, path, body, {"x-wicket-salt": str(time.time_ns())})
        answer = self.kept[connection].getresponse()
        return answer.status, json.loads(answer.read())

    def ask(self, number: int, connection: int = 0) -> dict[str, Any]:
        messages = [{"role": "user", "content": question(number)}]
        body = {"messages": messages, "temperature": 0, "max_tokens": OUTPUT_TOKENS}
        status, found = self.send(connection, "POST", "/v1/chat/completions", json.dumps(body).encode())
        if status != 200:
            raise RuntimeError(found)
        return dict(found["usage"])

    def cpu_s(self) -> float:
        """CPU seconds of the host, its core and its template's process so far (Linux)."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ticks = 0
        for pid in (str(self.process.pid), *children):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def many(self, pool: ThreadPoolExecutor, number: int) -> None:
        list(pool.map(lambda n: self.ask(number + n, n), range(AT_ONCE)))


def mini(home: Path, model: Path) -> str:
    """A run folder for the stand-in; its spec."""
    folder = home / "minis" / "capitals" / "bench"
    folder.mkdir(parents=True)
    (folder / "model.gguf").symlink_to(model)
    calibration = Calibration([0.0] * 5, [1.0] * 5, [0.1, 1.0, 0.1, 0.0, 0.0], 2.0)
    card = MiniCard(
        task="capitals",
        run="bench",
        created_ms=0,
        base=model.stem,
        licence="Apache-2.0",
        systems=("",),
        answers=AnswerShape(),
        max_input_tokens=256,
        max_output_tokens=64,
        calibration=calibration,
        familiarity=learn(question(number) for number in range(len(COUNTRIES))),
    )
    (folder / "mini.json").write_bytes(msgspec.json.encode(card))
    return "mini:capitals@bench"


class Spent:
    """What one kind of work took of one host: wall milliseconds each time, CPU milliseconds in all."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.wall_ms: list[float] = []
        self.cpu_ms = 0.0

    def clock(self, work: Callable[[Host], Any]) -> None:
        cpu_s, start_s = self.host.cpu_s(), time.perf_counter()
        work(self.host)
        self.wall_ms.append((time.perf_counter() - start_s) * 1e3)
        self.cpu_ms += (self.host.cpu_s() - cpu_s) * 1e3

    def figure(self, answers: int = 1) -> dict[str, float]:
        cpu_ms = round(self.cpu_ms / len(self.wall_ms) / answers, 1)
        return figure(self.wall_ms) | {"cpu_ms_per_answer": cpu_ms}


def figure(runs: list[float]) -> dict[str, float]:
    ordered = sorted(runs)
    return {
        "median": round(statistics.median(ordered), 1),
        "least": round(ordered[0], 1),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
    }


def ratios(pair: list[Spent]) -> dict[str, float]:
    """The mini's time by the plain chat's: the median of pairs, and by CPU time."""
    pairs = [b / a for a, b in zip(pair[0].wall_ms, pair[1].wall_ms, strict=True)]
    return {"wall": round(statistics.median(pairs), 3), "cpu": round(pair[1].cpu_ms / pair[0].cpu_ms, 3)}


def main() -> None:
    args = w.arguments(__doc__)
    rounds = max(args.rounds, 1) * 20
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(AT_ONCE) as pool:
        folder = Path(name)
        hosts = [Host(folder, spec, args.threads) for spec in (str(args.model), mini(folder, args.model))]
        usages = [[host.ask(number) for number in range(len(COUNTRIES))] for host in hosts]
        ones, manies = [Spent(host) for host in hosts], [Spent(host) for host in hosts]
        for number in range(rounds):
            for spent in ones:
                spent.clock(lambda host, number=number: host.ask(number))  # type: ignore[misc]
        for number in range(rounds // 5):
            for spent in manies:
                spent.clock(lambda host, number=number: host.many(pool, number))  # type: ignore[misc]
        for host in hosts:
            host.process.terminate()
            host.process.wait()
            for connection in host.kept:
                connection.close()
    figures = {
        "prompt_tokens": round(statistics.mean(usage["prompt_tokens"] for usage in usages[1]), 1),
        "output_tokens": [
            round(statistics.mean(usage["completion_tokens"] for usage in found), 1) for found in usages
        ],
        "plain_ms": ones[0].figure(),
        "mini_ms": ones[1].figure(),
        "mini_to_plain": ratios(ones),
        "plain_16_at_once_ms": manies[0].figure(AT_ONCE),
        "mini_16_at_once_ms": manies[1].figure(AT_ONCE),
        "mini_to_plain_16": ratios(manies),
    }
    w.report("a mini in its host", args, figures)


if __name__ == "__main__":
    main()
