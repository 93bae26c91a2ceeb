"""What a run will take: memory, disk and time, told before it starts, from sizes and a short measurement."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import msgspec
import torch

from wicket.engines.checkpoints.llama import LAYER_PARTS, LlamaShape, expected_shape
from wicket.errors import OperatorFault

EFFICIENCY = 0.35  # of a plain matrix product's speed that a training of small matrices reaches
STEP_OVERHEAD_S = 0.004  # per layer and step, what small models mostly wait for
FORWARD, TRAINED = 2, 6  # operations per weight and token
TRAIN_BYTES = 16  # a weight, its gradient and two moments in float32
HEADROOM = 300 << 20  # the interpreter, torch, the engine


class Job(msgspec.Struct, frozen=True):
    """One training: steps of so many tokens, with or without a teacher; `stored_bytes` of what it says go to
    the disk."""

    name: str
    num_parameters: int
    num_layers: int
    teacher_parameters: int
    steps: int
    tokens: int
    stored_bytes: int = 0


class Estimate(msgspec.Struct, frozen=True):
    """Rough by nature; `seconds` are of this machine as busy as it is now."""

    seconds: float
    memory_bytes: int
    disk_bytes: int
    operations_per_s: float


def estimate(jobs: list[Job], shape: LlamaShape, tokens: int) -> Estimate:
    """`shape` is the largest model's, `tokens` those of a batch."""
    speed = measured_speed()
    seconds = seconds_of(jobs, speed)
    weights = num_parameters(shape)
    kept = tokens * (shape.num_layers * (12 * shape.hidden + 4 * shape.ffn) + 4 * shape.vocab_size) * 4
    memory = weights * (TRAIN_BYTES + 4) + kept + HEADROOM
    disk = weights * 4 * (len(jobs) * 4 + 4) + max((job.stored_bytes for job in jobs), default=0)
    return Estimate(seconds, memory, disk, speed)


def seconds_of(jobs: list[Job], speed: float) -> float:
    """How long trainings take at `speed`, in operations per second of a matrix product."""
    seconds = 0.0
    for job in jobs:
        work = job.num_parameters * TRAINED + job.teacher_parameters * FORWARD
        seconds += job.steps * (work * job.tokens / (speed * EFFICIENCY) + job.num_layers * STEP_OVERHEAD_S)
    return seconds


def check(found: Estimate, folder: Path) -> None:
    """Raise `OperatorFault` where the machine has too little memory or disk for a run."""
    free = _free(folder)
    if found.disk_bytes > free:
        message = f"The run needs about {_gib(found.disk_bytes)} of disk, and {folder} has {_gib(free)} left."
        raise OperatorFault("disk", f"{message} Choose another --out.")
    available = _available()
    if available and found.memory_bytes > available:
        message = f"The run needs about {_gib(found.memory_bytes)} of memory, and {_gib(available)} are free."
        raise OperatorFault(
            "out_of_memory", f"{message} Lower data.rows or data.length, or take a smaller model."
        )


def num_parameters(shape: LlamaShape, *, is_tied: bool = True) -> int:
    """Of a decoder of this shape."""

    def size(name: str) -> int:
        return int(torch.Size(expected_shape(shape, name)).numel())

    each = sum(size(f"0.{part}") for part in LAYER_PARTS)
    return size("embed") * (1 if is_tied else 2) + size("norm") + shape.num_layers * each


def measured_speed() -> float:
    """Floating-point operations per second of a matrix product, the best of some."""
    size = 256
    matrix = torch.randn(size, size)
    best = float("inf")
    for _ in range(8):
        started_s = time.perf_counter()
        torch.mm(matrix, matrix)
        best = min(best, time.perf_counter() - started_s)
    return 2 * size**3 / best


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _available() -> int:
    """Bytes of memory that can be had; 0 where the system does not say."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") + _cached()
    except (OSError, ValueError):
        return 0


def _cached() -> int:
    """What the system would give back (Linux's file)."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Cached:"))


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
