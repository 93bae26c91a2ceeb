"""Wicket's full path beside nginx pass-through, in one run: `make bench`.

The program under test is alone on core 0, upstream and load generator are on core 1. Rounds are interleaved
(nginx, Wicket, nginx, …); figures are medians of the rounds, ratios are taken round by round. A request is a
658-byte chat completion with a virtual key, the answer 1.2 kB; a stream has 52 events. Every request of
Wicket's leaves its record in SQLite, priced. Needs gcc, nginx and two cores; nothing else should run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WICKET = Path(sys.executable).parent / "wicket"
ADMIN_KEY = "bench-admin-key-0123456789"
TICKS = os.sysconf("SC_CLK_TCK")

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_buffer_size 64k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream whole {{ server 127.0.0.1:{whole}; keepalive 256; keepalive_requests 1000000000; }}
  upstream paced {{ server 127.0.0.1:{paced}; keepalive 256; keepalive_requests 1000000000; }}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://whole; }}
    location /paced/ {{ proxy_pass http://paced/; }}
  }} }}
"""
CONFIG = """
[server]
port = {port}
[providers.whole]
base_url = "http://127.0.0.1:{whole}/v1"
api_key = "upstream-key"
[providers.paced]
base_url = "http://127.0.0.1:{paced}/v1"
api_key = "upstream-key"
[models."gpt-4o-mini"]
deployments = ["whole/gpt-4o-mini"]
price = {{ input = 0.15, output = 0.6, cached = 0.075 }}
[models."paced"]
deployments = ["paced/gpt-4o-mini"]
price = {{ input = 0.15, output = 0.6, cached = 0.075 }}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.005)
    raise SystemExit(f"nothing listens on port {port}")


@contextlib.contextmanager
def running(command: list[str], core: int, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A program pinned to one core, ended with everything it started."""
    process = subprocess.Popen(["taskset", "-c", str(core), *command], **options)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        listed = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False)
        found += [int(child) for child in listed.stdout.split()]
    return found


def cpu_s(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Bench:
    """What runs, and how it is loaded."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder = folder
        self.seconds = seconds
        self.key = ""
        self.targets: dict[str, tuple[int, list[int]]] = {}

    def load(self, target: str, *options: str) -> dict[str, float]:
        """One burst of load on a target: the generator's figures, and CPU microseconds per request."""
        port, pids = self.targets[target]
        before = cpu_s(pids)
        command = ["taskset", "-c", "1", str(self.folder / "load"), "-p", str(port), "-A", self.key]
        command += ["-d", str(self.seconds), "-w", "0", *options]
        figures: dict[str, float] = json.loads(
            subprocess.run(command, capture_output=True, check=True).stdout
        )
        time.sleep(0.3)  # the last records are written
        figures["cpu_us"] = (cpu_s(pids) - before) / max(1, figures["n"]) * 1e6
        return figures


def compare(bench: Bench, rounds: int, *options: str, path: str = "", model: str = "") -> dict[str, Any]:
    """Interleaved rounds; medians, and the median of the rounds' ratios (Wicket to nginx)."""
    seen: dict[str, list[dict[str, float]]] = {"nginx": [], "wicket": []}
    for _ in range(rounds):
        prefix = ["-P", f"/paced{path}"] if model else []
        seen["nginx"].append(bench.load("nginx", *options, *prefix))
        seen["wicket"].append(bench.load("wicket", *options, *(["-m", model] if model else [])))
    names = ("rps", "chunks_s", "p50", "p99", "cpu_us", "err", "short")
    table = medians(seen, names)
    table["ratio"] = {
        name: round(
            statistics.median(w[name] / n[name] for n, w in zip(seen["nginx"], seen["wicket"], strict=True)),
            3,
        )
        for name in ("rps", "p50", "p99", "cpu_us")
        if all(n[name] for n in seen["nginx"])
    }
    return table


def start_to_answer(port: int, key: str, started: float, within_s: float = 30) -> float:
    """Seconds from the command to the first answer from a remote model."""
    body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", body, headers)
    while time.monotonic() - started < within_s:
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5) as answer:
            answer.read()
            return time.monotonic() - started
        time.sleep(0.005)
    raise SystemExit(f"no answer within {within_s} s")


def virtual_key(home: Path) -> str:
    command = [str(WICKET), "keys", "create", "--name", "bench", "--json"]
    environ = {**os.environ, "WICKET_HOME": str(home), "WICKET_ADMIN_KEY": ADMIN_KEY}
    created = subprocess.run(command, env=environ, capture_output=True, check=True)
    return str(json.loads(created.stdout)["key"])


def compile_tools(folder: Path) -> None:
    """The load generator and the upstream, into `folder`."""
    for name in ("load", "mock_upstream"):
        subprocess.run(["gcc", "-O2", "-w", "-o", str(folder / name), str(HERE / f"{name}.c")], check=True)


def in_turn(
    bench: Bench, targets: dict[str, tuple[str, str]], rounds: int, *options: str
) -> dict[str, list[dict[str, float]]]:
    """Figures of each of the `targets`, name → (target, key), loaded one after the other in each round."""
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in targets}
    for _ in range(rounds):
        for name, (target, key) in targets.items():
            bench.key = key
            seen[name].append(bench.load(target, *options))
    return seen


def medians(seen: dict[str, list[dict[str, float]]], names: Sequence[str]) -> dict[str, Any]:
    """Of each target's rounds."""
    return {
        target: {name: statistics.median(row[name] for row in rows) for name in names}
        for target, rows in seen.items()
    }


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    compile_tools(folder)
    whole, paced, nginx_port, port = (free_port() for _ in range(4))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, whole=whole, paced=paced, port=nginx_port))
    (folder / "wicket.toml").write_text(CONFIG.format(port=port, whole=whole, paced=paced))
    home = folder / "home"
    environ = {**os.environ, "WICKET_HOME": str(home), "WICKET_ADMIN_KEY": ADMIN_KEY}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    bench = Bench(folder, options.seconds)
    mock = [str(folder / "mock_upstream"), f"{whole}:0:0", f"{paced}:0:5000"]
    with running(mock, 1, **quiet), running(["nginx", "-c", str(folder / "nginx.conf")], 0, **quiet) as nginx:
        wait_for(whole)
        wait_for(nginx_port)
        started = time.monotonic()
        serve = [str(WICKET), "serve", "--config", str(folder / "wicket.toml")]
        with running(serve, 0, env=environ, **quiet) as wicket:
            first_answer = start_to_answer(port, ADMIN_KEY, started)
            bench.key = virtual_key(home)
            pids = family(wicket.pid)
            worker = pids[-1]
            idle = rss_mb(worker)
            bench.targets = {"nginx": (nginx_port, family(nginx.pid)), "wicket": (port, pids)}
            rounds = options.rounds
            chat = "/v1/chat/completions"
            result = {
                "start_to_first_answer_s": round(first_answer, 2),
                "worker_rss_mb": {"idle": round(idle, 1)},
                "whole_c64": compare(bench, rounds, "-c", "64"),
                "stream_burst_c64": compare(bench, rounds, "-c", "64", "-s"),
                "stream_paced_100": compare(bench, rounds, "-c", "100", "-s", path=chat, model="paced"),
                "rate_300": compare(bench, rounds, "-c", "64", "-r", "300"),
            }
            result["worker_rss_mb"]["after"] = round(rss_mb(worker), 1)
            return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="per target and round")
    options = parser.parse_args()
    for program in ("gcc", "nginx", "taskset", "pgrep"):
        if shutil.which(program) is None:
            raise SystemExit(
                f"bench: {program} is missing (Debian: apt-get install gcc nginx util-linux procps)"
            )
    with tempfile.TemporaryDirectory(prefix="wicket-bench-") as folder:
        print(json.dumps(measure(options, Path(folder)), indent=2))


if __name__ == "__main__":
    main()
