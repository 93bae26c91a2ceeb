"""Counters and histograms made of the records, and their text for Prometheus.

Money stays in whole nano-USD and times in whole microseconds until the text is made, so that sums are exact.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from wicket.accounts.record import Record
from wicket.telemetry.batches import BatchGauges, batch_families
from wicket.telemetry.cascades import CascadeCounts, CascadeGauge, watch_families
from wicket.telemetry.exposition import Labels, Sample, decimal, family, histogram
from wicket.telemetry.health import credential_families, deployment_families
from wicket.telemetry.label_names import LabelNames

# microseconds; total times reach from a cached embedding to minutes of reasoning
TOTAL_BOUNDS_US = tuple(
    round(seconds * 1_000_000)
    for seconds in (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
)
FIRST_TOKEN_BOUNDS_US = tuple(
    round(seconds * 1_000_000)
    for seconds in (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
)
_KINDS = ("input", "output", "cached", "cache_write", "reasoning")
_USD_SCALE, _SECONDS_SCALE = 9, 6


class Gauges(msgspec.Struct, frozen=True):
    """What is so now, as the supervisor knows it. `engines`: name → state."""

    version: str = ""
    in_flight: int = 0
    connections: int = 0
    workers: int = 0
    ledger_queued: int = 0
    is_ledger_open: bool = True
    ledger_written: int = 0
    ledger_faults: int = 0
    engines: Mapping[str, str] = {}
    examples: Mapping[str, int] = {}  # by task
    examples_dropped: Mapping[str, int] = {}  # by reason
    examples_refused: int = 0
    deployments: Sequence[Mapping[str, Any]] = ()  # as `wicket status` shows them
    credentials: Sequence[Mapping[str, Any]] = ()
    lanes: Sequence[Mapping[str, Any]] = ()
    cascades: Sequence[CascadeGauge] = ()
    checks: Mapping[tuple[str, str], int] = {}
    checks_dropped: int = 0
    batches: BatchGauges | None = None  # where anything is kept


class _Series:
    """The sums of one (api, model, deployment)."""

    __slots__ = (
        "charge",
        "cost",
        "estimated",
        "first_counts",
        "first_us",
        "tokens",
        "total_counts",
        "total_us",
    )

    def __init__(self) -> None:
        self.total_counts = [0] * (len(TOTAL_BOUNDS_US) + 1)
        self.first_counts = [0] * (len(FIRST_TOKEN_BOUNDS_US) + 1)
        self.total_us = self.first_us = self.cost = self.charge = self.estimated = 0
        self.tokens = [0] * len(_KINDS)


SeriesKey = tuple[str, str, str]  # api, model, deployment
_Kind = tuple[
    str, str, str, str, int, bool
]  # as the record has it: api, model, deployment, outcome, status, stream
RequestKey = tuple[str, str, str, str, int, bool]  # … outcome, status class, is_stream


class Metrics:
    """Sums since the start of the process. Safe to feed and to read from different threads."""

    def __init__(self, max_names: int = 500) -> None:
        self._lock = threading.Lock()
        self._models = LabelNames(max_names)
        self._deployments = LabelNames(max_names)
        self._outcomes = LabelNames(max_names)
        self._series: dict[SeriesKey, _Series] = {}
        self._requests: dict[RequestKey, int] = {}
        self._attempts: dict[tuple[str, str], int] = {}
        self._cascades = CascadeCounts()

    def declare(self, models: Iterable[str] = (), deployments: Iterable[str] = ()) -> None:
        """Names of the configuration in force: they get labels of their own also before any success."""
        with self._lock:
            self._models.declare(models)
            self._deployments.declare(deployments)

    def observe(self, records: Sequence[Record]) -> None:
        """Count a batch of finished requests."""
        with self._lock:
            for kind, alike in _alike(records).items():
                self._count(kind, alike)
            self._cascades.observe(records, self._models)

    def render(self, gauges: Gauges) -> str:
        """The whole page, in `exposition.CONTENT_TYPE`."""
        with self._lock:
            families = [
                *self._request_families(),
                *self._series_families(),
                *self._cascades.families(),
                *deployment_families(gauges.deployments, self._deployments),
            ]
        watched = watch_families(gauges.cascades, gauges.checks, gauges.checks_dropped)
        spared = credential_families(gauges.credentials, gauges.lanes)
        kept = batch_families(gauges.batches)
        return "".join([*families, *_gauge_families(gauges), *spared, *watched, *kept])

    def _count(self, kind: _Kind, records: Sequence[Record]) -> None:
        api, model, deployment, outcome, status, is_stream = kind
        if not deployment:
            model = ""
        elif outcome == "ok":
            model, deployment = self._models.proven(model), self._deployments.proven(deployment)
        else:
            model, deployment = self._models.claimed(model), self._deployments.claimed(deployment)
        key = (api, model, deployment)
        request = (*key, self._outcomes.proven(outcome), status // 100, is_stream)
        self._requests[request] = self._requests.get(request, 0) + len(records)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series()
        _add(series, records)
        tries = [(tried.deployment, tried.reason) for record in records for tried in record.attempts]
        for (name, reason), number in Counter(tries).items():
            label = self._deployments.claimed(name) if reason else self._deployments.proven(name)
            attempted = (label, self._outcomes.proven(reason or "ok"))
            self._attempts[attempted] = self._attempts.get(attempted, 0) + number

    def _request_families(self) -> list[str]:
        requests: list[Sample] = [
            (
                "",
                (*_named(key[:3]), ("outcome", key[3]), ("status", f"{key[4]}xx"), ("stream", _flag(key[5]))),
                str(n),
            )
            for key, n in sorted(self._requests.items())
        ]
        attempts: list[Sample] = [
            ("", (("deployment", deployment), ("reason", reason)), str(number))
            for (deployment, reason), number in sorted(self._attempts.items())
        ]
        return [
            family("wicket_requests_total", "counter", "Finished requests.", requests),
            family("wicket_attempts_total", "counter", "Tries of deployments, by how they ended.", attempts),
        ]

    def _series_families(self) -> list[str]:
        totals: list[Sample] = []
        firsts: list[Sample] = []
        tokens: list[Sample] = []
        costs: list[Sample] = []
        charges: list[Sample] = []
        estimated: list[Sample] = []
        for key, series in sorted(self._series.items()):
            labels = _named(key)
            total, first = decimal(series.total_us, _SECONDS_SCALE), decimal(series.first_us, _SECONDS_SCALE)
            totals += histogram(labels, _seconds(TOTAL_BOUNDS_US), series.total_counts, total)
            if any(series.first_counts):
                firsts += histogram(labels, _seconds(FIRST_TOKEN_BOUNDS_US), series.first_counts, first)
            for kind, number in zip(_KINDS, series.tokens, strict=True):
                tokens.append(("", (*labels, ("kind", kind)), str(number)))
            costs.append(("", labels, decimal(series.cost, _USD_SCALE)))
            charges.append(("", labels, decimal(series.charge, _USD_SCALE)))
            estimated.append(("", labels, str(series.estimated)))
        return [
            family("wicket_request_seconds", "histogram", "From the request's start to its end.", totals),
            family("wicket_first_token_seconds", "histogram", "From the start to the first token.", firsts),
            family(
                "wicket_tokens_total", "counter", "Tokens; input includes cached and cache_write.", tokens
            ),
            family("wicket_cost_usd_total", "counter", "What providers bill, in US dollars.", costs),
            family("wicket_charge_usd_total", "counter", "What callers pay, in US dollars.", charges),
            family("wicket_estimated_total", "counter", "Requests whose tokens were estimated.", estimated),
        ]


def _alike(records: Iterable[Record]) -> dict[_Kind, list[Record]]:
    """The records by their kind: a busy batch has few, so that labels are looked up once for many records."""
    kinds: dict[_Kind, list[Record]] = {}
    for record in records:
        kind = (
            record.api,
            record.model,
            record.deployment,
            record.outcome,
            record.status,
            record.is_stream,
        )
        alike = kinds.get(kind)
        if alike is None:
            kinds[kind] = [record]
        else:
            alike.append(record)
    return kinds


def _add(series: _Series, records: Sequence[Record]) -> None:
    totals = [record.total_us for record in records]
    firsts = [first_us for record in records if (first_us := record.first_token_us) >= 0]
    series.total_us += _counted(series.total_counts, TOTAL_BOUNDS_US, totals)
    series.first_us += _counted(series.first_counts, FIRST_TOKEN_BOUNDS_US, firsts)
    usages, tokens = [record.usage for record in records], series.tokens
    tokens[0] += sum([usage.input_tokens for usage in usages])
    tokens[1] += sum([usage.output_tokens for usage in usages])
    tokens[2] += sum([usage.cached_tokens for usage in usages])
    tokens[3] += sum([usage.cache_write_tokens for usage in usages])
    tokens[4] += sum([usage.reasoning_tokens for usage in usages])
    series.estimated += sum([usage.is_estimated for usage in usages])
    series.cost += sum([record.cost_nanos for record in records])
    series.charge += sum([record.charge_nanos for record in records])


def _counted(counts: list[int], bounds: tuple[int, ...], times_us: list[int]) -> int:
    """Their sum, after each was counted in its bucket: a time equal to a bound is within it."""
    if len(times_us) <= len(bounds):
        for time_us in times_us:
            counts[bisect_left(bounds, time_us)] += 1
        return sum(times_us)
    times_us.sort()
    passed = 0
    for place, bound in enumerate(bounds):
        within = bisect_right(times_us, bound, passed)
        counts[place] += within - passed
        passed = within
    counts[-1] += len(times_us) - passed
    return sum(times_us)


def _gauge_families(gauges: Gauges) -> list[str]:
    engines: list[Sample] = [
        ("", (("engine", name), ("state", state)), "1") for name, state in sorted(gauges.engines.items())
    ]
    plain = (
        ("wicket_in_flight", "gauge", "Requests under way.", gauges.in_flight),
        ("wicket_connections", "gauge", "Open connections of callers.", gauges.connections),
        ("wicket_workers", "gauge", "Worker processes that answer.", gauges.workers),
        ("wicket_ledger_queued", "gauge", "Records that wait for the database.", gauges.ledger_queued),
        ("wicket_ledger_open", "gauge", "1 while records are taken.", int(gauges.is_ledger_open)),
        ("wicket_ledger_records_total", "counter", "Records committed.", gauges.ledger_written),
        (
            "wicket_ledger_faults_total",
            "counter",
            "Commits that failed and are tried again.",
            gauges.ledger_faults,
        ),
    )
    return [
        *(family(name, kind, meaning, [("", (), str(value))]) for name, kind, meaning, value in plain),
        family("wicket_engine_state", "gauge", "1 for the state that a local engine is in.", engines),
        *_example_families(gauges),
        family("wicket_build_info", "gauge", "The version.", [("", (("version", gauges.version),), "1")]),
    ]


def _example_families(gauges: Gauges) -> list[str]:
    kept: list[Sample] = [("", (("task", name),), str(n)) for name, n in sorted(gauges.examples.items())]
    dropped: list[Sample] = [
        ("", (("reason", name),), str(n)) for name, n in sorted(gauges.examples_dropped.items())
    ]
    refused: list[Sample] = [("", (), str(n)) for n in [gauges.examples_refused] if n]
    return [
        family("wicket_examples_total", "counter", "Requests kept as examples.", kept),
        family("wicket_examples_dropped_total", "counter", "Requests not kept as examples.", dropped),
        family("wicket_examples_refused_total", "counter", "Requests whose callers refused.", refused),
    ]


def _named(key: SeriesKey) -> Labels:
    return (("api", key[0]), ("model", key[1]), ("deployment", key[2]))


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _seconds(bounds_us: tuple[int, ...]) -> list[str]:
    return [decimal(bound, _SECONDS_SCALE) for bound in bounds_us]
