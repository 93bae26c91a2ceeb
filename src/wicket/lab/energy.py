"""What computing takes in energy: by the processor's own meter where it may be read, else an estimate that
says it is one.

The meter is RAPL's (running average power limit), which Linux shows as files of microjoules that count up and
begin again (Documentation/power/powercap/powercap.rst). It counts the processor's packages whole, so other
work at the same time counts too; memory and everything else of the machine do not.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import msgspec

POWERCAP = Path("/sys/class/powercap")
_MICRO = 1e-6


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """`source` "rapl" was measured; "estimate" is the CPU seconds of this process times `watts` of a busy
    core: good for comparing two models on one machine, and no more."""

    source: Literal["rapl", "estimate"]
    joules: float
    joules_per_token: float
    num_tokens: int
    watts: float | None = None


class Domain(msgspec.Struct, frozen=True):
    """One package's counter: where it is, and after how many microjoules it begins again."""

    path: Path
    range: int


class Meter:
    """Counts between `start` and `stop`, as often as one likes."""

    def __init__(self, watts: float, root: Path = POWERCAP) -> None:
        self._watts = watts
        self._domains = packages(root)
        self._joules = 0.0
        self._began: list[float] = []

    def start(self) -> None:
        """From now on it counts."""
        self._began = self._read()

    def stop(self) -> None:
        """It counts no more."""
        ended = self._read()
        if self._domains:
            for domain, before, after in zip(self._domains, self._began, ended, strict=True):
                self._joules += (after - before + (domain.range if after < before else 0)) * _MICRO
        else:
            self._joules += (ended[0] - self._began[0]) * self._watts

    def found(self, num_tokens: int) -> Energy:
        """All that was counted, which made so many tokens."""
        return Energy(
            source="rapl" if self._domains else "estimate",
            joules=self._joules,
            joules_per_token=self._joules / max(1, num_tokens),
            num_tokens=num_tokens,
            watts=None if self._domains else self._watts,
        )

    def _read(self) -> list[float]:
        if not self._domains:
            return [time.process_time()]
        return [float(_number(domain.path) or 0) for domain in self._domains]


def packages(root: Path = POWERCAP) -> list[Domain]:
    """The processor's packages as far as their counters may be read; most systems let root alone."""
    found = []
    for folder in sorted(root.glob("*rapl:*")):
        try:
            is_package = (folder / "name").read_text().startswith("package")
        except OSError:
            continue
        most = _number(folder / "max_energy_range_uj")
        if is_package and most is not None and _number(folder / "energy_uj") is not None:
            found.append(Domain(folder / "energy_uj", most))
    return found


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
