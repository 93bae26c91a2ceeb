"""What a run was made with: versions and machine, for its report."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import wicket

PACKAGES = ("torch", "numpy", "tokenizers", "safetensors", "gguf", "openvino")


def versions() -> dict[str, str]:
    """Wicket, Python and the packages whose numbers a result depends on."""
    found = {"wicket": wicket.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Processor, cores, threads."""
    return {
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "processor": _processor(),
        "system": platform.system(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
