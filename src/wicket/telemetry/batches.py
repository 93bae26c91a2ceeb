"""Batches and what is kept, in Prometheus' text: what is under way, what is over, what grew too old."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from wicket.telemetry.exposition import Sample, family


class BatchGauges(msgspec.Struct, frozen=True):
    """As the supervisor knows it; what is counted is counted since its start."""

    batches_running: int = 0
    lines_running: int = 0
    lines_waiting: int = 0
    batches_ended: Mapping[str, int] = {}  # by status
    lines_ended: Mapping[str, int] = {}  # "ok" or "failed"
    kept_expired: int = 0


def batch_families(gauges: BatchGauges | None) -> list[str]:
    """The families; none where nothing is kept."""
    if gauges is None:
        return []
    lines: list[Sample] = [
        ("", (("state", "running"),), str(gauges.lines_running)),
        ("", (("state", "waiting"),), str(gauges.lines_waiting)),
    ]
    running: list[Sample] = [("", (), str(gauges.batches_running))]
    expired: list[Sample] = [("", (), str(gauges.kept_expired))]
    return [
        family("wicket_batches_running", "gauge", "Batches that are worked on.", running),
        family("wicket_batch_lines", "gauge", "Their lines that are not over.", lines),
        family(
            "wicket_batches_total", "counter", "Batches that are over.", _by("status", gauges.batches_ended)
        ),
        family(
            "wicket_batch_lines_total", "counter", "Lines that are over.", _by("result", gauges.lines_ended)
        ),
        family("wicket_kept_expired_total", "counter", "Kept things that grew too old.", expired),
    ]


def _by(label: str, counts: Mapping[str, int]) -> list[Sample]:
    return [("", ((label, name),), str(number)) for name, number in sorted(counts.items())]
