"""Memory, processor time and energy of local models while they are compared.

Energy is an estimate: processor seconds of the model's own processes times a stated power of a busy core. The
processor's own meter (RAPL, Linux' powercap) is read where it may be; it counts the whole machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wicket.errors import Fault

if TYPE_CHECKING:
    from wicket.cli.client import Client
    from wicket.cli.compare_ask import Served
    from wicket.suites.comparison import ModelResult

POWERCAP = Path("/sys/class/powercap")
_MICRO = 1_000_000


class Meter:
    """Reads the engines before and after. Other requests to them meanwhile are counted as well."""

    def __init__(self, client: Client, served: Mapping[str, Served], watts_per_core: float) -> None:
        self._client = client
        self._served = served
        self._watts = watts_per_core
        self._before: dict[str, dict[str, Any]] = {}
        self._after: dict[str, dict[str, Any]] = {}
        self._joules: list[float | None] = [None, None]

    def start(self) -> None:
        """Before the first request."""
        self._before = self._engines()
        self._joules[0] = measured_j(POWERCAP)

    def stop(self) -> None:
        """After the last one."""
        self._after = self._engines()
        self._joules[1] = measured_j(POWERCAP)

    def note(self, results: Sequence[ModelResult], asked_before: Set[str]) -> None:
        """Write memory, processor time and energy into the rows of local models.

        Two models of one engine can't be told apart: they get the memory, and no share of the rest. Nor does
        one that was `asked_before`, in an earlier run: its processor time is not known here.
        """
        sharing = Counter(one.engine for one in self._served.values() if one.engine)
        for result in results:
            engine = self._served[result.model].engine
            before, after = self._before.get(engine), self._after.get(engine)
            if not engine or after is None:
                continue
            result.memory_bytes = after.get("rss_bytes")
            if sharing[engine] > 1 or result.model in asked_before or before is None:
                continue
            if before.get("pid") != after.get("pid"):  # it was started anew meanwhile
                continue
            if before.get("cpu_s") is None or after.get("cpu_s") is None:
                continue
            spent = float(after["cpu_s"]) - float(before["cpu_s"])
            if spent > 0:
                result.cpu_s = round(spent, 2)
                result.energy_j = round(spent * self._watts, 1)

    def machine(self) -> dict[str, Any]:
        """What the energy figures rest on."""
        first, last = self._joules
        measured = None if first is None or last is None or last < first else round(last - first, 1)
        return {"watts_per_core": self._watts, "is_estimate": True, "measured_j": measured}

    def _engines(self) -> dict[str, dict[str, Any]]:
        """The engines in the server's status; none where the key may not see it."""
        if not any(one.engine for one in self._served.values()):
            return {}
        try:
            status = self._client.call("GET", "/admin/v1/status")
        except Fault:
            return {}
        return {str(engine["name"]): engine for engine in status.get("engines") or ()}


def measured_j(folder: Path) -> float | None:
    """Joules that the processor packages have counted; None where none can be read."""
    total, is_read = 0, False
    for zone in sorted(folder.glob("*-rapl:*")):
        if zone.name.count(":") > 1:
            continue  # a part of a package, counted there
        try:
            total += int((zone / "energy_uj").read_text())
        except (OSError, ValueError):
            continue
        is_read = True
    return total / _MICRO if is_read else None
