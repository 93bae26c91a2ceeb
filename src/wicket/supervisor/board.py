"""What all workers know of the deployments together: who is open, how fast, how busy. Bounded, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from wicket.routing.vitals import Digest, Turn

MAX_KNOWN = 1_024
MAX_SHOWN = 200

Key = tuple[str, int]


class Open(msgspec.Struct, frozen=True):
    """A breaker that is not closed, until `until_us` of the supervisor's clock."""

    turn: Turn
    until_us: int


class Board:
    """One per supervisor; a restart begins with an empty one."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int, bool], Open] = {}
        self._known: dict[Key, Digest] = {}  # the newest of all workers
        self._running: dict[int, dict[Key, int]] = {}  # by worker
        self._news: dict[Key, int] = {}  # what came since the last round, and from which worker

    def turn(self, turn: Turn, now_us: int) -> None:
        """A worker's breaker turned."""
        key = (turn.name, turn.credential, turn.of_credential)
        self._open.pop(key, None)
        if turn.state != "closed":
            if len(self._open) >= MAX_KNOWN:
                self._open.pop(next(iter(self._open)))
            self._open[key] = Open(turn, now_us + turn.left_us)

    def take(self, worker: int, digests: Iterable[Digest]) -> None:
        """What a worker told in its last second; what it does not name does not run there."""
        running: dict[Key, int] = {}
        for digest in digests:
            key = (digest.name, digest.credential)
            if digest.num_running:
                running[key] = digest.num_running
            self._known.pop(key, None)
            if len(self._known) >= MAX_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._known[key] = digest
            self._news[key] = worker
        self._running[worker] = running

    def set_workers(self, living: Iterable[int]) -> None:
        """Only these live."""
        kept = set(living)
        self._running = {worker: each for worker, each in self._running.items() if worker in kept}

    def forget(self, providers: Iterable[str]) -> None:
        """These providers were configured anew."""
        for provider in providers:
            for key in [key for key in self._open if key[0] == provider or key[0].startswith(f"{provider}/")]:
                del self._open[key]

    def standing(self, now_us: int) -> list[Turn]:
        """Every breaker that is not closed, as a new worker is told it."""
        return [
            msgspec.structs.replace(each.turn, left_us=max(0, each.until_us - now_us))
            for each in self._open.values()
        ]

    def round(self) -> dict[int, list[Digest]]:
        """What each worker should hear of the others; called once a second."""
        news, self._news = self._news, {}
        return {worker: self._for(worker, news) for worker in self._running}

    def _for(self, worker: int, news: Mapping[Key, int]) -> list[Digest]:
        others: dict[Key, int] = {}
        for index, running in self._running.items():
            if index != worker:
                for key, number in running.items():
                    others[key] = others.get(key, 0) + number
        keys = [*others, *(key for key, source in news.items() if source != worker and key not in others)]
        return [
            msgspec.structs.replace(self._known[key], num_running=others.get(key, 0))
            if news.get(key, worker) != worker
            else Digest(*key, num_running=others[key])
            for key in keys
            if key in self._known
        ]

    def deployments(self, now_us: int) -> list[dict[str, Any]]:
        """Every deployment that was asked or is open, by name; at most `MAX_SHOWN`, troubled ones first."""
        opened = {key[:2]: each for key, each in self._open.items() if not key[2]}
        keys = sorted({*self._known, *opened}, key=lambda key: (key not in opened, key))[:MAX_SHOWN]
        return [self._shown(key, opened.get(key), now_us) for key in sorted(keys)]

    def credentials(self, now_us: int) -> list[dict[str, Any]]:
        """Every credential that is in trouble."""
        return [
            {"provider": name, "credential": number, **_state(each, now_us)}
            for (name, number, of_credential), each in sorted(self._open.items())
            if of_credential
        ]

    def _shown(self, key: Key, opened: Open | None, now_us: int) -> dict[str, Any]:
        digest = self._known.get(key) or Digest(*key)
        return {
            "deployment": key[0],
            "credential": key[1],
            **_state(opened, now_us),
            "running": sum(running.get(key, 0) for running in self._running.values()),
            "first_token_ms": None if digest.first_token_us < 0 else round(digest.first_token_us / 1_000, 1),
            "tokens_per_s": digest.tokens_per_s or None,
            "headroom": digest.headroom,
        }


def _state(opened: Open | None, now_us: int) -> dict[str, Any]:
    """A cooldown that has passed waits for a probe: that is still not closed."""
    if opened is None:
        return {"state": "closed", "cooldown_s": 0.0, "reason": ""}
    left_us = max(0, opened.until_us - now_us)
    return {
        "state": opened.turn.state if left_us else "half_open",
        "cooldown_s": round(left_us / 1e6, 1),
        "reason": opened.turn.code,
    }
