"""Limits on how many requests run at a provider at once: who finds no room waits, or goes elsewhere.

The limit is the provider's `max_concurrent`, of which this worker has a share that the supervisor gives it
(`supervisor/shares.py`). A request that waits has its walk's own limits of time; it is no failure of the
provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from wicket.errors import Fault, OperatorFault, ProviderFault
from wicket.gateway.observe import NO_ROOM
from wicket.routing.deployment import Deployment
from wicket.routing.lane import Lane

if TYPE_CHECKING:
    from wicket.gateway.attempt import Attempt

RETRY_AFTER_MS = 1_000


class LaneTable(msgspec.Struct, frozen=True):
    """What the configuration says of one provider's lane."""

    max_concurrent: int
    queue: int


class Place:
    """An attempt's place in a lane: waited for, held, or gone. `start` is called once it is held."""

    __slots__ = ("_ask", "attempt", "caller", "is_waiting", "lane", "lanes")

    def __init__(self, lanes: Lanes, lane: Lane[Place], attempt: Attempt, ask: Callable[[], None]) -> None:
        self.lanes = lanes
        self.lane = lane
        self.attempt = attempt
        self.caller = attempt.call.caller.key_id
        self.is_waiting = True
        self._ask = ask

    def start(self) -> None:
        """The place is held: the attempt goes out, and only now does its own clock begin."""
        self.is_waiting = False
        self.attempt.started_us = self.attempt.clock()
        self._ask()

    def refuse(self, fault: Fault) -> None:
        """There is no place: the attempt fails, in its own turn of the loop."""
        attempt = self.attempt
        attempt.place = None
        asyncio.get_running_loop().call_soon(attempt.refuse, fault)

    def leave(self) -> None:
        """The attempt is over, however it stood."""
        self.attempt.place = None
        self.lanes.leave(self)


class Lanes:
    """A worker's lanes by provider; empty where nothing is limited. `shrunk` hears of places given back."""

    def __init__(self) -> None:
        self.by_provider: dict[str, Lane[Place]] = {}
        self.is_closed = False
        self.shrunk: Callable[[str], None] = lambda provider: None

    def configure(self, tables: Mapping[str, LaneTable]) -> None:
        """Another configuration: lanes that stay keep their places; who waited in one that goes may run."""
        for name in [name for name in self.by_provider if name not in tables]:
            gone = self.by_provider.pop(name)
            self._start(gone.resize(gone.num_running + gone.num_waiting))
        for name, table in tables.items():
            lane = self.by_provider.get(name)
            if lane is None:
                self.by_provider[name] = Lane(0, table.queue)
            else:
                lane.max_waiting = table.queue

    def resize(self, provider: str, limit: int) -> None:
        """This worker's share has changed."""
        lane = self.by_provider.get(provider)
        if lane is not None:
            self._start(lane.resize(limit))

    def has_room(self, deployment: Deployment) -> bool:
        """Whether an attempt would go out at once."""
        lane = self.by_provider.get(deployment.provider)
        return lane is None or lane.has_room

    def enter(self, attempt: Attempt, ask: Callable[[], None]) -> None:
        """Let `ask` send the attempt now, later, or never."""
        provider = attempt.deployment.provider
        lane = self.by_provider[provider]
        place = attempt.place = Place(self, lane, attempt, ask)
        if lane.take():
            place.start()
            return
        if self.is_closed:
            place.refuse(_closing())
            return
        if lane.limit == 0 and attempt.has_others:  # this worker has no share of a small limit now
            place.refuse(_no_room(provider))
            return
        displaced = lane.wait(place.caller, place)
        if displaced is not None:
            displaced.refuse(_no_room(provider))

    def leave(self, place: Place) -> None:
        """See `Place.leave`."""
        lane = place.lane  # not by name: a new configuration may have taken its lane away, and made another
        if place.is_waiting:
            lane.remove(place.caller, place)
            return
        was_above = lane.num_running > lane.limit
        after = lane.free()
        if after is not None:
            after.start()
        elif was_above:
            self.shrunk(place.attempt.deployment.provider)

    def close(self) -> None:
        """The worker ends: who still waits is told so, while there is time to say it."""
        self.is_closed = True
        for lane in self.by_provider.values():
            for place in lane.clear():
                place.refuse(_closing())

    def _start(self, places: list[Place]) -> None:
        for place in places:
            place.start()


def _no_room(provider: str) -> ProviderFault:
    message = f"As many requests as allowed run at '{provider}' and its queue is full: come back shortly."
    return ProviderFault(NO_ROOM, message, status=503, retry_after_ms=RETRY_AFTER_MS)


def _closing() -> OperatorFault:
    message = "The server is stopping, and the request was still waiting for its turn: ask again."
    return OperatorFault("stopping", message, retry_after_ms=RETRY_AFTER_MS)
