"""A limit divided between workers: the sum holds at every moment, and nobody waits for ever."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wicket.supervisor.shares import Shares


class Crew:
    """Workers that obey, each at its own pace: what runs there ends only when told."""

    def __init__(self, limit: int) -> None:
        self.shares = Shares(limit)
        self.limits: dict[int, int] = {}
        self.serials: dict[int, int] = {}
        self.running: dict[int, int] = {}
        self.wanted: dict[int, int] = {}
        self.leaving: dict[int, bool] = {}

    def divide(self) -> None:
        self.shares.set_workers(self.leaving)
        smaller = []
        for order in self.shares.divide():
            before = self.limits.get(order.worker, 0)
            self.limits[order.worker], self.serials[order.worker] = order.limit, order.serial
            if order.limit < before:
                smaller.append(order.worker)
        for worker in smaller:
            self.confirm(worker)
        if smaller:
            self.divide()

    def confirm(self, worker: int) -> None:
        held = max(self.limits[worker], self.running[worker])
        self.shares.confirm(worker, held, self.serials[worker])

    def start(self, worker: int) -> None:
        self.leaving[worker] = False
        self.running[worker] = self.wanted[worker] = 0
        self.limits[worker] = 0
        self.divide()

    def fill(self) -> None:
        """Whoever has room and requests runs them."""
        for worker in self.running:
            room = self.limits[worker] - self.running[worker]
            begun = max(0, min(room, self.wanted[worker]))
            self.running[worker] += begun
            self.wanted[worker] -= begun

    def end(self, worker: int, number: int) -> None:
        was_above = self.running[worker] > self.limits[worker]
        self.running[worker] = max(0, self.running[worker] - number)
        if was_above:
            self.confirm(worker)
            self.divide()

    def second(self) -> None:
        for worker in self.running:
            self.shares.note_demand(worker, self.running[worker] + self.wanted[worker])
        self.shares.rotate()
        self.divide()

    def die(self, worker: int) -> None:
        for each in (self.running, self.wanted, self.leaving, self.limits):
            each.pop(worker)  # type: ignore[attr-defined]
        self.divide()


def test_one_worker_has_it_all_and_two_have_half() -> None:
    crew = Crew(5)
    crew.start(0)
    assert crew.limits == {0: 5}
    crew.start(1)
    assert sum(crew.limits.values()) == 5 and set(crew.limits.values()) == {2, 3}


def test_a_share_grows_only_by_what_the_other_has_given_back() -> None:
    crew = Crew(4)
    crew.start(0)
    crew.wanted[0] = 4
    crew.fill()
    crew.start(1)
    assert crew.limits == {0: 2, 1: 0}  # four still run at the first
    crew.end(0, 1)
    assert crew.limits[1] == 1
    crew.end(0, 1)
    assert crew.limits == {0: 2, 1: 2}


def test_room_goes_to_where_requests_wait() -> None:
    crew = Crew(10)
    crew.start(0)
    crew.start(1)
    crew.wanted[0] = 40
    crew.second()
    assert crew.limits == {0: 9, 1: 1}


def test_fewer_places_than_workers_go_round_among_those_that_want_one() -> None:
    crew = Crew(1)
    for worker in range(3):
        crew.start(worker)
    crew.wanted = {0: 9, 1: 0, 2: 9}
    served = []
    for _ in range(12):
        crew.second()
        crew.fill()
        served += [worker for worker, number in crew.running.items() if number]
        for worker in crew.running:
            crew.end(worker, 1)
    assert served.count(0) >= 3 and served.count(2) >= 3 and not served.count(1)


def test_a_draining_worker_keeps_what_it_needs_and_its_end_frees_it() -> None:
    crew = Crew(1)
    crew.start(0)
    crew.wanted[0] = 3
    crew.fill()
    crew.start(1)
    crew.leaving[0] = True
    crew.second()
    assert crew.limits == {0: 1, 1: 0}
    crew.die(0)
    assert crew.limits == {1: 1}


_STEPS = st.lists(
    st.tuples(st.sampled_from(["start", "die", "leave", "want", "fill", "end", "second"]), st.integers(0, 7)),
    max_size=80,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 9), _STEPS)
def test_the_sum_never_exceeds_the_limit(limit: int, steps: list[tuple[str, int]]) -> None:
    crew, born = Crew(limit), 0
    for step, number in steps:
        living = sorted(crew.running)
        worker = living[number % len(living)] if living else -1
        if step == "start" and len(living) < 6:
            crew.start(born)
            born += 1
        elif worker < 0:
            continue
        elif step == "die":
            crew.die(worker)
        elif step == "leave":
            crew.leaving[worker] = True
            crew.divide()
        elif step == "want":
            crew.wanted[worker] += number
        elif step == "fill":
            crew.fill()
        elif step == "end":
            crew.end(worker, number)
        elif step == "second":
            crew.second()
        assert sum(crew.running.values()) <= crew.shares.num_held <= limit
        assert sum(crew.limits.values()) <= limit
    for _ in range(40):  # everything that waits comes to run
        crew.second()
        crew.fill()
        for worker in list(crew.running):
            crew.end(worker, 9)
        for worker in [worker for worker, is_leaving in crew.leaving.items() if is_leaving]:
            if not crew.wanted[worker] and not crew.running[worker]:
                crew.die(worker)
    assert not sum(crew.wanted.values())
