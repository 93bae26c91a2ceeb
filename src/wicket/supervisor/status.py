"""What `wicket status` and the gauges of `/metrics` show: processes, engines, configuration, ledger."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import wicket
from wicket.supervisor.footprint import footprint
from wicket.supervisor.settings import pending_restart

if TYPE_CHECKING:
    from wicket.supervisor.books import Books
    from wicket.supervisor.collector import Collector
    from wicket.supervisor.engines import EngineProcess
    from wicket.supervisor.house import RunningHouse
    from wicket.supervisor.settings import Settings
    from wicket.supervisor.worker import Worker
    from wicket.telemetry.metrics import Gauges


def status_document(house: RunningHouse) -> dict[str, Any]:
    """The whole document; no secret is in it."""
    return {
        "version": wicket.__version__,
        "url": house.url,
        "home": str(house.home),
        "pid": os.getpid(),
        "uptime_s": round(time.monotonic() - house.started_s, 1),
        "workers": [_worker(worker) for worker in house.crew.workers],
        "worker_restarts": house.crew.restarts,
        "engines": [_engine(engine) for engine in house.engines.current.values()],
        **_health(house),
        "cascades": house.cascades.outline(),
        "config": _config(house.settings, pending_restart(house.opened_with, house.settings.config)),
        "ledger": _ledger(house.books),
        "collector": _collector(house.opened_collector),
    }


def gauges(house: RunningHouse) -> Gauges:
    """What is so now, for Prometheus."""
    from wicket.telemetry.cascades import CascadeGauge  # kept out of the start
    from wicket.telemetry.metrics import Gauges

    workers = house.crew.workers
    writer = house.books.writer if house.books is not None else None
    return Gauges(
        version=wicket.__version__,
        in_flight=sum(worker.load.in_flight for worker in workers),
        connections=sum(worker.load.connections for worker in workers),
        workers=sum(worker.state == "ready" for worker in workers),
        ledger_queued=writer.counters.num_queued if writer else 0,
        is_ledger_open=writer is None or writer.is_open,
        ledger_written=writer.counters.num_written if writer else 0,
        ledger_faults=writer.counters.num_faults if writer else 0,
        engines={name: engine.readiness.state for name, engine in house.engines.current.items()},
        **_examples(house.opened_collector),
        cascades=[
            CascadeGauge(route, one.floor, one.watched.level)
            for route, one in house.cascades.standing.items()
        ],
        **_health(house),
        checks=house.cascades.num_checks,
        checks_dropped=sum(worker.load.checks_dropped for worker in workers),
        batches=house.opened_keeper.progress() if house.opened_keeper is not None else None,
    )


def _examples(collector: Collector | None) -> dict[str, Any]:
    if collector is None:
        return {}
    left_out = dict(collector.counters.left_out)
    return {
        "examples_refused": left_out.pop("refused", 0),
        "examples_dropped": left_out,
        "examples": dict(collector.counters.written),
    }


def _health(house: RunningHouse) -> dict[str, Any]:
    wards, now_us = house.wards, time.monotonic_ns() // 1_000
    return {
        "deployments": wards.board.deployments(now_us),
        "credentials": wards.board.credentials(now_us),
        "lanes": wards.lanes_now(),
    }


def _worker(worker: Worker) -> dict[str, Any]:
    return {
        "index": worker.index,
        "pid": worker.child.pid,
        "state": worker.state,
        "uptime_s": round(worker.child.lived_s, 1),
        "in_flight": worker.load.in_flight,
        "connections": worker.load.connections,
        "checks": worker.load.checks,
        "checks_dropped": worker.load.checks_dropped,
        "rss_bytes": worker.load.rss_bytes,
    }


def _engine(engine: EngineProcess) -> dict[str, Any]:
    used = footprint(engine.pid)
    return {
        "name": engine.spec.name,
        "model": engine.spec.deployment_id,
        "state": engine.readiness.state,
        "message": engine.readiness.message,
        "pid": engine.pid,
        "load_s": round(engine.load_s, 2),
        "restarts": engine.restarts,
        "rss_bytes": used.rss_bytes if used else None,
        "cpu_s": round(used.cpu_s, 2) if used else None,
    }


def _config(settings: Settings, waiting: list[str]) -> dict[str, Any]:
    return {
        "version": settings.version,
        "path": str(settings.path) if settings.path else "",
        "fault": settings.fault,
        "needs_restart": waiting,
    }


def _collector(collector: Collector | None) -> dict[str, Any]:
    if collector is None:
        return {"state": "opening"}
    counters = collector.counters
    return {
        "state": collector.state,
        "fault": collector.last_fault.message if collector.last_fault else "",
        "tasks": sorted(collector.tasks),
        "queued": counters.num_queued,
        "written": dict(counters.written),
        "left_out": dict(counters.left_out),
        "expired": counters.num_expired,
    }


def _ledger(books: Books | None) -> dict[str, Any]:
    if books is None:
        return {"state": "opening"}
    writer = books.writer
    counters = writer.counters
    return {
        "state": "open" if writer.is_open else "full",
        "fault": writer.last_fault.message if writer.last_fault else "",
        "queued": counters.num_queued,
        "written": counters.num_written,
        "known": counters.num_known,
        "refused": counters.num_refused,
        "commits": counters.num_commits,
        "faults": counters.num_faults,
    }
