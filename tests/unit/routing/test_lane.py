"""Lanes: never more than the limit, in turn between callers, first come first served within one."""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wicket.routing.lane import Lane


def test_turns_go_round() -> None:
    lane: Lane[str] = Lane(1, 10)
    assert lane.take() and not lane.has_room and not lane.take()
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        assert lane.wait(ord(name[0]), name) is None
    assert [lane.free() for _ in range(7)] == ["a1", "b1", "c1", "a2", "b2", "a3", None]
    assert (lane.num_running, lane.num_waiting) == (0, 0)


def test_a_full_queue_makes_the_longest_line_shorter() -> None:
    lane: Lane[str] = Lane(0, 4)
    for name in ("a1", "a2", "a3", "a4"):
        assert lane.wait(1, name) is None
    assert lane.wait(1, "a5") == "a5"
    assert lane.wait(2, "b1") == "a4"
    assert lane.wait(2, "b2") == "a3"
    assert lane.wait(2, "b3") == "b3"  # it would only change who waits
    assert lane.wait(3, "c1") == "a2"
    assert lane.resize(9) == ["a1", "b1", "c1", "b2"]


def test_no_queue_at_all() -> None:
    lane: Lane[str] = Lane(1, 0)
    assert lane.take() and lane.wait(1, "a") == "a" and lane.free() is None


def test_a_smaller_limit_comes_about_as_requests_end() -> None:
    lane: Lane[str] = Lane(3, 5)
    assert lane.take() and lane.take() and lane.take()
    lane.wait(1, "a")
    assert lane.resize(1) == [] and lane.num_held == 3
    assert lane.free() is None and lane.num_held == 2
    assert lane.free() is None and lane.num_held == 1
    assert lane.free() == "a" and lane.num_held == 1


_STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "end", "cancel", "resize"]), st.integers(0, 6)), max_size=120
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 4), st.integers(0, 8), _STEPS)
def test_any_history_against_a_model(limit: int, max_waiting: int, steps: list[tuple[str, int]]) -> None:
    lane: Lane[tuple[int, int]] = Lane(limit, max_waiting)
    entered: Counter[int] = Counter()
    running: list[tuple[int, int]] = []
    waiting: list[tuple[int, int]] = []
    sent_away: list[tuple[int, int]] = []
    started: list[tuple[int, int]] = []

    def run(one: tuple[int, int] | None) -> None:
        if one is None:
            return
        assert one == next(each for each in waiting if each[0] == one[0]), "not first in its own line"
        waiting.remove(one)
        running.append(one)
        started.append(one)

    for step, number in steps:
        if step == "enter":
            caller = number % 3
            one = (caller, entered[caller])
            entered[caller] += 1
            if lane.take():
                assert not waiting, "passed somebody who waited"
                running.append(one)
                started.append(one)
                continue
            waiting.append(one)
            displaced = lane.wait(caller, one)
            if displaced is not None:
                waiting.remove(displaced)
                sent_away.append(displaced)
        elif step == "end" and running:
            running.pop(number % len(running))
            run(lane.free())
        elif step == "cancel" and waiting:
            one = waiting.pop(number % len(waiting))
            assert lane.remove(one[0], one) and not lane.remove(one[0], one)
        elif step == "resize":
            before = len(running)
            for one in lane.resize(number):
                run(one)
            assert len(running) <= max(number, before)
        assert lane.num_running == len(running) and lane.num_waiting == len(waiting) <= max_waiting
        assert not (waiting and len(running) < lane.limit), "a place is free and somebody waits"
    for _ in range(len(running)):  # every waiter ends
        running.pop()
        run(lane.free())
    for one in lane.resize(1_000):
        run(one)
    assert not waiting and not lane.num_waiting
    assert len(started) == len(set(started)) and not set(started) & set(sent_away)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 5), st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_nobody_waits_for_more_than_one_turn_of_each_other_caller(limit: int, callers: list[int]) -> None:
    lane: Lane[tuple[int, int]] = Lane(0, 1_000)
    for number, caller in enumerate(callers):
        lane.wait(caller, (caller, number))
    order = [one[0] for one in lane.resize(limit)]
    while lane.num_waiting:
        found = lane.free()
        assert found is not None
        order.append(found[0])
    left = Counter(callers)
    last_turn: dict[int, int] = {}
    for turn, caller in enumerate(order):
        if caller in last_turn:
            between = order[last_turn[caller] + 1 : turn]
            assert max(Counter(between).values(), default=0) <= 1
        last_turn[caller] = turn
        left[caller] -= 1
    assert not any(left.values())
