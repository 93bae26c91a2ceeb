from wicket.supervisor.backoff import LONGEST_S, STABLE_S, Backoff


def test_a_storm_is_slowed_down_and_a_stable_life_forgives() -> None:
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in range(6)] == [0.0, 0.25, 0.5, 1.0, 2.0, 4.0]
    assert [backoff.after(0.1) for _ in range(200)][-1] == LONGEST_S
    assert backoff.after(STABLE_S) == 0.0
    assert backoff.after(0.1) == 0.25
