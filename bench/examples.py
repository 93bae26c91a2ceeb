"""What collecting costs, in one run: the same requests to a model that collects and to one that does not.

One server, two models, rounds interleaved; CPU is the worker's, from `/proc/PID/stat`. A request is a chat
completion of 658 bytes, the answer 1.2 kB whole or a stream of 52 events. Needs gcc and two cores.
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
    HERE,
    WICKET,
    Bench,
    family,
    free_port,
    running,
    start_to_answer,
    virtual_key,
    wait_for,
)

CONFIG = """
[server]
port = {port}
[providers.whole]
base_url = "http://127.0.0.1:{whole}/v1"
api_key = "upstream-key"
[models."gpt-4o-mini"]
deployments = ["whole/gpt-4o-mini"]
[models.kept]
deployments = ["whole/gpt-4o-mini"]
collect = "bench"
"""


def compare(bench: Bench, rounds: int, *options: str) -> dict[str, Any]:
    """Median CPU per request without and with, and the median of the rounds' ratios."""
    seen: dict[str, list[float]] = {"gpt-4o-mini": [], "kept": []}
    for _ in range(rounds):
        for model, figures in seen.items():
            figures.append(bench.load("worker", "-c", "32", "-m", model, *options)["cpu_us"])
    off, on = seen.values()
    ratio = statistics.median(b / a for a, b in zip(off, on, strict=True))
    return {
        "off_us": round(statistics.median(off), 1),
        "on_us": round(statistics.median(on), 1),
        "ratio": round(ratio, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="per model and round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wicket-bench-") as name:
        folder = Path(name)
        for program in ("load", "mock_upstream"):
            source = str(HERE / f"{program}.c")
            subprocess.run(["gcc", "-O2", "-w", "-o", str(folder / program), source], check=True)
        whole, port = free_port(), free_port()
        config = folder / "wicket.toml"
        config.write_text(CONFIG.format(port=port, whole=whole))
        environ = {**os.environ, "WICKET_HOME": str(folder / "home"), "WICKET_ADMIN_KEY": ADMIN_KEY}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        serve = [str(WICKET), "serve", "--config", str(config)]
        with (
            running([str(folder / "mock_upstream"), f"{whole}:0:0"], 1, **quiet),
            running(serve, 0, env=environ, **quiet) as wicket,
        ):
            wait_for(whole)
            start_to_answer(port, ADMIN_KEY, time.monotonic())
            bench = Bench(folder, options.seconds)
            bench.key = virtual_key(folder / "home")
            bench.targets["worker"] = (port, family(wicket.pid)[-1:])
            result = {"whole": compare(bench, options.rounds), "stream": compare(bench, options.rounds, "-s")}
            print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
