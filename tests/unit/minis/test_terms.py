"""From an aim to a floor: quality by calibration, a budget by what the day asks."""

import pytest

from wicket.minis.budget import DAY_MS, Demand, Spent, demand_of, share_needed, summed
from wicket.minis.confidence import NEVER, Calibration, Point, at_floor, interval
from wicket.minis.terms import Aim, floor_of, quality_of, strictest_floor

CALIBRATION = Calibration(
    num_validated=1000,
    points=[
        Point(0.99, 10, 10),  # few: its lower end is below that of the next
        Point(0.97, 400, 400),
        Point(0.90, 500, 490),
        Point(0.60, 800, 720),
        Point(0.10, 1000, 780),
    ],
)
USD = 1_000_000_000
HALF = Demand(requests_per_day=1_000, nanos_per_request=1e7, spent_nanos=0, day_left=1.0)  # 10 USD a day


def test_quality_is_met_by_calibration_and_raised_by_the_watch() -> None:
    aim = Aim(quality=0.95)
    assert floor_of(CALIBRATION, aim, 0, None) == 0.90
    assert floor_of(CALIBRATION, aim, 1, None) == 0.97, "half as many wrong answers"
    assert floor_of(CALIBRATION, aim, 2, None) == NEVER
    assert quality_of(CALIBRATION, aim, 0, None) == 0.95
    assert quality_of(CALIBRATION, aim, 1, None) == pytest.approx(0.975)


def test_quality_one_is_met_by_no_finite_sample() -> None:
    assert floor_of(CALIBRATION, Aim(quality=1.0), 0, None) == NEVER


def test_without_calibration_nothing_is_taken() -> None:
    for aim in (Aim(quality=0.5), Aim(budget_nanos=1)):
        assert floor_of(Calibration(num_validated=10), aim, 0, HALF) == NEVER


def test_a_budget_takes_the_share_that_it_needs_and_no_more() -> None:
    for budget_usd, floor in ((5, 0.90), (7.5, 0.97), (2, 0.60), (1, 0.10), (0, 0.10)):
        aim = Aim(budget_nanos=round(budget_usd * USD))
        assert floor_of(CALIBRATION, aim, 0, HALF) == floor, budget_usd
        needed = 1 - budget_usd / 10
        assert at_floor(CALIBRATION, floor).num_taken / 1000 >= needed


def test_a_budget_that_is_no_limit_or_not_yet_known_is_the_strictest_floor() -> None:
    assert strictest_floor(CALIBRATION) == 0.97
    assert interval(400, 400)[0] > interval(10, 10)[0]
    assert floor_of(CALIBRATION, Aim(budget_nanos=1), 0, None) == 0.97
    assert floor_of(CALIBRATION, Aim(budget_nanos=20 * USD), 0, HALF) == 0.97


def test_after_an_alarm_quality_goes_before_the_budget() -> None:
    aim = Aim(budget_nanos=5 * USD)
    assert quality_of(CALIBRATION, aim, 0, HALF) == pytest.approx(0.98)
    assert floor_of(CALIBRATION, aim, 1, HALF) == 0.97
    assert floor_of(CALIBRATION, aim, 2, HALF) == NEVER


def test_what_was_spent_today_is_taken_into_account() -> None:
    noon = Demand(1_000, 1e7, 4 * USD, 0.5)  # 4 of 5 dollars are gone at noon
    assert share_needed(noon, 5 * USD) == pytest.approx(1 - 1 / 5)
    assert share_needed(Demand(1_000, 1e7, 5 * USD, 0.5), 5 * USD) == 1.0
    assert share_needed(Demand(1_000, 1e7, 6 * USD, 0.0), 5 * USD) == 1.0
    assert share_needed(Demand(1_000, 1e7, 4 * USD, 0.0), 5 * USD) == 0.0


def test_a_day_run_by_the_budget_stays_within_it() -> None:
    """Each minute's floor is made of what was spent until then; the true shares are the calibration's."""
    aim, budget = Aim(budget_nanos=3 * USD), 3 * USD
    yesterday = Spent(num_requests=1_440, num_large=1_440, large_nanos=1_440 * 10**7)
    today = Spent()
    going_up = 0.0
    for minute in range(1, 1_440):
        demand = demand_of(yesterday, today, 20_000 * DAY_MS + minute * 60_000)
        floor = floor_of(CALIBRATION, aim, 0, demand)
        going_up += 1 - at_floor(CALIBRATION, floor).num_taken / 1000
        num_large = int(going_up)
        today = Spent(minute, num_large, num_large * 10**7)
    assert 0.9 * budget < today.large_nanos <= budget


def test_demand_is_the_busier_of_yesterday_and_todays_pace() -> None:
    noon = 20_000 * DAY_MS + DAY_MS // 2
    quiet, busy = Spent(100, 50, 500), Spent(1_000, 200, 2_600)
    demand = demand_of(quiet, busy, noon)
    assert demand == Demand(2_000.0, 3_100 / 250, 2_600, 0.5)
    assert demand_of(busy, quiet, noon) == Demand(1_000.0, 3_100 / 250, 500, 0.5)


def test_demand_is_unknown_until_something_was_paid_for() -> None:
    noon = 20_000 * DAY_MS + DAY_MS // 2
    assert demand_of(Spent(), Spent(), noon) is None
    assert demand_of(Spent(), Spent(10, 0, 0), noon) is None
    early = 20_000 * DAY_MS + 60_000
    assert demand_of(Spent(), Spent(5, 5, 100), early) is None, "a minute tells nothing of a day"
    assert summed([Spent(1, 1, 5), Spent(2)]) == Spent(3, 1, 5)
