"""What limits, a budget, a credit and their ledger add to a request on the full path, behind real sockets.

    python bench/metered.py --rounds 6 --seconds 2

One server, two virtual keys in turn: one without meters, and one whose requests are held against a prepaid
credit, a budget per month, and limits on requests and tokens per minute. Every request of both leaves its
record, priced. CPU is that of all of Wicket's processes (`/proc/PID/stat`), the supervisor and its ledger
included. Wicket is alone on core 0, upstream and load generator are on core 1.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from gateway import (
    ADMIN_KEY,
    CONFIG,
    WICKET,
    Bench,
    compile_tools,
    family,
    free_port,
    in_turn,
    medians,
    running,
    start_to_answer,
    wait_for,
)

ORDERS = (
    ("credits", "add", "--usd", "100000"),
    ("budgets", "set", "--usd", "100000", "--per", "month"),
    ("limits", "set", "--rpm", "100000000", "--tpm", "1000000000000"),
)


def order(home: Path, *words: str) -> dict[str, Any]:
    """What a command of `wicket` prints as JSON."""
    environ = {**os.environ, "WICKET_HOME": str(home), "WICKET_ADMIN_KEY": ADMIN_KEY}
    made = subprocess.run([str(WICKET), *words, "--json"], env=environ, capture_output=True, check=True)
    found: dict[str, Any] = json.loads(made.stdout)
    return found


def keys(home: Path) -> dict[str, str]:
    """A key without meters and one with four of them."""
    made = {name: str(order(home, "keys", "create", "--name", name)["key"]) for name in ("plain", "metered")}
    for words in ORDERS:
        order(home, *words, "--key", "metered")
    return made


def compare(bench: Bench, made: dict[str, str], rounds: int, *options: str) -> dict[str, Any]:
    """Rounds in turn; medians of each key, and of the rounds' ratios (metered to plain)."""
    seen = in_turn(bench, {name: ("wicket", key) for name, key in made.items()}, rounds, "-c", "64", *options)
    table = medians(seen, ("rps", "p50", "p99", "cpu_us", "err"))
    pairs = list(zip(seen["plain"], seen["metered"], strict=True))
    ratios = sorted(b["cpu_us"] / a["cpu_us"] for a, b in pairs)
    table["cpu_ratio"] = [round(statistics.median(ratios), 3), round(ratios[0], 3), round(ratios[-1], 3)]
    table["rps_ratio"] = round(statistics.median(b["rps"] / a["rps"] for a, b in pairs), 3)
    return table


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    compile_tools(folder)
    whole, paced, port = (free_port() for _ in range(3))
    (folder / "wicket.toml").write_text(CONFIG.format(port=port, whole=whole, paced=paced))
    home = folder / "home"
    environ = {**os.environ, "WICKET_HOME": str(home), "WICKET_ADMIN_KEY": ADMIN_KEY}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    bench = Bench(folder, options.seconds)
    serve = [str(WICKET), "serve", "--config", str(folder / "wicket.toml")]
    with running([str(folder / "mock_upstream"), f"{whole}:0:0", f"{paced}:0:5000"], 1, **quiet):
        wait_for(whole)
        with running(serve, 0, env=environ, **quiet) as wicket:
            wait_for(port)
            start_to_answer(port, ADMIN_KEY, time.monotonic())
            made = keys(home)
            bench.targets = {"wicket": (port, family(wicket.pid))}
            compare(bench, made, 1)  # warms up
            result = {
                "whole_c64": compare(bench, made, options.rounds),
                "stream_burst_c64": compare(bench, made, options.rounds, "-s"),
            }
        result["ledger"] = order(home, "ledger", "verify")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=2.0, help="per key and round")
    with tempfile.TemporaryDirectory(prefix="wicket-bench-") as folder:
        print(json.dumps(measure(parser.parse_args(), Path(folder)), indent=2))


if __name__ == "__main__":
    main()
