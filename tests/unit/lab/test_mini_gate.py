"""The gate: each promise broken alone is found."""

import msgspec
import pytest

from wicket.lab.mini_gate import Facts, Outcome, guess, scores, verdict, whole
from wicket.minis.answers import AnswerShape
from wicket.minis.confidence import Calibration, points_of

SHAPE = AnswerShape("json", {"a": ["string"]})
CALIBRATION = Calibration([0.0], [1.0], [1.0], 0.0, 300, points_of([0.9] * 250 + [0.2] * 50, [True] * 300))


def outcomes(num_right: int, num_wrong: int, num_unsure: int) -> list[Outcome]:
    def each(number: int, is_right: bool, sureness: float) -> Outcome:
        return Outcome(str(number), "", "", is_right, True, [sureness])

    sure = [each(n, True, 9.0) for n in range(num_right)] + [each(n, False, 9.0) for n in range(num_wrong)]
    return sure + [each(n, n % 2 == 0, -9.0) for n in range(num_unsure)]


GOOD = Facts(
    quality=0.95,
    least_share=0.1,
    leaked=0,
    usual=0.3,
    export_difference=0.01,
    calibration=CALIBRATION,
    test=scores(outcomes(200, 2, 98), CALIBRATION, 0.9),
)


def failed(**changes: object) -> list[str]:
    found = verdict(msgspec.structs.replace(GOOD, **changes))
    names = [check.name for check in found.checks if not check.passed]
    assert found.passed == (not names)
    return names


def test_a_good_mini_passes() -> None:
    assert failed() == []


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"leaked": 1}, ["leakage"]),
        ({"export_difference": 0.3}, ["export"]),
        ({"usual": 0.9}, ["better_than_guessing"]),
        ({"least_share": 0.7}, ["share"]),
        ({"quality": 1.0}, ["floor", "precision"]),
        ({"test": scores(outcomes(170, 32, 98), CALIBRATION, 0.9)}, ["precision"]),
        ({"test": scores(outcomes(0, 0, 300), CALIBRATION, 0.9)}, ["share", "precision"]),
    ],
)
def test_each_broken_promise_is_named(changes: dict[str, object], names: list[str]) -> None:
    assert failed(**changes) == names


def test_scores_count_what_is_taken() -> None:
    found = scores(outcomes(200, 2, 98), CALIBRATION, 0.9)
    assert (found.num, found.right, found.taken, found.taken_right) == (300, 249, 202, 200)
    assert found.share == 202 / 300 and found.precision == 200 / 202
    assert found.precision_interval[0] < found.precision < found.precision_interval[1]


def test_a_broken_answer_is_never_taken_however_sure() -> None:
    sure = Outcome("1", "", "", False, False, [99.0])
    assert scores([sure], CALIBRATION, 0.0).taken == 0


def test_an_answer_is_whole_if_it_ended_and_has_the_shape() -> None:
    assert whole(SHAPE, "x", '{"a": "x"}', True)
    assert not whole(SHAPE, "x", '{"a": "x"}', False) and not whole(SHAPE, "x", '{"b": "x"}', True)
    quoted = msgspec.structs.replace(SHAPE, quoted=("a",))
    assert whole(quoted, "an X here", '{"a": "x"}', True) and not whole(quoted, "z", '{"a": "x"}', True)


def test_guessing_gives_the_most_frequent_answer_of_training() -> None:
    judged = [Outcome("1", text, "", False, True, [0.0]) for text in ('{"a":"x"}', '{ "a": "x" }', "{}")]
    assert guess(['{"a":"x"}', '{"a":"x"}', "{}"], judged, SHAPE) == 2 / 3
    assert guess([], judged, SHAPE) == 0.0
