"""The walk: named histories one by one, then a great many random ones."""

from __future__ import annotations

import msgspec
import pytest

from tests.unit.gateway.simulator import SECOND, Simulation, check
from wicket.errors import CallerFault, ProviderBusy, ProviderFault, ProviderRefusal, UpstreamBroken
from wicket.gateway.events import (
    Cancel,
    ClientGone,
    Commit,
    Ended,
    Fail,
    Failed,
    Finish,
    Finished,
    Forward,
    Heard,
    Join,
    Opened,
    Refused,
    Send,
    Settle,
    Spoke,
    Ticked,
)
from wicket.gateway.rules import Rules

RULES = Rules(
    num_candidates=2,
    first_token_us=15 * SECOND,
    gap_us=15 * SECOND,
    total_us=600 * SECOND,
    is_streamed=True,
)


def started(rules: Rules = RULES) -> Simulation:
    simulation = Simulation(rules)
    simulation.start()
    return simulation


def changed(**fields: object) -> Rules:
    return msgspec.structs.replace(RULES, **fields)


def test_a_stream_is_committed_at_its_first_token_and_settled_at_its_end() -> None:
    run = started()
    assert run.log == [Send(0, 0)]
    assert run.feed(Opened(0, 2)) == ()
    assert run.feed(Spoke(0, 3)) == (Commit(0),)
    assert run.feed(Heard(0, 4)) == (Forward(0),)
    assert run.feed(Ended(0, 5)) == (Forward(0), Finish(0), Settle("ok"))
    check(run)


def test_a_server_error_is_asked_again_once_then_the_next() -> None:
    run = started()
    busy = ProviderBusy("provider_unavailable", "down", status=503)
    assert run.feed(Failed(0, 2, busy)) == ()
    run.pass_time(SECOND)
    assert run.sends[1:] == [Send(1, 0)]
    assert run.feed(Failed(1, run.now, busy)) == (Send(2, 1),)
    assert run.feed(Ended(2, run.now)) == (Commit(2), Finish(2), Settle("ok"))
    check(run)


def test_a_short_retry_after_is_waited_for_at_the_same_deployment() -> None:
    run = started()
    run.feed(Failed(0, run.now, ProviderBusy("rate_limit_exceeded", "m", status=429, retry_after_ms=2_000)))
    run.pass_time(2 * SECOND - 2)
    assert len(run.sends) == 1
    run.pass_time(SECOND)
    assert run.sends[1] == Send(1, 0)


def test_a_long_retry_after_means_the_next_deployment_at_once() -> None:
    run = started()
    busy = ProviderBusy("rate_limit_exceeded", "m", status=429, retry_after_ms=3_001)
    assert run.feed(Failed(0, run.now, busy)) == (Send(1, 1),)


def test_a_stale_connection_costs_no_retry() -> None:
    run = started(changed(num_candidates=1))
    reset = ProviderBusy("reset", "m")
    assert run.feed(Failed(0, 2, reset, True)) == (Send(1, 0, True),)
    run.feed(Failed(1, 3, reset))
    run.pass_time(SECOND)
    assert run.sends[2] == Send(2, 0, True), "another kept connection would be no better"
    run.feed(Failed(2, run.now, reset))
    assert run.settled == ["reset"]
    check(run)


@pytest.mark.parametrize(
    "fault",
    [CallerFault("invalid_value", "temperature"), ProviderRefusal("content_filter", "their reason")],
)
def test_what_is_the_callers_or_a_refusal_goes_nowhere_else(fault: CallerFault | ProviderRefusal) -> None:
    run = started()
    run.feed(Failed(0, 2, fault))
    assert run.failed == [fault] and len(run.sends) == 1
    check(run)


def test_a_late_first_token_means_the_next_but_the_last_gets_the_whole_limit() -> None:
    run = started()
    run.pass_time(16 * SECOND)
    assert run.sends[1:] == [Send(1, 1)] and Cancel(0, "first_token_timeout") in run.log
    run.pass_time(300 * SECOND)
    assert not run.settled, "the last candidate may think for minutes"
    run.pass_time(300 * SECOND)
    assert run.settled == ["total_timeout"]
    check(run)


def test_a_cut_before_the_commit_point_is_invisible_and_after_it_in_band() -> None:
    run = started(changed(holds_whole=True))
    run.feed(Spoke(0, 2))
    assert run.feed(Failed(0, 3, UpstreamBroken("cut", "m"))) == (Send(1, 1),)
    run.feed(Spoke(1, 4))
    run.feed(Ended(1, 5))
    assert run.settled == ["ok"] and run.committed == [1]
    check(run)

    run = started()
    run.feed(Spoke(0, 2))
    actions = run.feed(Failed(0, 3, UpstreamBroken("cut", "m")))
    assert [type(action) for action in actions] == [Fail, Settle] and len(run.sends) == 1
    check(run)


def test_a_finish_reason_without_an_end_is_an_end_after_a_second() -> None:
    run = started()
    run.feed(Spoke(0, run.now))
    run.feed(Finished(0, run.now))
    run.pass_time(SECOND // 2)
    assert not run.settled
    run.pass_time(SECOND)
    assert run.settled == ["ok"] and run.finished == 1
    check(run)


@pytest.mark.parametrize("holds", [False, True])
def test_a_finish_reason_just_before_the_total_limit_is_an_end_too(holds: bool) -> None:
    run = started(changed(holds_whole=holds))
    run.feed(Spoke(0, run.now))
    for _ in range(42):
        run.pass_time(14 * SECOND)
        run.feed(Heard(0, run.now))
    run.pass_time(600 * SECOND - run.now - SECOND // 2)
    run.feed(Finished(0, run.now))
    run.pass_time(SECOND)
    assert run.settled == ["ok"] and run.finished == 1
    check(run)


def test_silence_in_the_middle_is_bounded_and_in_band() -> None:
    run = started()
    run.feed(Spoke(0, run.now))
    run.pass_time(10 * SECOND)
    run.feed(Heard(0, run.now))
    run.pass_time(10 * SECOND)
    assert not run.settled
    run.pass_time(10 * SECOND)
    assert run.settled == ["gap_timeout"]
    check(run)


def test_too_long_a_prompt_goes_to_a_larger_context_only() -> None:
    fault = ProviderFault("context_length_exceeded", "8192", status=400)
    run = started(changed(num_candidates=3, contexts=(8192, 4096, 128_000)))
    assert run.feed(Failed(0, 2, fault)) == (Send(1, 2),)
    run = started(changed(num_candidates=2, contexts=(8192, 4096)))
    run.feed(Failed(0, 2, fault))
    assert run.failed == [fault] and len(run.sends) == 1
    check(run)


def test_a_refused_prefill_does_not_hide_why_the_model_was_asked() -> None:
    prefill = ProviderFault("prefill_unsupported", "must end with a user message", status=400)
    run = started()
    long = ProviderBusy("rate_limit_exceeded", "m", status=429, retry_after_ms=60_000)
    assert run.feed(Failed(0, 2, long)) == (Send(1, 1),)
    run.feed(Failed(1, 3, prefill))
    assert run.failed == [long]
    check(run)
    run = started(changed(num_candidates=1))
    run.feed(Failed(0, 2, prefill))
    assert run.failed == [prefill]
    check(run)


def test_a_refused_prefill_is_tried_elsewhere() -> None:
    run = started()
    run.feed(Failed(0, 2, ProviderFault("prefill_unsupported", "m", status=400)))
    assert run.sends[1:] == [Send(1, 1)]


def test_an_errors_text_that_never_comes_is_not_waited_for() -> None:
    busy = ProviderBusy("provider_unavailable", "down", status=503)
    for num_candidates, sends in ((2, [Send(0, 0), Send(1, 0), Send(2, 1)]), (1, [Send(0, 0), Send(1, 0)])):
        run = started(changed(num_candidates=num_candidates))
        for attempt in (0, 1):
            run.feed(Refused(attempt, run.now, busy))
            run.pass_time(SECOND)
            assert len(run.sends) == attempt + 1, "the text gets a moment"
            run.pass_time(2 * SECOND)
        assert run.sends == sends
        assert run.failed == ([busy] if num_candidates == 1 else [])
        assert Cancel(0, "provider_unavailable") in run.log


def test_a_back_off_differs_from_request_to_request() -> None:
    pauses = set()
    for start in range(1, 200):
        run = Simulation(RULES)
        run.now = start
        run.start()
        run.feed(Failed(0, start, ProviderBusy("provider_unavailable", "m")))
        pauses.add(run.walk.due_us - start)
    assert len(pauses) > 150 and min(pauses) >= 50_000 and max(pauses) < 450_000
    assert max(pauses) - min(pauses) > 350_000


def test_a_hedge_races_and_the_first_to_speak_wins() -> None:
    run = started(changed(hedge_us=2 * SECOND))
    run.pass_time(3 * SECOND)
    assert run.sends == [Send(0, 0), Send(1, 1, kind="hedge")]
    actions = run.feed(Spoke(1, run.now))
    assert list(actions) == [Cancel(0, "hedge_lost"), Commit(1)]
    run.feed(Ended(1, run.now))
    check(run)


def test_a_held_stream_begins_after_ten_seconds_and_keeps_the_line_alive() -> None:
    run = started(changed(holds_whole=True, num_candidates=1))
    run.pass_time(9 * SECOND)
    assert not run.begun
    run.pass_time(22 * SECOND)
    assert run.begun == 1
    assert sum(type(action).__name__ == "KeepAlive" for action in run.log) == 3
    run.feed(Spoke(0, run.now))
    run.feed(Ended(0, run.now))
    check(run)


def test_a_client_who_leaves_cancels_everybody() -> None:
    run = started()
    run.feed(Spoke(0, 2))
    assert run.feed(ClientGone(3)) == (Cancel(0, "client_gone"), Settle("client_gone"))
    assert run.feed(Heard(0, 4)) == ()
    check(run)


NOT_CONFIDENT = ProviderFault("not_confident", "not sure", status=422)


def test_an_unsure_mini_is_never_what_the_caller_hears_of() -> None:
    run = started()
    assert run.feed(Failed(0, 2, NOT_CONFIDENT)) == (Send(1, 1),)
    refused = ProviderFault("prefill_unsupported", "the large model's", status=400)
    run.feed(Failed(1, 3, refused))
    assert run.failed == [refused]
    check(run)


def test_a_mini_has_a_limit_of_its_own_and_the_next_one_the_routes() -> None:
    run = started(changed(num_candidates=3, mini_us=3 * SECOND))
    run.pass_time(4 * SECOND)
    assert run.sends[1:] == [Send(1, 1)] and Cancel(0, "first_token_timeout") in run.log
    run.pass_time(13 * SECOND)
    assert len(run.sends) == 2
    run.pass_time(3 * SECOND)
    assert run.sends[2:] == [Send(2, 2)]
    run.feed(Ended(2, run.now))
    check(run)


# Credentials: 0 and 1 are one deployment's, 2 is another deployment

ROTATING = changed(num_candidates=3, groups=(0, 0, 1))
BUSY = ProviderBusy("provider_unavailable", "down", status=503)
LIMITED = ProviderBusy("rate_limit_exceeded", "m", status=429, retry_after_ms=2_000)


@pytest.mark.parametrize(
    "fault",
    [
        LIMITED,
        ProviderBusy("rate_limit_exceeded", "m", status=429),
        ProviderFault("provider_auth_failed", "m"),
        ProviderFault("provider_quota_exhausted", "m"),
    ],
)
def test_the_next_credential_is_asked_at_once(fault: ProviderFault) -> None:
    run = started(ROTATING)
    assert run.feed(Failed(0, 2, fault)) == (Send(1, 1),)


def test_a_short_retry_after_is_waited_for_once_no_credential_is_left() -> None:
    run = started(ROTATING)
    run.feed(Failed(0, 2, LIMITED))
    assert run.feed(Failed(1, 3, LIMITED)) == ()
    run.pass_time(2 * SECOND + 10)
    assert run.sends[2:] == [Send(2, 1)]
    assert run.feed(Failed(2, run.now, LIMITED)) == (Send(3, 2),)


@pytest.mark.parametrize("fault", [UpstreamBroken("cut", "m"), ProviderFault("connect_failed", "m")])
def test_other_credentials_come_last_where_the_provider_itself_fails(fault: ProviderFault) -> None:
    run = started(ROTATING)
    assert run.feed(Failed(0, 2, fault)) == (Send(1, 2),)
    assert run.feed(Failed(1, 3, fault)) == (Send(2, 1),)
    run.feed(Failed(2, 4, fault))
    assert run.settled == [fault.code]
    check(run)


def test_a_silent_deployment_is_not_asked_with_another_credential() -> None:
    run = started(changed(num_candidates=2, groups=(0, 0)))
    run.pass_time(60 * SECOND)
    assert len(run.sends) == 1, "there is no alternative, so its first token is waited for"
    run = started(ROTATING)
    run.pass_time(16 * SECOND)
    assert run.sends[1:] == [Send(1, 2)]


def test_too_long_a_prompt_is_too_long_for_every_credential() -> None:
    run = started(ROTATING)
    assert run.feed(Failed(0, 2, ProviderFault("context_length_exceeded", "m", status=400))) == (Send(1, 2),)


def test_attempts_are_bounded_per_deployment_and_in_all() -> None:
    run = started(changed(num_candidates=8, groups=(0,) * 6 + (1, 1), retries=3))
    auth = ProviderFault("provider_auth_failed", "m")
    while run.live:
        run.feed(Failed(max(run.live), run.now, auth))
    assert [send.candidate for send in run.sends] == [0, 1, 2, 3, 6, 7]
    assert run.settled == ["provider_auth_failed"]
    check(run)


def test_retries_and_their_growing_back_off() -> None:
    longest = []
    for start in range(1, 300):
        run = Simulation(changed(num_candidates=1, retries=3))
        run.now = start
        run.start()
        pauses = []
        while run.live:
            run.feed(Failed(max(run.live), run.now, BUSY))
            if run.walk.wait is not None:
                pauses.append(run.walk.due_us - run.now)
                run.pass_time(pauses[-1])
        assert len(run.sends) == 4 and run.settled == ["provider_unavailable"]
        longest.append(pauses)
    first, second, third = (max(times) for times in zip(*longest, strict=True))
    assert 400_000 < first <= 450_000 < second <= 850_000 < third <= 1_650_000
    assert min(min(times) for times in longest) >= 50_000
    run = started(changed(retries=0))
    assert run.feed(Failed(0, 2, BUSY)) == (Send(1, 1),)


def test_a_deployment_in_cooldown_gets_no_second_try() -> None:
    run = started(changed(cooling=(True, False)))
    assert run.feed(Failed(0, 2, BUSY)) == (Send(1, 1),)
    assert run.feed(Failed(1, 3, BUSY)) == ()
    run.pass_time(SECOND)
    assert run.sends[2:] == [Send(2, 1)]


# Hedging


def test_a_hedge_goes_to_another_deployment_and_needs_permission() -> None:
    run = started(msgspec.structs.replace(ROTATING, hedge_us=SECOND))
    assert run.feed(Ticked(SECOND + 1, may_hedge=True)) == [Send(1, 2, kind="hedge")]
    run = started(msgspec.structs.replace(ROTATING, hedge_us=SECOND))
    assert run.feed(Ticked(SECOND + 1)) == []
    run.now = SECOND + 1
    run.pass_time(SECOND)
    assert len(run.sends) == 1, "what was not allowed in time is not asked for again"
    run.pass_time(15 * SECOND)
    assert run.sends[1:] == [Send(1, 2)], "but a late first token still means the next one"


def test_a_hedge_that_fails_leaves_the_first_one_running() -> None:
    run = started(changed(hedge_us=SECOND))
    run.pass_time(2 * SECOND)
    assert run.feed(Failed(1, run.now, BUSY)) == ()
    run.pass_time(300 * SECOND)
    assert len(run.sends) == 2 and run.live == {0}, "the last one left may think for minutes"
    run.feed(Spoke(0, run.now))
    run.feed(Ended(0, run.now))
    assert run.settled == ["ok"]
    check(run)


def test_there_is_no_hedge_without_a_second_deployment() -> None:
    run = started(changed(num_candidates=2, groups=(0, 0), hedge_us=SECOND))
    run.pass_time(5 * SECOND)
    assert len(run.sends) == 1


# Continuation

CONTINUING = changed(num_candidates=3, continues=(True, False, True))
CUT = UpstreamBroken("cut", "m")


def test_a_cut_answer_is_continued_by_who_can() -> None:
    run = started(CONTINUING)
    run.feed(Spoke(0, 2))
    assert run.feed(Failed(0, 3, CUT, may_continue=True)) == (Send(1, 2, kind="continuation"),)
    assert run.feed(Opened(1, 4)) == ()
    assert run.feed(Spoke(1, 5)) == (Join(1),)
    assert run.feed(Heard(1, 6)) == (Forward(1),)
    assert run.feed(Ended(1, 7)) == (Forward(1), Finish(1), Settle("ok"))
    check(run)


def test_a_stall_is_continued_and_the_last_one_must_not_be_late() -> None:
    run = started(CONTINUING)
    run.feed(Spoke(0, run.now))
    run.pass_time(16 * SECOND)
    assert run.sends[1:] == [Send(1, 2, kind="continuation")]
    run.pass_time(16 * SECOND)
    assert run.settled == ["gap_timeout"] and Cancel(1, "first_token_timeout") in run.log
    check(run)


@pytest.mark.parametrize(
    "fault",
    [ProviderFault("prefill_unsupported", "m", status=400), CallerFault("invalid_value", "m"), BUSY],
)
def test_who_can_not_continue_is_never_what_the_caller_hears(fault: ProviderFault | CallerFault) -> None:
    run = started(CONTINUING)
    run.feed(Spoke(0, 2))
    run.feed(Failed(0, 3, CUT, may_continue=True))
    run.feed(Failed(1, 4, fault))
    assert run.failed == [CUT] and run.settled == ["cut"]
    check(run)


def test_what_can_not_be_continued_is_an_error_in_band() -> None:
    for rules, may in ((CONTINUING, False), (RULES, True)):
        run = started(rules)
        run.feed(Spoke(0, 2))
        assert run.feed(Failed(0, 3, CUT, may_continue=may)) == (Fail(CUT), Settle("cut"))
    run = started(CONTINUING)
    run.feed(Spoke(0, 2))
    refusal = ProviderRefusal("content_filter", "m")
    run.feed(Failed(0, 3, refusal, may_continue=True))
    assert run.failed == [refusal] and len(run.sends) == 1


def test_a_late_one_is_not_given_up_for_one_in_cooldown() -> None:
    run = started(changed(cooling=(False, True), hedge_us=SECOND))
    run.pass_time(100 * SECOND)
    assert run.sends == [Send(0, 0)], "the slow one is all there is"
    run.feed(Failed(0, run.now, UpstreamBroken("cut", "m")))
    assert run.sends[1:] == [Send(1, 1)], "who fails is followed by whoever is left"
    run.feed(Ended(1, run.now))
    check(run)

    run = started(changed(cooling=(True, True)))
    run.pass_time(16 * SECOND)
    assert run.sends[1:] == [Send(1, 1)], "they are alike"
