"""What the walk's decisions cost: a request with one candidate and one with two, beside another checkout's.

`python bench/walk.py [--against SRC]`: SRC is another checkout's `src` folder. Both run in turn in processes
of their own; figures are the medians of the rounds, in microseconds a request, ratios taken round by round.
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

HERE = Path(__file__).resolve().parent
OWN = HERE.parent / "src"
NUM_FRAMES = 20  # of a stream: one Heard each


def measure(num_candidates: int, num_requests: int) -> float:
    """Microseconds of thread time for one streamed request through `step`, events included."""
    from wicket.gateway.events import Ended, Finished, Heard, Opened, Planned, Spoke
    from wicket.gateway.walk import step

    try:
        from wicket.gateway.rules import Rules
        from wicket.gateway.walk_state import Walk
    except ImportError:  # a checkout from before they had files of their own
        from wicket.gateway.walk import Rules, Walk  # type: ignore[attr-defined, no-redef]
    rules = Rules(num_candidates, 10_000_000, 15_000_000, 600_000_000, True)
    begun = time.thread_time_ns()
    for now in range(1, num_requests + 1):
        walk = Walk(rules)
        step(walk, Planned(now))
        step(walk, Opened(0, now))
        step(walk, Spoke(0, now))
        for _ in range(NUM_FRAMES):
            step(walk, Heard(0, now))
        step(walk, Finished(0, now))
        step(walk, Ended(0, now))
    return (time.thread_time_ns() - begun) / num_requests / 1_000


def _child(source: Path, num_candidates: int, num_requests: int) -> float:
    command = [sys.executable, str(HERE / "walk.py"), "--child", str(num_candidates), str(num_requests)]
    environ = {**os.environ, "PYTHONPATH": str(source)}
    return float(subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Print a table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--child", type=int, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        measure(args.child[0], args.child[1] // 10)
        print(measure(*args.child))
        return
    report = {}
    for num_candidates in (1, 2):
        ours, theirs, ratios = [], [], []
        for _ in range(args.rounds):
            ours.append(_child(OWN, num_candidates, args.requests))
            if args.against:
                theirs.append(_child(args.against.resolve(), num_candidates, args.requests))
                ratios.append(ours[-1] / theirs[-1])
        row = {"us": round(statistics.median(ours), 2)}
        if theirs:
            row |= {
                "against_us": round(statistics.median(theirs), 2),
                "ratio": round(statistics.median(ratios), 3),
            }
        report[f"{num_candidates} candidates"] = row
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
