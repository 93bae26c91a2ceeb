"""The sixteen faults over HTTP, streamed, with one fallback: the caller does not notice, or is told clearly.

The scenarios are those of the public failoverbench (its `scenarios/catalogue.yaml`), limits of time scaled
down where nothing depends on them. `route` is a scenario on one of its two routes.
"""

import json
from typing import Any

import pytest

from tests.faults.scenarios import HELD_LONG, LATE, LOST, SCENARIOS, TEXT, Scenario
from tests.faults.wall import ASKED, BACKUP_KEY, COMMITS, PRIMARY_KEY, Outcome, Wall, assert_broken, sha256

pytestmark = pytest.mark.faults

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
commits = pytest.mark.parametrize("commit", COMMITS)
scenarios = pytest.mark.parametrize("scenario", SCENARIOS, ids=list(BY_NAME))


def is_answered(scenario: Scenario, commit: str) -> bool:
    return not scenario.is_refused and not (scenario.broken and commit == "first-token")


@commits
@scenarios
def test_the_caller_gets_the_whole_answer_or_a_clear_error(
    wall: Wall, scenario: Scenario, commit: str
) -> None:
    answer = wall.outcome(scenario, commit).answer
    if is_answered(scenario, commit):
        assert answer.status == 200 and answer.text == TEXT
        finishes = [choice["finish_reason"] for chunk in answer.chunks for choice in chunk["choices"]]
        assert [reason for reason in finishes if reason] == ["stop"]
    elif scenario.is_refused:
        assert answer.status == 400
        assert answer.error["message"] == "The request was refused by the safety system."
        assert answer.error["code"] == "content_policy_violation"
        assert answer.headers["x-should-retry"] == "false"
    else:
        assert_broken(answer.frames, scenario.broken)


@commits
@scenarios
def test_the_right_ones_are_asked_in_the_right_order(wall: Wall, scenario: Scenario, commit: str) -> None:
    outcome = wall.outcome(scenario, commit)
    order, reasons = scenario.expected(commit)
    assert outcome.order == order
    assert outcome.reasons == list(reasons)
    assert [attempt["deployment"][0] for attempt in outcome.record["attempts"]] == list(order)
    keys = {"p": sha256(PRIMARY_KEY), "b": sha256(BACKUP_KEY)}
    assert [seen.key_sha256 for seen in outcome.seen] == [keys[who] for who in order]
    assert all(seen.fields["messages"] == ASKED for seen in outcome.seen), "nobody is given half an answer"


@commits
@scenarios
def test_the_record_names_who_answered_and_charges_for_nothing_else(
    wall: Wall, scenario: Scenario, commit: str
) -> None:
    outcome = wall.outcome(scenario, commit)
    record = outcome.record
    last = outcome.seen[-1]
    assert record["deployment"] == ("" if scenario.is_refused else _deployment(last.model))
    if not is_answered(scenario, commit):
        assert record["outcome"] == record["attempts"][-1]["reason"]
        assert record["charge_usd"] == 0
        return
    assert (record["outcome"], record["status"], record["served_model"]) == ("ok", 200, last.model)
    assert (record["input_tokens"], record["output_tokens"]) == (last.input_tokens, 60)
    assert not record["is_estimated"]
    price = 100 if last.model.startswith("p-") else 1
    assert record["charge_usd"] == pytest.approx((last.input_tokens + 2 * 60) * price / 1e6)
    assert record["cost_usd"] == pytest.approx(sum(each["cost_usd"] for each in record["attempts"]))
    assert record["attempts"][-1]["cost_usd"] == record["charge_usd"]


@commits
@scenarios
def test_the_answer_names_its_model_and_its_usage(wall: Wall, scenario: Scenario, commit: str) -> None:
    outcome = wall.outcome(scenario, commit)
    last = outcome.seen[-1]
    assert outcome.answer.headers["x-wicket-deployment"] == _deployment(last.model)
    if not is_answered(scenario, commit):
        assert b'"usage"' not in outcome.answer.body
        return
    chunks = outcome.answer.chunks
    assert {chunk["model"] for chunk in chunks} == {last.model}
    usage = chunks[-1]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (last.input_tokens, 60)
    assert usage["cost"] == outcome.record["charge_usd"]


def _deployment(model: str) -> str:
    return f"{'primary' if model.startswith('p-') else 'backup'}/{model}"


def _outcome(wall: Wall, name: str, commit: str) -> Outcome:
    return wall.outcome(BY_NAME[name], commit)


# What each fault asks for beyond that


@commits
def test_retry_after_is_waited_for(wall: Wall, commit: str) -> None:
    first, second = _outcome(wall, "429-with-retry-after", commit).seen
    assert second.at_ms - first.at_ms >= 1_800


@commits
@pytest.mark.parametrize("name", ["429-persistent", "503-persistent", "accounting"])
def test_a_deployment_that_keeps_failing_is_not_hammered(wall: Wall, name: str, commit: str) -> None:
    times = [seen.at_ms for seen in _outcome(wall, name, commit).seen if seen.model.startswith("p-")]
    assert len(times) <= 6
    assert sum(at - times[0] < 3_000 for at in times) <= 4
    assert times[1] - times[0] >= 50, "there is a pause before the second try"


@commits
@pytest.mark.parametrize(
    ("name", "limit_s"),
    [("no-answer", 15), ("first-token-after-20-s", 15), ("silent-after-20", 45), ("no-done", 8)],
)
def test_waiting_is_bounded(wall: Wall, name: str, limit_s: float, commit: str) -> None:
    assert _outcome(wall, name, commit).seconds < limit_s


@commits
@pytest.mark.parametrize("name", ["no-answer", "first-token-after-20-s", "silent-after-20"])
def test_who_is_given_up_is_let_go(wall: Wall, name: str, commit: str) -> None:
    first = _outcome(wall, name, commit).seen[0]
    wall.provider.until(lambda _: first.ended_ms is not None)
    assert first.client_gone


@commits
@pytest.mark.parametrize("name", ["silent-after-20", "tenth-event-invalid"])
def test_the_server_is_well_afterwards(wall: Wall, name: str, commit: str) -> None:
    assert _outcome(wall, name, commit).seen
    assert wall.ask_of("calm/calm", "calm").answer.text == TEXT
    assert wall.gateway.request("GET", "/readyz").status == 200


def test_too_long_a_prompt_goes_to_a_larger_model_if_there_is_one(wall: Wall) -> None:
    outcome = wall.ask_of("sizes", "gpt-4o", "gpt-4", "gpt-4.1")
    assert [seen.model for seen in outcome.seen] == ["gpt-4o", "gpt-4.1"]
    assert outcome.answer.text == TEXT


def test_too_long_a_prompt_for_the_largest_model_is_said_so(wall: Wall) -> None:
    outcome = wall.ask_of("too-long", "gpt-4-turbo", "gpt-4-0613")
    assert [seen.model for seen in outcome.seen] == ["gpt-4-turbo"]
    assert (outcome.answer.status, outcome.answer.error["code"]) == (400, "context_length_exceeded")


@commits
def test_a_tokens_cost_before_a_break_is_ours_and_not_the_callers(wall: Wall, commit: str) -> None:
    record = _outcome(wall, "cut-after-40", commit).record
    lost = record["attempts"][0]
    assert (lost["output_tokens"], lost["is_estimated"]) == (40, True)
    assert lost["cost_usd"] > 0 and record["cost_usd"] > record["charge_usd"]


# The sixteenth: an outage, with requests all the while


@commits
def test_an_outage_is_survived_and_the_primary_taken_back(wall: Wall, commit: str) -> None:
    """There is no cool-down yet, so every request finds out anew: two tries of the primary each."""
    outcomes = wall.outage(commit)
    assert [outcome.answer.text for outcome in outcomes] == [TEXT] * len(outcomes), "served throughout"
    orders = [outcome.order for outcome in outcomes]
    during = [order for order in orders if order[-1] == "b"]
    assert len(during) >= 5, "there was an outage"
    assert set(during) <= {"ppb", "pb", "b"}, "bounded tries"
    assert orders[-3:] == ["p", "p", "p"]
    back = len(during) + 7  # thirty seconds at a request every four
    assert all(order[-1] == "p" for order in orders[back:])


# A held answer for which ten seconds were not enough


@pytest.mark.parametrize("scenario", HELD_LONG, ids=lambda scenario: scenario.name)
def test_a_held_answer_keeps_the_caller_company(wall: Wall, scenario: Scenario) -> None:
    outcome = wall.outcome(scenario, "whole")
    assert outcome.answer.status == 200
    assert outcome.answer.body.startswith(b":"), "a comment comes first"
    assert (outcome.order, tuple(outcome.reasons)) == (scenario.order, scenario.reasons)


def test_a_held_answer_that_comes_late_is_complete_and_says_whose_it_is(wall: Wall) -> None:
    outcome = wall.outcome(LATE, "whole")
    assert outcome.answer.text == TEXT
    last: dict[str, Any] = outcome.answer.chunks[-1]
    assert last["model"] == outcome.seen[-1].model and last["usage"]["cost"] == outcome.record["charge_usd"]


def test_a_held_answer_that_never_comes_is_an_error_in_band(wall: Wall) -> None:
    outcome = wall.outcome(LOST, "whole")
    (frame,) = outcome.answer.frames
    assert json.loads(frame)["error"]["code"] == "provider_unavailable"
    assert (outcome.record["outcome"], outcome.record["charge_usd"]) == ("provider_unavailable", 0)
