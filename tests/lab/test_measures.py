"""What an answer is worth beside the expected one."""

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from wicket.lab.measures import worth  # noqa: E402
from wicket.lab.shell_words import command_score, flags_score, words_of  # noqa: E402


@pytest.mark.parametrize(
    ("expected", "given", "score"),
    [
        ("git log --oneline", "git log --oneline", 1.0),
        ("git log --oneline", "git --oneline   log", 1.0),
        ("git log --oneline", "hg log --oneline", 0.0),
        ("git log --oneline", "", 0.0),
        ("git log --oneline", "git log", 2 / 3),
        ("git commit -m 'a b'", 'git commit -m "a b"', 1.0),
        ("git", "git", 1.0),
        ("git", "git status", 0.0),
        ("sudo apt update", "apt update", 2 / 3),
        ("sudo apt update", "sudo apt update", 1.0),
        ("echo it's", "echo it's", 1.0),
        ("git add a b", "git add a a", 2 / 3),
    ],
)
def test_words_of_a_command(expected: str, given: str, score: float) -> None:
    assert command_score(expected, given) == pytest.approx(score)


@pytest.mark.parametrize(
    ("expected", "given", "score"),
    [
        ("find . -name x -type f", "find . -name y -type f", 1.0),
        ("find . -name x", "locate x", -1.0),
        ("find . -name x", "find .", 0.0),
        ("find . -name x -type f", "find . -type d", 0.5),
        ("git status", "git log", 1.0),
        ("ls | wc -l", "ls | wc -l", 1.0),
        ("ls | wc -l", "ls", 0.0),
        ("a --x=1", "a --x=2", 1.0),
        ("sudo a -b", "a -b", 1.0),
        ("a", "", -1.0),
    ],
)
def test_flags_as_the_competition_counts_them(expected: str, given: str, score: float) -> None:
    assert flags_score(expected, given) == pytest.approx(score)


def test_quotes_that_do_not_close_are_no_fault() -> None:
    assert words_of("echo 'a b") == ["echo", "'a", "b"]


def test_what_is_kept_is_told_with_its_interval() -> None:
    teacher = [1.0, 0.5, 0.0, 1.0] * 50
    found = worth(teacher, [0.9 * score for score in teacher])
    assert (found.teacher, found.student) == pytest.approx((0.625, 0.5625))
    assert found.kept == pytest.approx((0.9, 0.9, 0.9)), "every resample keeps the same share"
    assert found.gain[1] < found.gain[0] < found.gain[2] < 0
    mixed = worth(teacher, [1.0, 0.0, 0.5, 1.0] * 50)
    assert mixed.kept[1] < 1 < mixed.kept[2] and mixed.kept[0] == pytest.approx(1.0)
    assert worth([0.0, 0.0], [1.0, 0.0]).kept == (0.0, 0.0, 0.0)
