"""Names of what was left out, fit for a header."""

from wicket.gateway.dropped import MAX_NAME, MAX_NAMES, dropped_line, shown


def test_names_from_strangers_can_not_break_the_header() -> None:
    assert shown(["a.b[0]", "a\r\nset-cookie: x", "a,b", "ü" * 500]) == (
        "a.b[0]",
        "a??set-cookie:?x",
        "a?b",
        "?" * MAX_NAME,
    )
    assert dropped_line(["a", "a", "b c"]) == b"x-wicket-dropped: a,b?c\r\n"


def test_there_are_never_too_many() -> None:
    names = shown([str(number) for number in range(1000)])
    assert len(names) == MAX_NAMES and names[-1] == "..."
