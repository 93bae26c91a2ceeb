"""What a worker tells the others of its deployments, and hears of theirs, through the supervisor."""

from __future__ import annotations

from wicket.gateway.gate import Gate
from wicket.routing.vitals import Turn
from wicket.server.control import Control
from wicket.supervisor.messages import Digests, LaneHeld, LaneShare, Turned


class Sharing:
    """One per worker. Turns go out at once; they are few."""

    def __init__(self, gate: Gate, control: Control) -> None:
        self._gate = gate
        self._control = control
        self._serials: dict[str, int] = {}
        gate.tell_turn = self._turned
        gate.lanes.shrunk = self._shrunk

    def hear(self, message: Turned | Digests | LaneShare) -> None:
        """What the supervisor passes on."""
        gate = self._gate
        match message:
            case Turned(turns=turns):
                for turn in turns:
                    gate.health.hear(turn, gate.now_us())
            case Digests(digests=digests):
                gate.health.adopt(digests, gate.now_us())
            case LaneShare(provider=provider, limit=limit, serial=serial):
                self._serials[provider] = serial
                gate.lanes.resize(provider, limit)
                self._shrunk(provider)

    def tell(self) -> None:
        """Once a second."""
        gate = self._gate
        lanes = gate.lanes.by_provider
        digests = Digests(
            gate.health.digests(gate.now_us()),
            waiting={name: lane.num_waiting for name, lane in lanes.items() if lane.num_waiting},
            running={name: lane.num_running for name, lane in lanes.items() if lane.num_running},
        )
        self._control.tell(digests)

    def _turned(self, turn: Turn) -> None:
        self._control.tell(Turned([turn]))

    def _shrunk(self, provider: str) -> None:
        lane = self._gate.lanes.by_provider.get(provider)
        if lane is not None and provider in self._serials:
            self._control.tell(LaneHeld(provider, lane.num_held, self._serials[provider]))
