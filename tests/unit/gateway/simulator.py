"""Drives the walk with an invented clock and invented upstreams, and checks what must always hold."""

from __future__ import annotations

import random
from collections.abc import Sequence

from wicket.errors import (
    CallerFault,
    Fault,
    ProviderBusy,
    ProviderFault,
    ProviderRefusal,
    UpstreamBroken,
)
from wicket.gateway.events import (
    Action,
    Begin,
    Cancel,
    ClientGone,
    Commit,
    Ended,
    Event,
    Fail,
    Failed,
    Finish,
    Finished,
    Forward,
    Heard,
    KeepAlive,
    Opened,
    Planned,
    Refused,
    Send,
    Settle,
    Spoke,
    Ticked,
)
from wicket.gateway.walk import NEVER, Rules, State, Walk, step

SECOND = 1_000_000


class Simulation:
    """One walk, its clock, and the caller's view of what was sent."""

    def __init__(self, rules: Rules) -> None:
        self.walk = Walk(rules)
        self.now = 1
        self.sends: list[Send] = []
        self.log: list[Action] = []
        self.live: set[int] = set()
        self.settled: list[str] = []
        self.committed: list[int] = []
        self.failed: list[Fault] = []
        self.finished = 0
        self.begun = 0
        self.max_live = 0
        self.num_stale = 0

    def start(self) -> None:
        self.feed(Planned(self.now))

    def feed(self, event: Event) -> Sequence[Action]:
        if isinstance(event, Failed | Ended):
            self.live.discard(event.attempt)
        if isinstance(event, Failed) and event.is_stale:
            self.num_stale += 1
        actions = step(self.walk, event)
        for action in actions:
            self._do(action)
        return actions

    def pass_time(self, micros: int) -> None:
        """Let the clock run, ticking whenever the walk is due, as the wheel would."""
        end = self.now + micros
        while self.walk.due_us <= end:
            self.now = max(self.now, self.walk.due_us)
            self.feed(Ticked(self.now))
            if self.walk.due_us <= self.now:
                raise AssertionError("a tick must move the due time on")
        self.now = end

    def _do(self, action: Action) -> None:
        assert not self.settled, f"{action} after settlement"
        self.log.append(action)
        match action:
            case Send():
                assert action.attempt == len(self.sends), "attempts are numbered in order"
                self.sends.append(action)
                self.live.add(action.attempt)
                self.max_live = max(self.max_live, len(self.live))
            case Cancel():
                self.live.discard(action.attempt)
            case Commit():
                assert not self.committed, "committed twice"
                self.committed.append(action.attempt)
            case Forward():
                assert self.committed == [action.attempt], "forwarded what was not committed"
            case Finish():
                assert self.committed == [action.attempt]
                self.finished += 1
            case Fail():
                assert not self.finished
                self.failed.append(action.fault)
            case Settle():
                self.settled.append(action.outcome)
            case Begin():
                self.begun += 1
                assert self.begun == 1 and not self.committed
            case KeepAlive():
                assert self.begun


FAULTS = (
    lambda: ProviderBusy("rate_limit_exceeded", "m", status=429),
    lambda: ProviderBusy("rate_limit_exceeded", "m", status=429, retry_after_ms=2_000),
    lambda: ProviderBusy("rate_limit_exceeded", "m", status=429, retry_after_ms=60_000),
    lambda: ProviderBusy("provider_unavailable", "m", status=503),
    lambda: UpstreamBroken("cut", "m"),
    lambda: UpstreamBroken("malformed", "m"),
    lambda: ProviderFault("connect_failed", "m"),
    lambda: ProviderFault("context_length_exceeded", "m", status=400),
    lambda: ProviderRefusal("content_filter", "m"),
    lambda: CallerFault("invalid_value", "m"),
)


def random_rules(rng: random.Random) -> Rules:
    num = rng.randint(1, 4)
    return Rules(
        num_candidates=num,
        first_token_us=rng.choice([SECOND, 15 * SECOND]),
        gap_us=rng.choice([SECOND, 15 * SECOND]),
        total_us=rng.choice([5 * SECOND, 60 * SECOND]),
        is_streamed=rng.random() < 0.7,
        holds_whole=rng.random() < 0.3,
        hedge_us=rng.choice([0, 0, SECOND // 2]),
        contexts=rng.choice([(), tuple(rng.choice([0, 4096, 8192]) for _ in range(num))]),
    )


def random_run(seed: int) -> Simulation:
    """A random history that ends: whatever is still open is ended by time."""
    rng = random.Random(seed)
    simulation = Simulation(random_rules(rng))
    simulation.start()
    spoke: set[int] = set()
    for _ in range(rng.randint(1, 25)):
        if simulation.walk.state is State.OVER:
            break
        simulation.pass_time(rng.choice([0, 1_000, 100_000, SECOND, 7 * SECOND]))
        if simulation.walk.state is State.OVER:
            break
        if rng.random() < 0.03:
            simulation.feed(ClientGone(simulation.now))
            break
        _random_event(rng, simulation, spoke)
    simulation.pass_time(200 * SECOND)
    return simulation


def _random_event(rng: random.Random, simulation: Simulation, spoke: set[int]) -> None:
    if not simulation.live:
        return
    attempt, now = rng.choice(sorted(simulation.live)), simulation.now
    kind = rng.random()
    if kind < 0.2:
        simulation.feed(Opened(attempt, now))
    elif kind < 0.45 and simulation.walk.rules.is_streamed:
        simulation.feed(Heard(attempt, now) if attempt in spoke else Spoke(attempt, now))
        spoke.add(attempt)
    elif kind < 0.55 and attempt in spoke:
        simulation.feed(Finished(attempt, now))
    elif kind < 0.6 and attempt not in spoke:
        simulation.feed(Refused(attempt, now, rng.choice(FAULTS)()))
    elif kind < 0.7:
        simulation.feed(Ended(attempt, now))
    else:
        stale = rng.random() < 0.1 and not simulation.sends[attempt].is_fresh and attempt not in spoke
        simulation.feed(Failed(attempt, now, rng.choice(FAULTS)(), stale))


def check(simulation: Simulation) -> None:
    """What holds of every history."""
    rules = simulation.walk.rules
    assert len(simulation.settled) == 1, f"settled {len(simulation.settled)} times"
    assert simulation.walk.state is State.OVER and simulation.walk.due_us == NEVER
    outcome = simulation.settled[0]
    if outcome == "ok":
        assert simulation.finished == 1 and len(simulation.committed) == 1 and not simulation.failed
    elif outcome == "client_gone":
        assert not simulation.finished and not simulation.failed
    else:
        assert [fault.code for fault in simulation.failed] == [outcome] and not simulation.finished
    candidates = [send.candidate for send in simulation.sends]
    assert all(0 <= candidate < rules.num_candidates for candidate in candidates)
    firsts = list(dict.fromkeys(candidates))
    assert firsts == sorted(firsts), "the plan's order is kept"
    for candidate in firsts:
        asked = [send for send in simulation.sends if send.candidate == candidate]
        assert len(asked) - simulation.num_stale <= 2, "a deployment is asked at most twice"
        assert len(asked) <= 4, "and stale connections are bounded too"
    assert simulation.max_live <= 1 + (rules.max_hedges if rules.hedge_us else 0), "hedges stay within budget"
