"""The cascades in force: what each mini may do now, how it is watched, and what is remembered of that.

Everything that is decided here is decided in `minis/`; this keeps the state and tells the terms. The watch
outlives a restart in `minis/TASK/watch.json`; a new run starts a fresh one.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from wicket.accounts.usage_rows import DAY_MS, UsageRow, iso_day
from wicket.config.check_cascade import POLICY, task_of
from wicket.config.schema import Config, Model
from wicket.minis.budget import Demand, Spent, demand_of, summed
from wicket.minis.card import FOLDER, MiniCard
from wicket.minis.confidence import interval
from wicket.minis.terms import Aim, CascadeTerms, floor_of, quality_of
from wicket.minis.watch import LEVELS, Watched, check_share, checked
from wicket.supervisor.home import write_private
from wicket.supervisor.messages import Cascades as CascadesMessage
from wicket.supervisor.messages import Checked
from wicket.wire import json

STATE_FILE = "watch.json"
CHECK_API = "chat.check"
NANOS_PER_USD = 1_000_000_000
_log = logging.getLogger("wicket.supervisor")


class Kept(msgspec.Struct, frozen=True):
    """What `watch.json` holds: of one run, the watch of each route that it serves."""

    run: str
    routes: dict[str, Watched] = {}


class Standing:
    """One cascade: what the operator wants, the card of its mini, and how it has done."""

    def __init__(self, route: str, model: Model, card: MiniCard, watched: Watched) -> None:
        budget = model.budget_usd_per_day
        self.route = route
        self.card = card
        self.aim = Aim(model.quality, None if budget is None else round(budget * NANOS_PER_USD))
        self.check_share = model.check_share
        self.check_nanos = round(model.check_usd_per_day * NANOS_PER_USD)
        self.watched = watched
        self.demand: Demand | None = None
        self.checks_cost = 0  # nano-USD, today

    @property
    def floor(self) -> float:
        """The least confidence at which an answer is taken."""
        return floor_of(self.card.calibration, self.aim, self.watched.level, self.demand)

    @property
    def is_paused(self) -> bool:
        """Whether today's checks have cost what they may."""
        return self.checks_cost >= self.check_nanos

    def terms(self) -> CascadeTerms:
        """As the workers are told."""
        share = 0.0 if self.is_paused else check_share(self.watched, self.check_share)
        return CascadeTerms(self.floor, share, self.card.answers, self.card.run)

    def take(self, agreed: bool) -> bool:
        """One check more; whether that was an alarm."""
        calibration, level = self.card.calibration, self.watched.level
        quality = quality_of(calibration, self.aim, min(level, LEVELS - 1), self.demand)
        self.watched = checked(self.watched, agreed, quality)
        return self.watched.level > level


class Cascades:
    """All cascades of one house, by route. Lives on the loop; only `write` may leave it."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER
        self._unsaved: set[str] = set()  # tasks
        self._waiting: dict[str, str] = {}  # routes whose task has no mini yet → the task
        self.standing: dict[str, Standing] = {}
        self.num_checks: Counter[tuple[str, str]] = Counter()  # (route, "true", "false" or "unanswered")

    def enact(self, config: Config, cards: Mapping[str, MiniCard]) -> None:
        """The routes of a configuration; what is known of those that stay as they were is kept."""
        before, self.standing, self._waiting = self.standing, {}, {}
        for route, model in config.models.items():
            if model.policy != POLICY:
                continue
            task = task_of(model.ids[0])
            card = cards.get(task)
            if card is None:
                self._waiting[route] = task
                continue
            old = before.get(route)
            if old is not None and (old.card.task, old.card.run) == (task, card.run):
                watched = old.watched
            else:
                watched = self._read(task).get(card.run, {}).get(route, Watched())
            self.standing[route] = fresh = Standing(route, model, card, watched)
            if old is not None:
                fresh.demand, fresh.checks_cost = old.demand, old.checks_cost

    def message(self) -> CascadesMessage:
        """What every worker is told, whole."""
        return CascadesMessage({route: one.terms() for route, one in self.standing.items()})

    def take(self, message: Checked) -> None:
        """A check came out."""
        standing = self.standing.get(message.route)
        if standing is None:
            return
        agreed = message.agreed
        self.num_checks[message.route, "unanswered" if agreed is None else str(agreed).lower()] += 1
        standing.checks_cost += message.cost_nanos
        if agreed is None or message.run != standing.card.run:
            return
        self._unsaved.add(standing.card.task)
        if standing.take(agreed):
            self._alarm(standing)

    def count(self, rows: Sequence[UsageRow], now_ms: int) -> None:
        """What the ledger says of yesterday and today: rows by day, api, model and deployment."""
        today, yesterday = iso_day(now_ms // DAY_MS), iso_day(now_ms // DAY_MS - 1)
        for route, standing in self.standing.items():
            mine = [row for row in rows if row.model == route]
            checks = [row for row in mine if row.api == CHECK_API and row.day == today]
            standing.checks_cost = sum(row.cost_nanos for row in checks)
            days = [
                summed([_spent(row) for row in mine if row.api != CHECK_API and row.day == day])
                for day in (yesterday, today)
            ]
            standing.demand = demand_of(days[0], days[1], now_ms)

    def outline(self) -> list[dict[str, Any]]:
        """For `wicket status`."""
        lines: list[dict[str, Any]] = [_outline(one) for one in self.standing.values()]
        for route, task in self._waiting.items():
            lines.append({"route": route, "task": task, "note": "no mini yet: everything goes up"})
        return lines

    def unsaved(self) -> dict[Path, str]:
        """The files that want to be written, and their texts; they count as written from then on."""
        files = {}
        for task in self._unsaved:
            mine = {route: one for route, one in self.standing.items() if one.card.task == task}
            if mine:
                run = next(iter(mine.values())).card.run
                kept = Kept(run, {route: one.watched for route, one in mine.items()})
                files[self._folder / task / STATE_FILE] = json.dumps(kept) + "\n"
        self._unsaved = set()
        return files

    def save(self) -> None:
        """Write what wants to be written; blocks."""
        write(self.unsaved())

    def _alarm(self, standing: Standing) -> None:
        seen = standing.watched
        _log.error(
            "the mini of task %s does worse on route %s than it may: %d of %d checks agreed; "
            "its level is %d of %d now, its floor %.4f",
            *(standing.card.task, standing.route, seen.num_agreed, seen.num_checked),
            *(seen.level, LEVELS, standing.floor),
        )

    def _read(self, task: str) -> dict[str, dict[str, Watched]]:
        path = self._folder / task / STATE_FILE
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("%s can't be read, so the watch begins anew: %s", path, error)
            return {}
        return {kept.run: kept.routes}


def write(files: Mapping[Path, str]) -> None:
    """Replace each file whole; one that can't be written is a line in the log. Blocks."""
    for path, text in files.items():
        try:
            write_private(path, text)
        except OSError as error:
            _log.error("%s can't be written: %s", path, error.strerror)


def _spent(row: UsageRow) -> Spent:
    if not row.deployment:
        return Spent()
    if row.deployment.startswith("mini/"):
        return Spent(num_requests=row.requests)
    return Spent(row.requests, row.requests, row.cost_nanos)


def _outline(standing: Standing) -> dict[str, Any]:
    seen, terms = standing.watched, standing.terms()
    low, high = interval(seen.num_agreed, seen.num_checked)
    aim = standing.aim
    lines: dict[str, Any] = {
        "route": standing.route,
        "task": standing.card.task,
        "run": standing.card.run,
        "floor": round(terms.floor, 6),
        "level": seen.level,
        "check_share": terms.check_share,
        "checked": seen.num_checked,
        "agreed": seen.num_agreed,
        "agreed_interval": [round(low, 4), round(high, 4)],
        "alarms": seen.num_alarms,
        "check_usd_today": standing.checks_cost / NANOS_PER_USD,
    }
    if aim.quality is not None:
        lines["quality"] = aim.quality
    elif aim.budget_nanos is not None:
        lines["budget_usd_per_day"] = aim.budget_nanos / NANOS_PER_USD
    note = _note(standing, terms)
    return {**lines, "note": note} if note else lines


def _note(standing: Standing, terms: CascadeTerms) -> str:
    notes = []
    if terms.floor > 1.0:
        notes.append("the mini is not asked: no confidence is known to reach what is wanted of it")
    if standing.is_paused and standing.check_share > 0:
        notes.append("today's checks have cost what they may: none until tomorrow (UTC)")
    if standing.aim.budget_nanos is not None and standing.demand is None:
        notes.append("too little is known of the traffic yet: the strictest floor until then")
    return "; ".join(notes)
