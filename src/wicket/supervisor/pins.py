"""Which run of each task's mini is in force: read from `minis/TASK/current` in the data folder, and watched.

The configuration names tasks; a training that passes its gate puts its run's name into `current`, in one
step. From then on the task's engine loads that run. A run that can't be used changes nothing but the log.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from wicket.config.check_cascade import pinned
from wicket.config.schema import Config, Engine
from wicket.errors import EngineFault
from wicket.minis.card import CURRENT, FILE_NAME, FOLDER, MiniCard, read_card

MAX_CARD_BYTES = 64 << 20
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_log = logging.getLogger("wicket.supervisor")


class Pinned(msgspec.Struct, frozen=True):
    """A configuration whose minis have their runs, and the cards of these, by task."""

    config: Config
    cards: Mapping[str, MiniCard]


class Pins:
    """The `current` files of one data folder. A change counts once two looks in a row see the same."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER
        self._known: dict[str, str] = {}  # task → what `current` said when it was last pinned
        self._seen: dict[str, str] = {}

    def pin(self, config: Config, in_force: Mapping[str, MiniCard]) -> Pinned:
        """The configuration with each mini's run, without the minis that there are not.

        `in_force` are the cards of now: they stay where the new run can't be used.
        """
        engines: dict[str, Engine] = {}
        cards: dict[str, MiniCard] = {}
        warnings: list[str] = []
        self._known = {}
        for name, engine in config.engines.items():
            if not engine.task:
                engines[name] = engine
                continue
            card, warning = self._card(engine.task, in_force.get(engine.task))
            if warning:
                warnings.append(warning)
            if card is not None:
                cards[engine.task] = card
                engines[name] = pinned(engine, card.run)
        fresh = msgspec.structs.replace(config, engines=engines, warnings=(*config.warnings, *warnings))
        return Pinned(fresh, cards)

    def have_changed(self) -> bool:
        """Whether some `current` says something else than when it was pinned."""
        before, self._seen = self._seen, {task: self._read(task) for task in self._known}
        return any(
            said != self._known[task] and before.get(task) == said for task, said in self._seen.items()
        )

    def _card(self, task: str, now: MiniCard | None) -> tuple[MiniCard | None, str]:
        """The card to use, and a warning for the start message if there should be another."""
        self._known[task] = run = self._read(task)
        if not run:
            return None, ""
        try:
            card = self._load(task, run)
        except EngineFault as fault:
            if now is None:
                return None, f"task {task} has no mini: {fault.message}"
            _log.error("task %s stays with its run %s: %s", task, now.run, fault.message)
            return now, ""
        if now is None or now.run != run:
            _log.info("task %s: run %s is in force", task, run)
        return card, ""

    def _load(self, task: str, run: str) -> MiniCard:
        if not RUN_NAME.fullmatch(run):
            raise EngineFault("bad_checkpoint", f"{self.folder / task / CURRENT} holds no run's name")
        path = self.folder / task / run / FILE_NAME
        try:
            with path.open("rb") as file:
                data = file.read(MAX_CARD_BYTES)
        except OSError as error:
            raise EngineFault("no_such_model", f"{path} can't be read ({error.strerror})") from None
        card = read_card(data)
        if (card.task, card.run) != (task, run):
            message = f"{path} is the card of task {card.task!r}, run {card.run!r}"
            raise EngineFault("bad_checkpoint", message)
        return card

    def _read(self, task: str) -> str:
        try:
            return (self.folder / task / CURRENT).read_text(errors="replace")[:256].strip()
        except OSError:
            return ""
