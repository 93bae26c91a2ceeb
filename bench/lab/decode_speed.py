"""Decode speed of checkpoints in the embedded engine, side by side.

    python bench/lab/decode_speed.py model.gguf teacher.gguf …

All files are loaded, then asked in turn, so that a busy machine is busy for each of them. The best of the
rounds counts. CPU time is of this process: what the engine and its host use together.
"""

import argparse
import contextlib
import time
from pathlib import Path

from wicket.engines.contract import Engine, Generate, Sampling
from wicket.lab.answering import loaded


def spent(engine: Engine, first: int, num: int) -> tuple[float, float]:
    """CPU and wall milliseconds a token of one answer of `num` tokens."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    engine.submit(Generate(1, [first], num, Sampling(temperature=0.0), ignore_eos=True))
    while not engine.is_idle():
        engine.step()
    return (time.process_time() - cpu_s) / num * 1_000, (time.perf_counter() - wall_s) / num * 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    args = parser.parse_args()
    best = [(float("inf"), float("inf")) for _ in args.files]
    with contextlib.ExitStack() as stack:
        engines = [stack.enter_context(loaded(path)) for path in args.files]
        for number in range(args.rounds):
            for place, engine in enumerate(engines):
                now = spent(engine, 5 + number, args.tokens)
                best[place] = (min(best[place][0], now[0]), min(best[place][1], now[1]))
        schemes = [engine.capabilities().scheme for engine in engines]
    for path, scheme, (cpu, wall) in zip(args.files, schemes, best, strict=True):
        print(f"{path.name}: {scheme}, {path.stat().st_size:,} bytes, {cpu:.2f} ms CPU, {wall:.2f} ms wall")
        print(f"  the first is {cpu / best[0][0]:.2f} (CPU) and {wall / best[0][1]:.2f} times (wall) as fast")


if __name__ == "__main__":
    main()
