"""Drives walks with an invented clock and invented upstreams, and checks what must always hold.

Many walks may share one route, its clock and its budget for hedges, as the requests of one worker do.
"""

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
    Join,
    KeepAlive,
    Opened,
    Planned,
    Refused,
    Send,
    Settle,
    Spoke,
    Ticked,
)
from wicket.gateway.hedges import HedgeBudget
from wicket.gateway.rules import Rules
from wicket.gateway.walk import step
from wicket.gateway.walk_next import OF_THE_CREDENTIAL
from wicket.gateway.walk_state import MAX_TRIES_PER_GROUP, NEVER, State, Walk, group_of
from wicket.routing.deployment import Hedge, Route

SECOND = 1_000_000


class Simulation:
    """One walk, its clock, and the caller's view of what was sent."""

    def __init__(self, rules: Rules, budget: HedgeBudget | None = None, route: Route | None = None) -> None:
        self.walk = Walk(rules)
        self.budget = budget
        self.route = route
        self.now = 1
        self.sends: list[Send] = []
        self.sent_us: list[int] = []
        self.failures: dict[int, Fault] = {}  # attempt → how it failed
        self.log: list[Action] = []
        self.live: set[int] = set()
        self.settled: list[str] = []
        self.committed: list[int] = []
        self.joined: list[int] = []
        self.failed: list[Fault] = []
        self.finished = 0
        self.begun = 0
        self.stale: set[int] = set()
        self.is_plain = True  # whether what the caller has is text that could be continued

    def start(self) -> None:
        if self.budget is not None and self.route is not None:
            self.budget.earn(self.route)
        self.feed(Planned(self.now))

    def feed(self, event: Event) -> Sequence[Action]:
        if isinstance(event, Failed | Ended):
            self.live.discard(event.attempt)
        if isinstance(event, Failed):
            self.failures[event.attempt] = event.fault
            if event.is_stale:
                self.stale.add(event.attempt)
        before = self.walk.state
        actions = step(self.walk, event)
        for action in actions:
            self._do(action, before)
        return actions

    def pass_time(self, micros: int) -> None:
        """Let the clock run, ticking whenever the walk is due, as the wheel would."""
        end = self.now + micros
        while self.walk.due_us <= end:
            self.now = max(self.now, self.walk.due_us)
            self.tick()
            if self.walk.due_us <= self.now:
                raise AssertionError("a tick must move the due time on")
        self.now = end

    def tick(self) -> None:
        may_hedge = self.budget is None or self.route is None or self.budget.may(self.route)
        self.feed(Ticked(self.now, may_hedge, self.is_plain))

    def _do(self, action: Action, before: State) -> None:
        assert not self.settled, f"{action} after settlement"
        self.log.append(action)
        match action:
            case Send():
                self._sent(action, before)
            case Cancel():
                self.live.discard(action.attempt)
            case Commit():
                assert not self.committed, "committed twice"
                self.committed.append(action.attempt)
            case Join():
                assert self.committed and self.sends[action.attempt].kind == "continuation"
                self.joined.append(action.attempt)
            case Forward():
                assert action.attempt == self.answering, "forwarded what is not the answer"
            case Finish():
                assert action.attempt == self.answering
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

    def _sent(self, send: Send, before: State) -> None:
        assert send.attempt == len(self.sends), "attempts are numbered in order"
        self.sends.append(send)
        self.sent_us.append(self.now)
        self.live.add(send.attempt)
        assert len(self.live) <= 1 + self.num_hedges, "only a hedge runs beside another"
        is_continuation = send.kind == "continuation"
        assert is_continuation == bool(self.committed), "after the commit point nothing else is sent"
        assert self.is_plain or not is_continuation or before is State.CONTINUING, "no tool call is continued"
        if send.kind == "hedge" and self.budget is not None and self.route is not None:
            self.budget.spend(self.route)

    @property
    def num_hedges(self) -> int:
        return sum(send.kind == "hedge" for send in self.sends)

    @property
    def answering(self) -> int:
        return (self.joined or self.committed or [-1])[-1]


FAULTS = (
    lambda: ProviderBusy("rate_limit_exceeded", "m", status=429),
    lambda: ProviderBusy("rate_limit_exceeded", "m", status=429, retry_after_ms=2_000),
    lambda: ProviderBusy("rate_limit_exceeded", "m", status=429, retry_after_ms=60_000),
    lambda: ProviderFault("provider_auth_failed", "m"),
    lambda: ProviderFault("provider_quota_exhausted", "m"),
    lambda: ProviderBusy("provider_unavailable", "m", status=503),
    lambda: UpstreamBroken("cut", "m"),
    lambda: UpstreamBroken("malformed", "m"),
    lambda: ProviderFault("connect_failed", "m"),
    lambda: ProviderFault("context_length_exceeded", "m", status=400),
    lambda: ProviderFault("prefill_unsupported", "m", status=400),
    lambda: ProviderRefusal("content_filter", "m"),
    lambda: CallerFault("invalid_value", "m"),
)


def random_rules(rng: random.Random) -> Rules:
    num = rng.randint(1, 6)
    sizes = sorted(rng.randrange(num) for _ in range(num))
    groups = tuple(sizes.index(one) for one in sizes) if rng.random() < 0.6 else ()
    return Rules(
        num_candidates=num,
        first_token_us=rng.choice([SECOND, 15 * SECOND]),
        gap_us=rng.choice([SECOND, 15 * SECOND]),
        total_us=rng.choice([5 * SECOND, 60 * SECOND]),
        is_streamed=rng.random() < 0.7,
        holds_whole=rng.random() < 0.3,
        hedge_us=rng.choice([0, 0, SECOND // 2]),
        contexts=rng.choice([(), tuple(rng.choice([0, 4096, 8192]) for _ in range(num))]),
        groups=groups,
        retries=rng.randint(0, 3),
        max_attempts=rng.choice([1, 4, 6]),
        cooling=rng.choice([(), tuple(rng.random() < 0.5 for _ in range(num))]),
        continues=rng.choice([(), tuple(rng.random() < 0.5 for _ in range(num))]),
    )


def random_run(seed: int) -> Simulation:
    """A random history that ends: whatever is still open is ended by time."""
    rng = random.Random(seed)
    simulation = Simulation(random_rules(rng))
    simulation.start()
    for _ in range(rng.randint(1, 25)):
        if simulation.walk.state is State.OVER:
            break
        simulation.pass_time(rng.choice([0, 1_000, 100_000, SECOND, 7 * SECOND]))
        if simulation.walk.state is State.OVER:
            break
        random_event(rng, simulation)
    simulation.pass_time(200 * SECOND)
    return simulation


def random_event(rng: random.Random, simulation: Simulation) -> None:
    """Something that an upstream, or the caller, might do now."""
    if rng.random() < 0.03:
        simulation.feed(ClientGone(simulation.now))
        return
    if not simulation.live:
        return
    attempt, now = rng.choice(sorted(simulation.live)), simulation.now
    spoke = simulation.walk.tries[attempt].spoke
    is_finished = simulation.walk.tries[attempt].finished
    if rng.random() < 0.05 and simulation.committed:
        simulation.is_plain = False  # a tool call has begun
    kind = rng.random()
    if kind < 0.2:
        simulation.feed(Opened(attempt, now))
    elif kind < 0.45 and simulation.walk.rules.is_streamed:
        simulation.feed(Heard(attempt, now) if spoke else Spoke(attempt, now))
    elif kind < 0.55 and spoke:
        simulation.feed(Finished(attempt, now))
    elif kind < 0.6 and not spoke:
        simulation.feed(Refused(attempt, now, rng.choice(FAULTS)()))
    elif kind < 0.7 or is_finished:  # whatever breaks after the finish reason, `Attempt` calls it an end
        simulation.feed(Ended(attempt, now))
    else:
        stale = rng.random() < 0.1 and not simulation.sends[attempt].is_fresh and not spoke
        simulation.feed(Failed(attempt, now, rng.choice(FAULTS)(), stale, simulation.is_plain))


def check(simulation: Simulation) -> None:
    """What holds of every history."""
    assert len(simulation.settled) == 1, f"settled {len(simulation.settled)} times"
    assert simulation.walk.state is State.OVER and simulation.walk.due_us == NEVER
    assert not simulation.live, "everybody was let go"
    outcome = simulation.settled[0]
    if any(attempt.finished for attempt in simulation.walk.tries):
        assert outcome in ("ok", "client_gone"), "a finish reason is an end"
    if outcome == "ok":
        assert simulation.finished == 1 and len(simulation.committed) == 1 and not simulation.failed
    elif outcome == "client_gone":
        assert not simulation.finished and not simulation.failed
    else:
        assert [fault.code for fault in simulation.failed] == [outcome] and not simulation.finished
    _check_bounds(simulation)
    _check_rotation(simulation)


def _check_bounds(simulation: Simulation) -> None:
    rules = simulation.walk.rules
    counted = [send for send in simulation.sends if send.attempt not in simulation.stale]
    assert all(0 <= send.candidate < rules.num_candidates for send in simulation.sends)
    assert len(counted) <= rules.max_attempts, "attempts are bounded"
    assert len(simulation.sends) <= 2 * rules.max_attempts, "stale connections too"
    for group in {group_of(rules, send.candidate) for send in counted}:
        here = [send.candidate for send in counted if group_of(rules, send.candidate) == group]
        assert len(here) <= MAX_TRIES_PER_GROUP, "a deployment is not hammered"
        assert len(here) - len(set(here)) <= rules.retries, "second tries are bounded"
    for candidate in {send.candidate for send in counted}:
        if rules.cooling and rules.cooling[candidate]:
            assert sum(send.candidate == candidate for send in counted) == 1, "no second try while it cools"
    assert simulation.num_hedges <= (1 if rules.hedge_us else 0)


def _check_rotation(simulation: Simulation) -> None:
    """Who is asked next, of what the walk knew at that moment."""
    rules, asked = simulation.walk.rules, set[int]()
    for before, send in zip([None, *simulation.sends], simulation.sends, strict=False):
        group = group_of(rules, send.candidate)
        if send.kind == "hedge":
            assert before is not None and group != group_of(rules, before.candidate), "another deployment"
        if send.kind == "continuation":
            assert rules.continues[send.candidate], "only who takes a partial answer is given one"
        if send.candidate not in asked and not send.kind:
            fault = simulation.failures.get(before.attempt) if before is not None else None
            if fault is not None and fault.code in OF_THE_CREDENTIAL and before is not None:
                left = [
                    one
                    for one in range(rules.num_candidates)
                    if one not in asked and group_of(rules, one) == group_of(rules, before.candidate)
                ]
                num_here = sum(
                    group_of(rules, one.candidate) == group_of(rules, before.candidate)
                    and one.attempt not in simulation.stale
                    for one in simulation.sends[: send.attempt]
                )
                if left and num_here < MAX_TRIES_PER_GROUP and not _is_ruled_out(simulation, left[0]):
                    assert send.candidate == left[0], "the next credential comes first"
        asked.add(send.candidate)


def _is_ruled_out(simulation: Simulation, candidate: int) -> bool:
    """Whether some model was found too small, or something else that no credential changes."""
    codes = {fault.code for fault in simulation.failures.values()}
    codes |= {
        action.reason for action in simulation.log if isinstance(action, Cancel)
    }  # a refusal without its text
    return bool(codes & {"context_length_exceeded", "prefill_unsupported"})


def crowd(seed: int, num_walks: int) -> tuple[list[Simulation], Hedge]:
    """Many requests of one route at once, all with one budget for hedges."""
    rng = random.Random(seed)
    hedge = Hedge(after_us=SECOND // 2, max_share_ppm=rng.choice([10_000, 50_000, 200_000]))
    route = Route(name="crowd", deployments=(), hedge=hedge)
    rules = Rules(3, 5 * SECOND, 5 * SECOND, 30 * SECOND, True, hedge_us=hedge.after_us)
    budget = HedgeBudget()
    waiting = [Simulation(rules, budget, route) for _ in range(num_walks)]
    running: list[Simulation] = []
    now, over = 1, list[Simulation]()
    while waiting or running:
        now += rng.choice([1_000, 50_000, 400_000])
        for _ in range(min(len(waiting), rng.randint(0, 8))):
            one = waiting.pop()
            one.now = now
            one.start()
            running.append(one)
        for one in running:
            one.pass_time(now - one.now)
            if one.walk.state is not State.OVER and rng.random() < 0.15:
                random_event(rng, one)
        num_sent = sum(one.num_hedges for one in running + over)
        num_begun = len(running) + len(over)
        assert num_sent * 1_000_000 <= num_begun * hedge.max_share_ppm, "at no moment more than its share"
        over += [one for one in running if one.walk.state is State.OVER]
        running = [one for one in running if one.walk.state is not State.OVER]
    return over, hedge
