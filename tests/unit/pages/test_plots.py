"""Plots: where marks stand is where the numbers say, whatever the numbers are."""

import itertools
import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.pages.amounts import UNKNOWN, amount, interval, points, probability
from wicket.pages.bars import Bar, bars
from wicket.pages.calibration import Bin, calibration
from wicket.pages.drawing import WIDTH
from wicket.pages.lines import Guide, Series, lines
from wicket.pages.scales import Axis, scale
from wicket.pages.scatter import Dot, scatter


def drawn(svg: str) -> ElementTree.Element:
    """The plot, well-formed, with no number in it that isn't one."""
    assert "nan" not in svg and "inf" not in svg.replace("information", "")
    return ElementTree.fromstring(svg)


def test_bars_are_as_long_as_their_values() -> None:
    root = drawn(
        bars("Right", Axis("share", "%", 0, 1), [Bar("a", 0.5, 0.4, 0.6, "5 of 10"), Bar("b", 0.25)])
    )
    widths = [float(rect.attrib["width"]) for rect in root.iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)
    told = root.find("desc").text  # type: ignore[union-attr]
    assert told == "share. a: 50 % (95 % interval 40 to 60 %); b: 25 %."
    assert len(list(root.iter("path"))) == 1 and "5 of 10" in "".join(root.itertext())


def test_dots_stand_by_their_numbers() -> None:
    dots = [
        Dot("cheap", 0.1, 0.5),
        Dot("b", 1.0, 0.2),
        Dot("dear", 10.0, 0.9, 0.8, 0.95),
        Dot("free", 0.0, 0.3),
    ]
    root = drawn(scatter("t", Axis("cost", "$", is_log=True), Axis("right", "%", 0, 1), dots))
    circle = next(root.iter("circle"))  # marks: a circle, a square from its corner, a diamond from its top
    paths = [path for path in root.iter("path") if "ring" in path.attrib["class"]]
    starts = [[float(number) for number in re.findall(r"[\d.]+", path.attrib["d"])[:2]] for path in paths]
    x1, x2, x3 = float(circle.attrib["cx"]), starts[0][0] + 5.4, starts[1][0]
    y1, y2, y3 = float(circle.attrib["cy"]), starts[0][1] + 5.4, starts[1][1] + 7.8
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2) and x2 - x1 > 50  # equal factors, equal ways
    assert (y2 - y1) / 0.3 == pytest.approx((y1 - y3) / 0.4, abs=1) and y3 < y1 < y2
    assert starts[2][0] == pytest.approx(x1)  # nothing costs less than the left end
    names = [element.text for element in root.iter("text")]
    assert "cheap" in names and "free ($0)" in names
    empty = drawn(scatter("t", Axis("x"), Axis("y"), [Dot("a", math.nan, 1.0)]))
    assert "No data" in "".join(empty.itertext())


def test_names_of_dots_do_not_lie_on_each_other() -> None:
    dots = [Dot(f"model number {place}", 1.0, 0.5) for place in range(6)]
    root = drawn(scatter("t", Axis("x", low=0, high=2), Axis("y", "%", 0, 1), dots))
    lines_at = [float(e.attrib["y"]) for e in root.iter("text") if (e.text or "").startswith("model")]
    assert len(lines_at) == 6
    assert all(abs(one - other) >= 14.9 for one, other in itertools.combinations(lines_at, 2))


def test_lines_are_thinned_and_bands_close() -> None:
    many = [(float(x), math.sin(x / 50)) for x in range(5_000)]
    band = [(0.0, -1.0, 1.0), (4_999.0, -0.5, 0.5)]
    guides = [Guide("here", x=100.0), Guide("there", y=0.5)]
    root = drawn(lines("t", Axis("step"), Axis("loss"), [Series("a", many, band), Series("b", [])], guides))
    paths = [path.attrib["d"] for path in root.iter("path")]
    longest = max(paths, key=len)
    assert longest.count("L") == 599 and any(path.endswith("z") for path in paths)
    words = "".join(root.itertext())
    assert "here" in words and "there" in words and "b: no data" in words


def test_a_perfect_calibration_lies_on_the_diagonal() -> None:
    bins = [Bin(share, share, share - 0.05, share + 0.05, 10) for share in (0.25, 0.5, 0.75)]
    root = drawn(calibration("t", [*bins, Bin(0.9, 0.0, 0.0, 0.0, 0)]))
    places = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.iter("circle")]
    assert len(places) == 3
    slopes = {round((b[1] - a[1]) / (b[0] - a[0]), 2) for a, b in itertools.pairwise(places)}
    diagonal = next(path.attrib["d"] for path in root.iter("path") if path.attrib["class"] == "guide")
    x1, y1, x2, y2 = map(float, re.findall(r"[\d.]+", diagonal))
    assert slopes == {round((y2 - y1) / (x2 - x1), 2)}


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=8),
    st.booleans(),
    st.sampled_from(["%", "ms", "$", "bytes", "", "J"]),
)
def test_any_numbers_make_an_axis(values: list[float], is_log: bool, unit: str) -> None:
    values = [value for value in values if abs(value) < 1e30 or not math.isfinite(value)]
    found = scale(Axis("x", unit, is_log=is_log), values, 50.0, WIDTH)
    assert found.low < found.high and 1 <= len(found.ticks) <= 80
    places = [found.place(value) for value, _ in found.ticks]
    assert places == sorted(places) and all(49.9 <= place <= WIDTH + 0.1 for place in places)
    for value in values:
        if math.isfinite(value) and (value > 0 or not is_log):
            assert 49.9 <= found.place(value) <= WIDTH + 0.1


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), max_size=5), st.text(max_size=60))
def test_any_data_make_plots(data: list[tuple[float, float]], name: str) -> None:
    axes = Axis("x"), Axis("y")
    drawn(scatter(name, *axes, [Dot(name, x, y) for x, y in data]))
    drawn(lines(name, *axes, [Series(name, sorted(data))]))
    drawn(bars(name, Axis("x"), [Bar(name, x, x, max(x, y)) for x, y in data]))


def test_ticks_are_round_numbers() -> None:
    assert [name for _, name in scale(Axis("x", "%", 0, 1), (), 0, 100).ticks] == [
        "0 %",
        "25 %",
        "50 %",
        "75 %",
        "100 %",
    ]
    assert [value for value, _ in scale(Axis("x"), [0, 41], 0, 100).ticks] == [0, 20, 40, 60]
    decades = scale(Axis("x", is_log=True), [0.02, 90], 0, 100).ticks
    assert [value for value, _ in decades] == pytest.approx([0.01, 0.1, 1, 10, 100])


def test_amounts_are_read_as_people_write_them() -> None:
    shown = [amount(0.9167, "%"), amount(1, "%"), amount(2410, "ms"), amount(12_345, "ms"), amount(0, "$")]
    assert shown == ["91.7 %", "100 %", "2,410 ms", "12.3 s", "$0"]
    assert [amount(0.1, "$"), amount(0.000123456, "$"), amount(1234.5, "$")] == [
        "$0.10",
        "$0.000123",
        "$1,234.50",
    ]
    assert [amount(825_982_976, "bytes"), amount(512, "bytes")] == ["826 MB", "512 bytes"]
    assert [amount(None), amount(math.nan, "%"), amount(1234567), amount(0.12345)] == [
        UNKNOWN,
        UNKNOWN,
        "1,234,567",
        "0.123",
    ]
    assert interval(0.61, 0.673, "%") == "61 to 67.3 %" and interval(1, 2, "$") == "$1.00 to $2.00"
    assert points(-0.206) == "\u221220.6" and points(0.05) == "+5.0"
    assert probability(0.0) == "< 0.001" and probability(0.0417) == "0.042"
