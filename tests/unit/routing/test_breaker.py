"""The breaker: what opens it, for how long, one probe at a time, and a model of all its histories."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wicket.routing.blame import Blame, blame_of
from wicket.routing.breaker import (
    CREDENTIAL_US,
    FAILURE_US,
    LEAST_US,
    MAX_COOLDOWN_US,
    MAX_CREDENTIAL_US,
    MAX_FAILURES,
    MAX_RETRY_AFTER_US,
    PROBE_US,
    Breaker,
)

S = 1_000_000


@pytest.mark.parametrize(
    ("code", "status", "silent_us", "blame"),
    [
        ("rate_limit_exceeded", 429, 0, Blame.LIMIT),
        ("provider_auth_failed", 401, 0, Blame.CREDENTIAL),
        ("provider_auth_failed", 403, 0, Blame.FORBIDDEN),
        ("provider_quota_exhausted", 429, 0, Blame.CREDENTIAL),
        ("provider_unavailable", 500, 0, Blame.FAILURE),
        ("reset", 0, 9, Blame.FAILURE),
        ("cut", 200, 0, Blame.FAILURE),
        ("gap_timeout", 200, 0, Blame.FAILURE),
        ("first_token_timeout", 0, 10 * S, Blame.FAILURE),
        ("first_token_timeout", 0, S // 2, Blame.NOTHING),  # somebody's impatience
        ("total_timeout", 200, 0, Blame.NOTHING),  # it was still speaking
        ("context_length_exceeded", 400, 0, Blame.NOTHING),
        ("content_filter", 400, 0, Blame.NOTHING),
        ("invalid_request", 422, 0, Blame.NOTHING),
        ("client_gone", 200, 0, Blame.NOTHING),
        ("hedge_lost", 0, 5 * S, Blame.NOTHING),
        ("not_confident", 422, 0, Blame.NOTHING),
        ("stale_connection", 0, 9, Blame.NOTHING),
        ("deployment_busy", 0, 9, Blame.NOTHING),
        ("internal_error", 0, 9, Blame.NOTHING),
    ],
)
def test_who_is_to_blame(code: str, status: int, silent_us: int, blame: Blame) -> None:
    assert blame_of(code, status, silent_us) == blame


def opened(chance: float = 1.0) -> Breaker:
    breaker = Breaker()
    for _ in range(MAX_FAILURES):
        breaker.fail("reset", S, chance, is_probe=False)
    assert breaker.state == "open"
    return breaker


def test_a_few_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    breaker = Breaker()
    for _ in range(MAX_FAILURES * 2):
        assert not breaker.fail("reset", S, 1.0, is_probe=False)
        assert not breaker.succeed(S)
    assert opened().reopens_us == S + FAILURE_US


def test_a_high_share_of_failures_opens_it() -> None:
    breaker = Breaker()
    for number in range(1, 40):
        if breaker.fail("reset", S, 1.0, is_probe=False):
            break
        breaker.fail("reset", S, 1.0, is_probe=False) if number % 2 else breaker.succeed(S)
        if breaker.state == "open":
            break
        breaker.succeed(S)
    assert breaker.state == "open"


def test_the_cooldown_doubles_to_its_bound_and_is_scattered() -> None:
    breaker, now, bounds = opened(), S, [FAILURE_US]
    for _ in range(6):
        now = breaker.reopens_us
        assert breaker.try_probe(now) and not breaker.try_probe(now)
        assert breaker.fail("reset", now, 1.0, is_probe=True)
        bounds.append(breaker.reopens_us - now)
    assert bounds == [S, 2 * S, 4 * S, 8 * S, 15 * S, 15 * S, 15 * S]
    assert opened(0.0).reopens_us == S + LEAST_US


def test_while_the_probe_is_out_others_go_elsewhere_and_a_lost_one_is_followed() -> None:
    breaker = opened()
    now = breaker.reopens_us
    assert breaker.try_probe(now) and breaker.state == "half_open"
    assert breaker.reopens_us == now + PROBE_US and not breaker.try_probe(now + 1)
    assert breaker.release(now + 2) and breaker.try_probe(now + 2)
    assert breaker.try_probe(now + 2 + PROBE_US)  # the second one never came back


def test_a_good_probe_closes_it_and_its_first_token_does_so_on_probation() -> None:
    breaker = opened()
    now = breaker.reopens_us
    breaker.try_probe(now)
    assert breaker.speak() and breaker.state == "closed" and not breaker.is_calm
    assert breaker.fail("cut", now, 1.0, is_probe=False)
    assert breaker.reopens_us == now + 2 * FAILURE_US
    breaker.try_probe(now + MAX_COOLDOWN_US)
    assert breaker.succeed(now + MAX_COOLDOWN_US) and breaker.is_calm and not breaker.level


def test_what_began_before_the_trouble_proves_nothing_and_who_is_asked_all_the_same_closes_it() -> None:
    breaker = opened()
    assert not breaker.succeed(S - 1) and breaker.state == "open"
    assert not breaker.fail("reset", S + 5, 1.0, is_probe=False)
    assert breaker.succeed(S + 1) and breaker.state == "closed"


def test_limits() -> None:
    breaker = Breaker()
    assert breaker.limit("rate_limit_exceeded", S, 1.0, 7 * S) and breaker.reopens_us == 8 * S
    assert not breaker.limit("rate_limit_exceeded", S, 1.0, 2 * S)  # no shorter by another one's word
    assert breaker.limit("rate_limit_exceeded", S, 1.0, 9 * S) and breaker.reopens_us == 10 * S
    breaker.close()
    assert breaker.limit("rate_limit_exceeded", S, 1.0, 10**12)
    assert breaker.reopens_us == S + MAX_RETRY_AFTER_US
    breaker.close()
    lengths, now = [], S
    for _ in range(8):
        assert breaker.limit("rate_limit_exceeded", now, 1.0, None)
        lengths.append(breaker.reopens_us - now)
        now = breaker.reopens_us
        breaker.try_probe(now)
    assert lengths == [S // 2, S, 2 * S, 4 * S, 8 * S, 15 * S, 15 * S, 15 * S]


def test_a_refused_credential_is_spared_longer() -> None:
    breaker, now, lengths = Breaker(), S, []
    for _ in range(5):
        assert breaker.bar("provider_auth_failed", now)
        lengths.append(breaker.reopens_us - now)
        now = breaker.reopens_us
        breaker.try_probe(now)
    assert lengths == [
        CREDENTIAL_US,
        2 * CREDENTIAL_US,
        4 * CREDENTIAL_US,
        8 * CREDENTIAL_US,
        MAX_CREDENTIAL_US,
    ]


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "well", "fail", "busy", "limit", "leave", "speak"]),
        st.integers(0, 20 * S),
        st.floats(0, 1),
    ),
    max_size=80,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_STEPS)
def test_in_any_history_there_is_one_probe_and_a_recovery_is_noticed_in_time(
    steps: list[tuple[str, int, float]],
) -> None:
    breaker, now, probe_until = Breaker(), S, 0
    probing: list[bool] = []
    for step, passed, chance in steps:
        now += passed
        if step == "send":
            is_probe = breaker.try_probe(now)
            if is_probe:
                assert now >= probe_until, "two probes at once"
                probe_until = now + PROBE_US
            probing.append(is_probe)
            continue
        if not probing:
            continue
        is_probe = probing.pop()
        if step == "well":
            breaker.succeed(now)
        elif step == "fail":
            breaker.fail("reset", now, chance, is_probe=is_probe)
        elif step == "busy":
            breaker.limit("rate_limit_exceeded", now, chance, None)
        elif step == "limit":
            breaker.limit("rate_limit_exceeded", now, chance, 3 * S)
        elif step == "speak" and is_probe:
            breaker.speak()
        elif is_probe:
            breaker.release(now)
        if not breaker.is_probing:
            probe_until = 0
        assert breaker.reopens_us <= now + max(MAX_COOLDOWN_US, PROBE_US)
        assert breaker.is_calm == (
            not (breaker.reopens_us or breaker.in_row or breaker.history or breaker.level)
        )
    now += MAX_COOLDOWN_US  # it is well again
    breaker.try_probe(now)
    breaker.succeed(now)
    assert breaker.state == "closed" and breaker.in_row == breaker.level == 0
