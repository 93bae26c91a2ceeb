"""Cascades in Prometheus' text: who answered, what that cost and saved, and how the minis are watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from wicket.accounts.record import Record
from wicket.telemetry.exposition import Sample, decimal, family
from wicket.telemetry.label_names import LabelNames

CHECK_API = "chat.check"
_USD_SCALE = 9


class CascadeGauge(msgspec.Struct, frozen=True):
    """One cascade now. `floor` above 1: its mini is not asked."""

    route: str
    floor: float
    level: int


class CascadeCounts:
    """Sums over the records of cascades; fed under the lock of `metrics.Metrics`."""

    def __init__(self) -> None:
        self._answered: dict[tuple[str, str], int] = {}
        self._spent: dict[str, int] = {}
        self._large_only: dict[str, int] = {}

    def observe(self, records: Sequence[Record], names: LabelNames) -> None:
        """Count those records of a batch that are a cascade's; few batches have any."""
        for record in records:
            if not record.task:
                continue
            route = names.claimed(record.model)
            self._spent[route] = self._spent.get(route, 0) + record.cost_nanos
            if record.api == CHECK_API:
                continue
            large_nanos = record.cost_nanos if record.large_cost_nanos < 0 else record.large_cost_nanos
            self._large_only[route] = self._large_only.get(route, 0) + large_nanos
            if record.deployment:
                by = "mini" if record.deployment == f"mini/{record.task}" else "large"
                self._answered[route, by] = self._answered.get((route, by), 0) + 1

    def families(self) -> list[str]:
        """The counters."""
        answered: list[Sample] = [
            ("", (("route", route), ("by", by)), str(number))
            for (route, by), number in sorted(self._answered.items())
        ]
        spent, large_only = self._spent, self._large_only
        routes = sorted(spent)
        saved = {route: large_only.get(route, 0) - spent[route] for route in routes}
        return [
            family("wicket_cascade_requests_total", "counter", "Answers of cascades, by whom.", answered),
            family(
                "wicket_cascade_cost_usd_total",
                "counter",
                "What cascades cost, checks included, in US dollars.",
                _usd(spent),
            ),
            family(
                "wicket_cascade_large_only_usd_total",
                "counter",
                "What the large model alone would have cost, in US dollars.",
                _usd(large_only),
            ),
            family(
                "wicket_cascade_saved_usd",
                "gauge",
                "What cascades have saved since the start, in US dollars; checks lower it.",
                _usd(saved),
            ),
        ]


def watch_families(
    gauges: Sequence[CascadeGauge], checks: Mapping[tuple[str, str], int], num_dropped: int
) -> list[str]:
    """Floors and levels now, and how the checks came out; nothing where there is no cascade."""
    dropped: list[Sample] = [("", (), str(num_dropped))] if gauges else []
    floors: list[Sample] = [("", (("route", one.route),), repr(one.floor)) for one in gauges]
    levels: list[Sample] = [("", (("route", one.route),), str(one.level)) for one in gauges]
    counted: list[Sample] = [
        ("", (("route", route), ("agreed", agreed)), str(number))
        for (route, agreed), number in sorted(checks.items())
    ]
    return [
        family("wicket_cascade_floor", "gauge", "The least confidence taken; above 1 none is.", floors),
        family("wicket_cascade_level", "gauge", "0 as calibrated, 1 stricter, 2 the mini is out.", levels),
        family("wicket_checks_total", "counter", "Checked answers, by whether the two agreed.", counted),
        family("wicket_checks_dropped_total", "counter", "Checks left out for want of room.", dropped),
    ]


def _usd(sums: Mapping[str, int]) -> list[Sample]:
    return [("", (("route", route),), decimal(nanos, _USD_SCALE)) for route, nanos in sorted(sums.items())]
