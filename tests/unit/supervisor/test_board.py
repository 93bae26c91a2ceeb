"""What the workers know together: turns that stand, digests of the others, and what is shown."""

from wicket.routing.vitals import Digest, Turn
from wicket.supervisor.board import MAX_KNOWN, MAX_SHOWN, Board

S = 1_000_000
OPEN = Turn("p/m", 0, "open", 5 * S, 1, "reset")


def test_what_stands_is_told_with_the_time_that_is_left() -> None:
    board = Board()
    board.turn(OPEN, 10 * S)
    assert [turn.left_us for turn in board.standing(12 * S)] == [3 * S]
    board.turn(Turn("p/m", 0, "closed"), 13 * S)
    assert board.standing(13 * S) == []


def test_a_cooldown_that_has_passed_waits_for_its_probe() -> None:
    board = Board()
    board.turn(OPEN, 0)
    [shown] = board.deployments(9 * S)
    assert (shown["state"], shown["cooldown_s"], shown["reason"]) == ("half_open", 0.0, "reset")
    assert shown["first_token_ms"] is None and shown["headroom"] == 1.0


def test_each_worker_hears_of_the_others_only() -> None:
    board = Board()
    board.take(0, [Digest("p/m", 0, num_running=2, first_token_us=9_000)])
    board.take(1, [Digest("p/m", 0, num_running=1, first_token_us=7_000), Digest("q/m", 0, first_token_us=5)])
    told = board.round()
    assert [(d.name, d.num_running, d.first_token_us) for d in told[0]] == [("p/m", 1, 7_000), ("q/m", 0, 5)]
    assert [(d.name, d.num_running, d.first_token_us) for d in told[1]] == [("p/m", 2, -1)]
    [first, second] = board.deployments(0)
    assert (first["running"], first["first_token_ms"], second["running"]) == (3, 7.0, 0)
    board.take(0, [])
    board.set_workers([0])
    assert board.round() == {0: []} and board.deployments(0)[0]["running"] == 0


def test_another_configuration_forgets_and_memory_is_bounded() -> None:
    board = Board()
    board.turn(OPEN, 0)
    board.turn(Turn("p", 0, "open", S, 1, "provider_auth_failed", True), 0)
    board.turn(Turn("q", 0, "open", S, 1, "provider_auth_failed", True), 0)
    assert [one["provider"] for one in board.credentials(0)] == ["p", "q"]
    board.forget(["p"])
    assert [one["provider"] for one in board.credentials(0)] == ["q"] and not board.deployments(0)
    for number in range(MAX_KNOWN * 2):
        board.turn(Turn(f"p/{number}", 0, "open", S), 0)
        board.take(0, [Digest(f"p/{number}", 0, num_running=1)])
    assert len(board.standing(0)) <= MAX_KNOWN and len(board.deployments(0)) == MAX_SHOWN
