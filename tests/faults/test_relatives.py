"""Near the sixteen: the same faults a little earlier, later or oddly mixed."""

import json

import pytest

from tests.faults.scenarios import CLOSED, NOBODY, RELATIVES, TEXT, Scenario
from tests.faults.wall import COMMITS, Wall, assert_broken

pytestmark = pytest.mark.faults

commits = pytest.mark.parametrize("commit", COMMITS)


def name(scenario: Scenario) -> str:
    return scenario.name


@commits
@pytest.mark.parametrize("scenario", RELATIVES, ids=name)
def test_the_answer_is_whole_or_says_that_it_is_not(wall: Wall, scenario: Scenario, commit: str) -> None:
    outcome = wall.outcome(scenario, commit)
    order, reasons = scenario.expected(commit)
    assert (outcome.order, outcome.reasons) == (order, list(reasons))
    assert outcome.seconds < 15
    if scenario.fields and commit == "first-token":
        assert json.loads(outcome.answer.frames[-1])["error"]["code"] == scenario.broken
    elif scenario.broken and commit == "first-token":
        assert_broken(outcome.answer.frames, scenario.broken)
    else:
        choices = scenario.fields.get("n", 1)
        assert outcome.answer.status == 200 and outcome.answer.text == TEXT * choices


@commits
def test_a_kept_connection_that_was_closed_is_one_more_try_at_most(wall: Wall, commit: str) -> None:
    outcome = wall.outcome(CLOSED, commit)
    assert outcome.order in ("ppb", "pppb") and outcome.answer.text == TEXT
    stale = [attempt["reason"] == "stale_connection" for attempt in outcome.record["attempts"]]
    assert sum(stale) == len(outcome.order) - 3 and not any(stale[1:])


@commits
@pytest.mark.parametrize("scenario", NOBODY, ids=name)
def test_what_went_wrong_first_is_told_if_nobody_can(wall: Wall, scenario: Scenario, commit: str) -> None:
    outcome = wall.outcome(scenario, commit)
    assert (outcome.order, tuple(outcome.reasons)) == (scenario.order, scenario.reasons)
    assert (outcome.answer.status, outcome.answer.error["code"]) == (503, "provider_unavailable")
    assert outcome.answer.error["message"] == "There is too much to do."
    assert outcome.record["charge_usd"] == 0
