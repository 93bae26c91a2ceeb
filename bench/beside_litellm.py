"""Wicket's full path beside LiteLLM's proxy in one run, on the same upstream, load and core.

    python -m venv /tmp/litellm && /tmp/litellm/bin/pip install 'litellm[proxy]'
    python bench/beside_litellm.py --litellm /tmp/litellm/bin/litellm --rounds 3 --seconds 4

LiteLLM runs without a database, as its documentation has it for production: one worker, errors logged only,
and a master key. It neither prices a request nor keeps a record; Wicket does both. CPU is of all processes.
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
    virtual_key,
)

MASTER_KEY = "sk-bench-0123456789"
PROXY = """
model_list:
  - model_name: gpt-4o-mini
    litellm_params:
      model: openai/gpt-4o-mini
      api_base: http://127.0.0.1:{whole}/v1
      api_key: upstream-key
general_settings:
  master_key: {key}
litellm_settings:
  telemetry: false
"""


def rounds_of(bench: Bench, keys: dict[str, str], rounds: int, *options: str) -> dict[str, Any]:
    """Rounds in turn; medians of each, and of the rounds' ratios (Wicket to LiteLLM)."""
    seen = in_turn(bench, {name: (name, key) for name, key in keys.items()}, rounds, *options)
    table = medians(seen, ("rps", "p50", "p99", "cpu_us", "err"))
    pairs = list(zip(seen["litellm"], seen["wicket"], strict=True))
    table["rps_ratio"] = round(statistics.median(w["rps"] / other["rps"] for other, w in pairs), 1)
    table["cpu_ratio"] = round(statistics.median(other["cpu_us"] / w["cpu_us"] for other, w in pairs), 1)
    return table


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    compile_tools(folder)
    whole, paced, port, other = (free_port() for _ in range(4))
    (folder / "wicket.toml").write_text(CONFIG.format(port=port, whole=whole, paced=paced))
    (folder / "litellm.yaml").write_text(PROXY.format(whole=whole, key=MASTER_KEY))
    home = folder / "home"
    environ = {**os.environ, "WICKET_HOME": str(home), "WICKET_ADMIN_KEY": ADMIN_KEY}
    theirs = {**os.environ, "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    bench = Bench(folder, options.seconds)
    serve = [str(WICKET), "serve", "--config", str(folder / "wicket.toml")]
    proxy = [
        options.litellm,
        "--config",
        str(folder / "litellm.yaml"),
        "--port",
        str(other),
        "--host",
        "127.0.0.1",
    ]
    with running([str(folder / "mock_upstream"), f"{whole}:0:0", f"{paced}:0:5000"], 1, **quiet):
        begun = time.monotonic()
        with running(proxy, 0, env=theirs, **quiet) as litellm:
            litellm_start = start_to_answer(other, MASTER_KEY, begun, within_s=120)
            begun = time.monotonic()
            with running(serve, 0, env=environ, **quiet) as wicket:
                start = start_to_answer(port, ADMIN_KEY, begun)
                bench.targets = {
                    "litellm": (other, family(litellm.pid)),
                    "wicket": (port, family(wicket.pid)),
                }
                keys = {"litellm": MASTER_KEY, "wicket": virtual_key(home)}
                return {
                    "start_to_first_answer_s": {
                        "litellm": round(litellm_start, 2),
                        "wicket": round(start, 2),
                    },
                    "whole_c64": rounds_of(bench, keys, options.rounds, "-c", "64"),
                    "stream_burst_c64": rounds_of(bench, keys, options.rounds, "-c", "64", "-s"),
                    "rate_50": rounds_of(bench, keys, options.rounds, "-c", "16", "-r", "50"),
                }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--litellm", required=True, help="the program of an environment of its own")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="per target and round")
    with tempfile.TemporaryDirectory(prefix="wicket-bench-") as folder:
        print(json.dumps(measure(parser.parse_args(), Path(folder)), indent=2))


if __name__ == "__main__":
    main()
