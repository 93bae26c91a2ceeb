from __future__ import annotations

import io

import pytest

from wicket.cli.terminal import dollars, has_colour, milliseconds, paint, plain, progress, table


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "colour"),
    [
        (Screen(), {}, True),
        (io.StringIO(), {}, False),
        (Screen(), {"NO_COLOR": "1"}, False),
        (Screen(), {"NO_COLOR": ""}, True),
        (Screen(), {"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    stream: io.StringIO, environ: dict[str, str], colour: bool
) -> None:
    assert has_colour(stream, environ) is colour


def test_paint_leaves_a_pipe_alone() -> None:
    assert paint("text", "red", io.StringIO()) == "text"


def test_foreign_text_can_t_steer_the_terminal() -> None:
    assert plain("a\x1b[2Jb\x07\x9bc\r\td\ne é 👩‍🚀") == "a�[2Jb��c�\td\ne é 👩‍🚀"


def test_a_table_aligns_numbers_to_the_right() -> None:
    assert table(["NAME", "N"], [["a", "5"], ["long", "1,000"]]) == ("NAME      N\na         5\nlong  1,000")
    assert table(["NAME"], []) == "NAME"


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0"), (1e-9, "$0.000000001"), (9.5e-6, "$0.0000095"), (0.25, "$0.25"), (1234.5, "$1234.50")],
)
def test_money_is_never_shown_as_nothing_when_it_is_something(amount: float, text: str) -> None:
    assert dollars(amount) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.4, "0 ms"), (950.0, "950 ms"), (12_345.0, "12.3 s")]
)
def test_durations_read_well(value: float | None, text: str) -> None:
    assert milliseconds(value) == text


def test_progress_is_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Working"):
        pass
    assert capsys.readouterr().err == ""
